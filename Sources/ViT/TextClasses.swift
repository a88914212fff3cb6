import Foundation

/// The classes of a model that compares images with texts: one text embedding per class.
///
/// A .safetensors file with the tensor `embeddings` [C, P], rows of length 1. Its metadata has `names`, a JSON list of
/// C names, `logit_scale`, which cosines are multiplied by, and `logit_bias`, which is then added (0 where absent).
package struct TextClasses: Sendable {
    package let names: [String]
    /// The embeddings times the scale
    let weight: Weight  // [C, P]
    let bias: Float
    /// P
    let width: Int
    let file: String
    /// The whole file
    let data: Data

    /// - Throws: `CheckpointError`, which names the file and its fault
    package init(path: String) throws(CheckpointError) {
        let file = try SafeTensors(path: path)
        func failure(_ reason: String) -> CheckpointError { .file(path: path, reason: reason) }
        guard let text = file.metadata["names"],
            let names = try? JSONDecoder().decode([String].self, from: Data(text.utf8)),
            1...maxClasses ~= names.count
        else { throw failure("its metadata has no names, a JSON list of the classes' names") }
        func number(_ key: String, absent: Float? = nil) throws(CheckpointError) -> Float {
            if file.metadata[key] == nil, let absent { return absent }
            guard let value = file.metadata[key].flatMap(Float.init), value.isFinite else {
                throw failure("its metadata has no number \(key)")
            }
            return value
        }
        let scale = try number("logit_scale"), tensor = "embeddings"
        guard let shape = file.tensors[tensor]?.shape, shape.count == 2, shape[0] == names.count, shape[1] > 0 else {
            let found = file.tensors[tensor].map { "found \($0.shape)" } ?? "missing"
            throw .tensor(
                name: tensor, file: path, reason: "\(found), expected one row for each of \(names.count) names")
        }
        let rows = try TensorSource(file).tensor(tensor, shape: shape)
        self.names = names
        weight = Weight(count: rows.count) { rows.floats.map { $0 * scale } }
        bias = try number("logit_bias", absent: 0)
        width = shape[1]
        (self.file, data) = (path, file.data)
    }

    /// Checks that image embeddings have the width of the texts'.
    func check(width images: Int) throws(CheckpointError) {
        guard width == images else {
            throw .tensor(
                name: "embeddings", file: file,
                reason:
                    "texts have \(width) values, but the model's images have \(images); make the file with the same model"
            )
        }
    }

    /// The map from an image's embedding to the classes
    var head: (weight: Weight, bias: Weight) {
        (weight, Weight([Float](repeating: bias, count: names.count)))
    }
}
