import Foundation

/// A Hugging Face `ViTForImageClassification`: its configuration, its weights, and the raw contents of its
/// `preprocessor_config.json`. The weights' values stay in their files, which are mapped, and become Floats one tensor
/// after the other when somebody asks for them (`Weight`).
package struct Checkpoint: Sendable {
    package let config: ViTConfig
    package let weights: ViTWeights
    /// Contents of preprocessor_config.json; nil where the folder has none
    package let preprocessor: Data?
    /// The folder's last path component, or the name given
    package let name: String
    /// SHA-256 in hex of config.json followed by the weight files, shards in the order of their names:
    /// `cat config.json model.safetensors | sha256sum`
    package let sha256: String
    /// Tensors in the weight files that a classifying ViT does not use (a pooler, say), sorted
    package let unusedTensors: [String]

    /// Reads `folder`: config.json, model.safetensors or the shards of model.safetensors.index.json, and
    /// preprocessor_config.json if it is there.
    ///
    /// Weights may be F32, F16, BF16 or F64. Tensor names may be those that transformers saves
    /// (`vit.encoder.layer.0.attention.attention.query.weight`) or those its version 5 uses in memory
    /// (`vit.layers.0.attention.q_proj.weight`).
    ///
    /// - Throws: `CheckpointError`; every shape is compared with the configuration before memory is taken for it,
    ///   and a weight that is NaN or infinite is refused.
    package static func load(folder: String) throws(CheckpointError) -> Checkpoint {
        let root = URL(fileURLWithPath: folder).standardizedFileURL
        switch fileKind(folder) {
        case .folder: break
        case .missing: throw CheckpointError.file(path: folder, reason: "no such folder")
        case .dangling: throw CheckpointError.file(path: folder, reason: fileKind(folder).reason)
        case .file, .other:
            throw CheckpointError.file(
                path: folder, reason: "not a folder; a model is a folder with config.json in it")
        }
        func path(_ file: String) -> String { root.appendingPathComponent(file).path }

        let config = try readFile(path("config.json"), limit: jsonLimit)
        let hasPreprocessor = !fileKind(path("preprocessor_config.json")).isMissing
        return try Checkpoint(
            config: config, configName: path("config.json"), source: try TensorSource(folder: folder, path: path),
            preprocessor: hasPreprocessor ? try readFile(path("preprocessor_config.json"), limit: jsonLimit) : nil,
            name: root.lastPathComponent)
    }

    /// Reads a model that is already in memory.
    ///
    /// - Parameters:
    ///   - config: contents of config.json
    ///   - weights: contents of model.safetensors
    ///   - preprocessor: contents of preprocessor_config.json, if there is one
    ///   - name: what to call the model, also in messages
    package init(config: Data, weights: Data, preprocessor: Data?, name: String) throws(CheckpointError) {
        try self.init(
            config: config, configName: "\(name)/config.json",
            source: TensorSource(try SafeTensors(data: weights, name: "\(name)/model.safetensors")),
            preprocessor: preprocessor, name: name)
    }

    private init(
        config: Data, configName: String, source: TensorSource, preprocessor: Data?, name: String
    ) throws(CheckpointError) {
        self.config = try ViTConfig(json: config, name: configName)
        var reader = TensorReader(source: source)
        self.weights = try Family.of(self.config).weights(&reader, self.config)
        self.unusedTensors = reader.unused
        self.preprocessor = preprocessor
        self.name = name
        let digest = sha256Hex { update in
            update(config)
            for file in source.files { file.forEachPiece(update) }
        }
        guard let digest else {
            throw CheckpointError.file(path: name, reason: "libcrypto could not compute its SHA-256")
        }
        self.sha256 = digest
    }
}

/// Largest JSON file read, in bytes; an index of a million tensors fits.
private let jsonLimit = 100_000_000

/// Where each tensor of a checkpoint lies: in one file, or in the shards of an index.
struct TensorSource {
    /// The weight files, sorted by name
    let files: [SafeTensors]
    /// The file a tensor is in, as an index of `files`
    let location: [String: Int]
    /// The weights as a whole, for messages: the single file or the index
    let name: String

    init(_ file: SafeTensors) {
        files = [file]
        location = file.tensors.mapValues { _ in 0 }
        name = file.name
    }

    /// - Parameter path: gives the path of a file in `folder`.
    init(folder: String, path: (String) -> String) throws(CheckpointError) {
        if !fileKind(path("model.safetensors")).isMissing {
            self.init(try SafeTensors(path: path("model.safetensors")))
        } else if !fileKind(path("model.safetensors.index.json")).isMissing {
            try self.init(index: path("model.safetensors.index.json"), path: path)
        } else if ["pytorch_model.bin", "pytorch_model.bin.index.json"].contains(where: {
            !fileKind(path($0)).isMissing
        }) {
            throw CheckpointError.file(
                path: folder,
                reason:
                    "has PyTorch weights (pytorch_model.bin) but no model.safetensors; convert it with: python -c "
                    + "\"from transformers import ViTForImageClassification as V; "
                    + "V.from_pretrained('\(folder)').save_pretrained('\(folder)')\"")
        } else {
            throw CheckpointError.file(
                path: folder, reason: "has no weights (model.safetensors or model.safetensors.index.json)")
        }
    }

    private init(index: String, path: (String) -> String) throws(CheckpointError) {
        guard let map = JSON.object(try readFile(index, limit: jsonLimit))?["weight_map"]?.object else {
            throw CheckpointError.file(path: index, reason: "not a JSON object with an object weight_map")
        }
        var shardOf: [String: String] = [:]
        for (tensor, value) in map {
            guard let shard = value.string, !shard.isEmpty, !shard.contains("/"), !shard.contains("\0"),
                shard != ".", shard != ".."
            else {
                throw CheckpointError.tensor(
                    name: tensor, file: index,
                    reason: "weight_map gives \(value.text), expected a file in the same folder")
            }
            shardOf[tensor] = shard
        }
        let shards = Set(shardOf.values).sorted()
        var files: [SafeTensors] = []
        for shard in shards { files.append(try SafeTensors(path: path(shard))) }
        let order = Dictionary(uniqueKeysWithValues: zip(shards, files.indices))
        self.files = files
        self.location = shardOf.compactMapValues { order[$0] }
        self.name = index
    }

    func file(of tensor: String) -> SafeTensors? { location[tensor].map { files[$0] } }
}
