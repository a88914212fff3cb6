import Foundation

/// A Hugging Face `ViTForImageClassification`: its configuration, its weights, and the raw contents of its
/// `preprocessor_config.json`. The weights' values stay in their files, which are mapped, and become Floats one tensor
/// after the other when somebody asks for them (`Weight`).
package struct Checkpoint: Sendable {
    package let config: ViTConfig
    package let weights: ViTWeights
    /// Contents of the file that says how images are processed; nil where the folder has none
    package let preprocessor: Data?
    /// That file: `processor_config.json` or `preprocessor_config.json`
    package let preprocessorName: String?
    /// The folder's last path component, or the name given
    package let name: String
    /// SHA-256 in hex of config.json followed by the weight files, shards in the order of their names:
    /// `cat config.json model.safetensors | sha256sum`
    package let sha256: String
    /// Tensors in the weight files that a classifying ViT does not use (a pooler, say), sorted
    package let unusedTensors: [String]
    /// What was done to read the model that its user may want to know, one sentence each
    package let notes: [String]

    /// Reads the model at `folder` (`ModelFolder` says what that may be): config.json; model.safetensors or
    /// pytorch_model.bin, whole or in the shards of an index; processor_config.json where that says how images are
    /// processed, otherwise preprocessor_config.json if it is there.
    ///
    /// Weights may be F32, F16, BF16 or F64. Tensor names may be those that transformers saves
    /// (`vit.encoder.layer.0.attention.attention.query.weight`) or those its version 5 uses in memory
    /// (`vit.layers.0.attention.q_proj.weight`).
    ///
    /// - Throws: `CheckpointError`; every shape is compared with the configuration before memory is taken for it,
    ///   and a weight that is NaN or infinite is refused.
    package static func load(folder: String) throws(CheckpointError) -> Checkpoint {
        let model = try ModelFolder(folder)
        let preprocessor = try model.preprocessor()
        return try Checkpoint(
            config: try model.json("config.json"), configName: model.path("config.json"),
            source: try TensorSource(model), preprocessor: preprocessor?.contents,
            preprocessorName: preprocessor?.file, name: model.name, notes: model.notes)
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
            preprocessor: preprocessor, preprocessorName: preprocessor.map { _ in "preprocessor_config.json" },
            name: name,
            notes: [])
    }

    private init(
        config: Data, configName: String, source: TensorSource, preprocessor: Data?, preprocessorName: String?,
        name: String, notes: [String]
    ) throws(CheckpointError) {
        self.config = try ViTConfig(json: config, name: configName)
        var reader = WeightReader(source: source, config: self.config)
        self.weights = try reader.model()
        self.unusedTensors = reader.unused
        self.preprocessor = preprocessor
        self.preprocessorName = preprocessorName
        self.name = name
        self.notes = notes + source.notes
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

/// Reads a model's tensors by name and keeps count of those it used.
private struct WeightReader {
    let source: TensorSource
    let config: ViTConfig
    private var used: Set<String> = []

    init(source: TensorSource, config: ViTConfig) {
        self.source = source
        self.config = config
    }

    var unused: [String] { source.unused(used) }

    mutating func model() throws(CheckpointError) -> ViTWeights {
        let (d, p) = (config.hiddenSize, config.patchSize)
        guard source.has("classifier.weight") else {
            throw source.missing(
                "classifier.weight",
                because: "the checkpoint has no classification head; vitpatch reads ViTForImageClassification")
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
        guard let name = names.first(where: source.has) else { throw source.missing(names[0]) }
        let tensor = try source.tensor(name, shape: shape, because: because)
        used.insert(name)
        return tensor
    }
}
