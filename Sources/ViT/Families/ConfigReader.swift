import Formats
import Foundation

/// Values of `hidden_act` in transformers. Names of the same function differ in rounding only.
private let activations: KeyValuePairs<String, ViTConfig.Activation> = [
    "gelu": .gelu, "gelu_new": .geluNew, "gelu_pytorch_tanh": .geluNew, "quick_gelu": .quickGelu, "relu": .relu,
    "silu": .silu, "mish": .mish, "gelu_python": .gelu, "gelu_accurate": .geluNew, "gelu_fast": .geluNew,
    "gelu_python_tanh": .geluNew, "swish": .silu,
]

/// Typed reads from the members of a config.json; null counts as absent, as in transformers.
struct ConfigReader {
    private let members: JSONMembers
    let file: String
    /// Shapes of the model's tensors by name, for values that a family reads from them
    var shape: (String) -> [Int]? = { _ in nil }
    /// The classes of a model that compares images with texts
    var classes: TextClasses?
    /// The image size asked for, where it is not the one that the model was trained on
    var imageSize: PixelSize?

    /// - Throws: `CheckpointError.config` where the file is not a JSON object
    init(json: Data, file: String) throws(CheckpointError) {
        guard let members = JSONMembers(json) else {
            throw CheckpointError.config(file: file, reason: "not a JSON object in UTF-8")
        }
        (self.members, self.file) = (members, file)
    }

    private init(values: [String: JSON], of other: ConfigReader) {
        (members, file, shape) = (JSONMembers(values), other.file, other.shape)
        (classes, imageSize) = (other.classes, other.imageSize)
    }

    /// The members of the object `key`; none where it is absent.
    func object(_ key: String) throws(CheckpointError) -> ConfigReader {
        guard let value = value(key) else { return ConfigReader(values: [:], of: self) }
        guard let values = value.object else { throw wrong(key, value, expected: "an object") }
        return ConfigReader(values: values, of: self)
    }

    func value(_ key: String) -> JSON? { members[key].flatMap { $0.isNull ? nil : $0 } }

    var keys: [String] { members.names }

    func wrong(_ key: String, _ value: JSON, expected: String) -> CheckpointError {
        .config(file: file, reason: "\(key) is \(value.text), expected \(expected)")
    }

    func int(_ key: String, default absent: Int) throws(CheckpointError) -> Int {
        guard let value = value(key) else { return absent }
        guard let int = value.int else { throw wrong(key, value, expected: "a whole number") }
        return int
    }

    /// The size of an image or patch: S or [height, width].
    func size(_ key: String, default absent: PixelSize) throws(CheckpointError) -> PixelSize {
        guard let value = value(key) else { return absent }
        if let int = value.int { return PixelSize(side: int) }
        guard let pair = value.ints, pair.count == 2 else {
            throw wrong(key, value, expected: "a whole number or a pair [height, width]")
        }
        return PixelSize(height: pair[0], width: pair[1])
    }

    func bool(_ key: String, default absent: Bool) throws(CheckpointError) -> Bool {
        guard let value = value(key) else { return absent }
        guard let bool = value.bool else { throw wrong(key, value, expected: "true or false") }
        return bool
    }

    func epsilon(_ key: String, default absent: Float) throws(CheckpointError) -> Float {
        guard let value = value(key) else { return absent }
        guard let number = value.number else { throw wrong(key, value, expected: "a number") }
        return Float(number)
    }

    func number(_ key: String, default absent: Double) throws(CheckpointError) -> Double {
        guard let value = value(key) else { return absent }
        guard let number = value.number else { throw wrong(key, value, expected: "a number") }
        return number
    }

    func string(_ key: String) throws(CheckpointError) -> String? {
        guard let value = value(key) else { return nil }
        guard let string = value.string else { throw wrong(key, value, expected: "a text") }
        return string
    }

    func activation(default absent: ViTConfig.Activation = .gelu) throws(CheckpointError) -> ViTConfig.Activation {
        guard let value = value("hidden_act") else { return absent }
        for (name, activation) in activations where name == value.string { return activation }
        throw wrong(
            "hidden_act", value, expected: "one of \(activations.map(\.key).joined(separator: ", "))")
    }

    func labels() throws(CheckpointError) -> [String] {
        let count = try value("num_labels").map { _ throws(CheckpointError) in try int("num_labels", default: 2) }
        guard let value = value("id2label") else {
            let count = count ?? 2
            guard 1...maxClasses ~= count else {
                throw CheckpointError.config(
                    file: file, reason: "num_labels is \(count), expected 1 to \(maxClasses)")
            }
            return (0..<count).map { "LABEL_\($0)" }
        }
        guard let names = value.object else { throw wrong("id2label", value, expected: "an object") }
        guard names.count > 0 else { throw CheckpointError.config(file: file, reason: "id2label names no class") }
        if let count, count != names.count {
            throw CheckpointError.config(
                file: file, reason: "num_labels is \(count), but id2label names \(names.count) classes")
        }
        var labels: [String] = []
        for index in 0..<names.count {
            guard let label = names[String(index)] else {
                throw CheckpointError.config(
                    file: file,
                    reason: "id2label has \(names.count) entries but none for class \(index); "
                        + "expected keys \"0\" to \"\(names.count - 1)\"")
            }
            // A number is taken as its text.
            guard let text = label.string ?? label.int.map(String.init) else {
                throw wrong("id2label \(index)", label, expected: "a name")
            }
            labels.append(text)
        }
        return labels
    }
}
