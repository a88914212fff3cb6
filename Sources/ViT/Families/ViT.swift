extension Family {
    /// transformers' `ViTForImageClassification`: pre-norm, learned positions, a classifier on CLS.
    ///
    /// Absent keys of config.json (or null) have the defaults of transformers' `ViTConfig` (ViT-B/16 at 224 pixels, two
    /// labels). `id2label` must name the classes 0 to C-1, in any order. Tensor names may be those that transformers
    /// saves (`vit.encoder.layer.0.attention.attention.query.weight`) or those its version 5 uses in memory
    /// (`vit.layers.0.attention.q_proj.weight`).
    static let vit = Family(
        name: Architecture.vit.family, modelType: "vit", config: ViTFamily.config, weights: ViTFamily.weights)
}

private enum ViTFamily {
    static func config(_ reader: ConfigReader) throws(CheckpointError) -> ViTConfig {
        ViTConfig(
            hiddenSize: try reader.int("hidden_size", default: 768),
            layers: try reader.int("num_hidden_layers", default: 12),
            heads: try reader.int("num_attention_heads", default: 12),
            intermediateSize: try reader.int("intermediate_size", default: 3072),
            imageSize: try reader.side("image_size", default: 224),
            patchSize: try reader.side("patch_size", default: 16),
            channels: try reader.int("num_channels", default: 3),
            activation: try reader.activation(),
            layerNormEps: try reader.epsilon("layer_norm_eps", default: 1e-12),
            qkvBias: try reader.bool("qkv_bias", default: true), architecture: .vit, labels: try reader.labels())
    }

    static func weights(_ reader: inout TensorReader, _ config: ViTConfig) throws(CheckpointError) -> ViTWeights {
        let (d, p) = (config.hiddenSize, config.patchSize)
        guard reader.has("classifier.weight") else {
            throw reader.missing(
                "classifier.weight",
                "missing: the checkpoint has no classification head; vitpatch reads ViTForImageClassification")
        }
        let head = try reader.linear("classifier", out: config.classes, in: d)
        let patch = "vit.embeddings.patch_embeddings.projection"
        let patchWeight = try reader.tensor(["\(patch).weight"], [d, config.channels, p, p])
        let patchBias = try reader.tensor(["\(patch).bias"], [d])
        let cls = try reader.tensor(["vit.embeddings.cls_token"], [1, 1, d])
        let position = try reader.tensor(
            ["vit.embeddings.position_embeddings"], [1, config.tokens, d],
            because: "image_size \(config.imageSize) and patch_size \(p) make \(config.tokens) tokens")
        var layers: [LayerWeights] = []
        for index in 0..<config.layers { layers.append(try layer(index, &reader, config)) }
        let norm = try reader.vector(["vit.layernorm"], d)
        return ViTWeights(
            patchWeight: patchWeight, patchBias: patchBias, prefix: cls, position: position, layers: layers,
            lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias)
    }

    private static func layer(
        _ index: Int, _ reader: inout TensorReader, _ config: ViTConfig
    ) throws(CheckpointError) -> LayerWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        /// A module's path as transformers saves it, and as its version 5 calls it in memory.
        func paths(_ saved: String, _ inMemory: String) -> [String] {
            ["vit.encoder.layer.\(index).\(saved)", "vit.layers.\(index).\(inMemory)"]
        }
        let ln1 = try reader.vector(paths("layernorm_before", "layernorm_before"), d)
        let ln2 = try reader.vector(paths("layernorm_after", "layernorm_after"), d)
        let qkv = try reader.linear(
            stacked: [
                paths("attention.attention.query", "attention.q_proj"),
                paths("attention.attention.key", "attention.k_proj"),
                paths("attention.attention.value", "attention.v_proj"),
            ], out: d, in: d, bias: config.qkvBias)
        let proj = try reader.linear(paths("attention.output.dense", "attention.o_proj"), out: d, in: d)
        let fc1 = try reader.linear(paths("intermediate.dense", "mlp.fc1"), out: m, in: d)
        let fc2 = try reader.linear(paths("output.dense", "mlp.fc2"), out: d, in: m)
        return LayerWeights(
            ln1Weight: ln1.weight, ln1Bias: ln1.bias, qkvWeight: qkv.weight, qkvBias: qkv.bias,
            projWeight: proj.weight, projBias: proj.bias, ln2Weight: ln2.weight, ln2Bias: ln2.bias,
            fc1Weight: fc1.weight, fc1Bias: fc1.bias, fc2Weight: fc2.weight, fc2Bias: fc2.bias)
    }
}
