import Formats
import Foundation

/// A classifier of one of the families (`Family`): its configuration, its weights, and the raw contents of the file
/// with its image preprocessing. Weight values stay in their memory-mapped files; they are converted to Float one
/// tensor at a time, on request (`Weight`).
package struct Checkpoint: Sendable {
    package let config: ViTConfig
    package let weights: ViTWeights
    /// Contents of the file that describes image preprocessing; nil where the folder has none
    package let preprocessor: Data?
    /// The name of that file: `processor_config.json`, `preprocessor_config.json` or, for timm, `config.json`
    package let preprocessorName: String?
    /// The folder's last path component, or the name given
    package let name: String
    /// SHA-256 in hex of config.json followed by the weight files, shards sorted by name:
    /// `cat config.json model.safetensors | sha256sum`; then the file of `--classes`, if one is given
    package let sha256: String
    /// Tensors in the weight files that the classifier does not use (a pooler, say), sorted
    package let unusedTensors: [String]
    /// Notes for the user on how the model was read, one sentence each
    package let notes: [String]

    /// Reads the model at `folder` (see `ModelFolder`): config.json; model.safetensors or pytorch_model.bin, whole or
    /// in the shards of an index; and the file with image preprocessing (`ModelFolder.preprocessor`), if there is one.
    ///
    /// Weights may be F32, F16, BF16 or F64. Tensors may have the names that transformers saves
    /// (`vit.encoder.layer.0.attention.attention.query.weight`), those that its version 5 uses in memory
    /// (`vit.layers.0.attention.q_proj.weight`), or timm's.
    ///
    /// - Parameters:
    ///   - classes: for a model that compares images with texts; nil for the classes of its classifier
    ///   - imageSize: nil for the model's own; for others, position embeddings are interpolated
    /// - Throws: `CheckpointError`. Every shape is checked against the configuration before memory is allocated for it,
    ///   and a weight that is NaN or infinite is refused.
    package static func load(
        folder: String, classes: TextClasses? = nil, imageSize: PixelSize? = nil
    ) throws(CheckpointError) -> Checkpoint {
        let model = try ModelFolder(folder)
        let preprocessor = try model.preprocessor()
        let config = try model.json("config.json")
        var reader = try ConfigReader(json: config, file: model.path("config.json"))
        (reader.classes, reader.imageSize) = (classes, imageSize)
        return try Checkpoint(
            config: config, reader: reader, source: try TensorSource(model, base: try Family.of(reader).base),
            preprocessor: preprocessor?.contents, preprocessorName: preprocessor?.file, name: model.name,
            notes: model.notes)
    }

    /// Reads a model that is already in memory.
    ///
    /// - Parameters:
    ///   - config: contents of config.json
    ///   - weights: contents of model.safetensors
    ///   - preprocessor: contents of preprocessor_config.json, if there is one
    ///   - name: the model's name, also used in messages
    package init(config: Data, weights: Data, preprocessor: Data?, name: String) throws(CheckpointError) {
        let reader = try ConfigReader(json: config, file: "\(name)/config.json")
        try self.init(
            config: config, reader: reader,
            source: TensorSource(
                try SafeTensors(data: weights, name: "\(name)/model.safetensors"), base: try Family.of(reader).base),
            preprocessor: preprocessor, preprocessorName: preprocessor.map { _ in "preprocessor_config.json" },
            name: name,
            notes: [])
    }

    private init(
        config: Data, reader configReader: ConfigReader, source: TensorSource, preprocessor: Data?,
        preprocessorName: String?,
        name: String, notes: [String]
    ) throws(CheckpointError) {
        var configReader = configReader
        configReader.shape = source.shape(of:)
        self.config = try ViTConfig(configReader)
        let classes = configReader.classes, family = try Family.of(self.config)
        if let classes, !family.takesTexts {
            let takers = Family.all.filter(\.takesTexts).map(\.name).joined(separator: " and ")
            throw CheckpointError.file(
                path: classes.file,
                reason: "texts for classes are for \(takers); \(name) is of the family \(family.name)")
        }
        var reader = TensorReader(source: source, classes: classes)
        self.weights = try family.weights(&reader, self.config)
        self.unusedTensors = reader.unused
        self.preprocessor = preprocessor
        self.preprocessorName = preprocessorName
        self.name = name
        self.notes = notes + source.notes
        let digest = sha256Hex { update in
            update(config)
            for file in source.files { file.forEachPiece(update) }
            if let classes { update(classes.data) }
        }
        guard let digest else {
            throw CheckpointError.file(path: name, reason: "libcrypto could not compute its SHA-256")
        }
        self.sha256 = digest
    }
}
