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
        var reader = WeightReader(source: source, config: self.config)
        self.weights = try reader.model()
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
private struct TensorSource {
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

/// Reads a model's tensors by name and keeps count of those it used.
private struct WeightReader {
    let source: TensorSource
    let config: ViTConfig
    private var used: Set<String> = []

    init(source: TensorSource, config: ViTConfig) {
        self.source = source
        self.config = config
    }

    var unused: [String] { source.location.keys.filter { !used.contains($0) }.sorted() }

    mutating func model() throws(CheckpointError) -> ViTWeights {
        let (d, p) = (config.hiddenSize, config.patchSize)
        guard source.location["classifier.weight"] != nil else {
            throw CheckpointError.tensor(
                name: "classifier.weight", file: source.name,
                reason:
                    "missing: the checkpoint has no classification head; vitpatch reads ViTForImageClassification"
            )
        }
        let head = try linear("classifier", out: config.classes, in: d)
        let patch = "vit.embeddings.patch_embeddings.projection"
        let patchWeight = try tensor(["\(patch).weight"], [d, config.channels, p, p])
        let patchBias = try tensor(["\(patch).bias"], [d])
        let cls = try tensor(["vit.embeddings.cls_token"], [1, 1, d])
        let position = try tensor(
            ["vit.embeddings.position_embeddings"], [1, config.tokens, d],
            because: "image_size \(config.imageSize) and patch_size \(p) make \(config.tokens) tokens")
        var layers: [LayerWeights] = []
        for index in 0..<config.layers { layers.append(try layer(index)) }
        let norm = try vector(["vit.layernorm"], d)
        return ViTWeights(
            patchWeight: patchWeight, patchBias: patchBias, cls: cls, position: position, layers: layers,
            lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias)
    }

    private mutating func layer(_ index: Int) throws(CheckpointError) -> LayerWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        /// A module's path as transformers saves it, and as its version 5 calls it in memory.
        func paths(_ saved: String, _ inMemory: String) -> [String] {
            ["vit.encoder.layer.\(index).\(saved)", "vit.layers.\(index).\(inMemory)"]
        }
        let ln1 = try vector(paths("layernorm_before", "layernorm_before"), d)
        let ln2 = try vector(paths("layernorm_after", "layernorm_after"), d)
        let qkv = try linear(
            stacked: [
                paths("attention.attention.query", "attention.q_proj"),
                paths("attention.attention.key", "attention.k_proj"),
                paths("attention.attention.value", "attention.v_proj"),
            ], out: d, in: d, bias: config.qkvBias)
        let proj = try linear(paths("attention.output.dense", "attention.o_proj"), out: d, in: d)
        let fc1 = try linear(paths("intermediate.dense", "mlp.fc1"), out: m, in: d)
        let fc2 = try linear(paths("output.dense", "mlp.fc2"), out: d, in: m)
        return LayerWeights(
            ln1Weight: ln1.weight, ln1Bias: ln1.bias, qkvWeight: qkv.weight, qkvBias: qkv.bias,
            projWeight: proj.weight, projBias: proj.bias, ln2Weight: ln2.weight, ln2Bias: ln2.bias,
            fc1Weight: fc1.weight, fc1Bias: fc1.bias, fc2Weight: fc2.weight, fc2Bias: fc2.bias)
    }

    /// weight [out, in] and bias [out]
    private mutating func linear(
        _ paths: [String], out: Int, in width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        try linear(stacked: [paths], out: out, in: width, bias: true)
    }

    private mutating func linear(
        _ path: String, out: Int, in width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        try linear([path], out: out, in: width)
    }

    /// Linear maps of the same input, as one: weight [parts * out, in] and bias [parts * out]; zeros for the bias where
    /// the configuration says that there is none.
    private mutating func linear(
        stacked parts: [[String]], out: Int, in width: Int, bias: Bool
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        var weights: [StoredTensor] = [], biases: [StoredTensor] = []
        for paths in parts {
            weights.append(try stored(paths.map { "\($0).weight" }, [out, width]))
            if bias { biases.append(try stored(paths.map { "\($0).bias" }, [out])) }
        }
        return (Weight(weights), bias ? Weight(biases) : Weight([Float](repeating: 0, count: parts.count * out)))
    }

    /// A layer norm's weight and bias, [width] each.
    private mutating func vector(
        _ paths: [String], _ width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        (try tensor(paths.map { "\($0).weight" }, [width]), try tensor(paths.map { "\($0).bias" }, [width]))
    }

    private mutating func tensor(
        _ names: [String], _ shape: [Int], because: String? = nil
    ) throws(CheckpointError) -> Weight {
        Weight([try stored(names, shape, because: because)])
    }

    /// The first of `names` that the checkpoint has, checked for shape and finite values.
    ///
    /// - Parameter because: where the expected shape comes from, appended to the message about another one.
    private mutating func stored(
        _ names: [String], _ shape: [Int], because: String? = nil
    ) throws(CheckpointError) -> StoredTensor {
        guard let name = names.first(where: { source.location[$0] != nil }), let file = source.file(of: name)
        else {
            throw CheckpointError.tensor(name: names[0], file: source.name, reason: "missing")
        }
        if let because, let found = file.tensors[name]?.shape, found != shape {
            throw CheckpointError.tensor(
                name: name, file: file.name,
                reason: "expected shape \(shape) (\(because)), found \(shapeText(found))")
        }
        let tensor = try file.tensor(name, shape: shape)
        if let (index, value) = tensor.firstNonFinite {
            throw CheckpointError.tensor(
                name: name, file: file.name, reason: "the value at index \(index) is \(value), not finite")
        }
        used.insert(name)
        return tensor
    }
}
