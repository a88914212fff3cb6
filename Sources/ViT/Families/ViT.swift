extension Family {
    /// transformers' `ViTForImageClassification`: pre-norm, learned positions, a classifier on CLS.
    ///
    /// Absent (or null) keys of config.json have the defaults of transformers' `ViTConfig` (ViT-B/16 at 224 pixels, two
    /// labels). `id2label` must name the classes 0 to C-1, in any order. Tensors may have the names that transformers
    /// saves (`vit.encoder.layer.0.attention.attention.query.weight`) or those that its version 5 uses in memory
    /// (`vit.layers.0.attention.q_proj.weight`).
    static let vit = Family(
        name: Architecture.vit.family, modelType: "vit", model: "ViTForImageClassification", summary: "CLS",
        base: "vit.",
        config: { reader throws(CheckpointError) in try ViTFamily.config(reader, .vit, eps: 1e-12) },
        weights: { reader, config throws(CheckpointError) in try ViTFamily.weights(&reader, config, base: "vit") })
}

/// Common to ViT and the families that transformers derives from it.
enum ViTFamily {
    static func config(
        _ reader: ConfigReader, _ architecture: Architecture, eps: Float
    ) throws(CheckpointError) -> ViTConfig {
        ViTConfig(
            hiddenSize: try reader.int("hidden_size", default: 768),
            layers: try reader.int("num_hidden_layers", default: 12),
            heads: try reader.int("num_attention_heads", default: 12),
            intermediateSize: try reader.int("intermediate_size", default: 3072),
            imageSize: try reader.size("image_size", default: 224),
            patchSize: try reader.size("patch_size", default: 16),
            channels: try reader.int("num_channels", default: 3),
            activation: try reader.activation(),
            layerNormEps: try reader.epsilon("layer_norm_eps", default: eps),
            qkvBias: try reader.bool("qkv_bias", default: true), architecture: architecture,
            labels: try reader.labels())
    }

    static func weights(
        _ reader: inout TensorReader, _ config: ViTConfig, base: String
    ) throws(CheckpointError) -> ViTWeights {
        let head = try reader.head("classifier", config)
        return try weights(&reader, config, base: base, head: head, names: names(base))
    }

    /// The modules of layer i.
    static func names(_ base: String) -> (Int) -> LayerNames {
        { index in
            // Names saved by transformers, used in memory by its version 5, and saved by that version for ViTMSN
            func paths(_ saved: String, _ inMemory: String) -> [String] {
                [
                    "\(base).encoder.layer.\(index).\(saved)", "\(base).layers.\(index).\(inMemory)",
                    "encoder.layer.\(index).\(saved)",
                ]
            }
            return LayerNames(
                norm1: paths("layernorm_before", "layernorm_before"),
                norm2: paths("layernorm_after", "layernorm_after"),
                query: paths("attention.attention.query", "attention.q_proj"),
                key: paths("attention.attention.key", "attention.k_proj"),
                value: paths("attention.attention.value", "attention.v_proj"),
                output: paths("attention.output.dense", "attention.o_proj"),
                fc1: paths("intermediate.dense", "mlp.fc1"), fc2: paths("output.dense", "mlp.fc2"))
        }
    }

    /// - Parameters:
    ///   - prefix: the prefix tokens [prefix tokens, D]; nil for CLS alone
    ///   - position: [T, D]; nil to read it from the checkpoint
    ///   - names: the module names of layer i
    static func weights(
        _ reader: inout TensorReader, _ config: ViTConfig, base: String, head: (weight: Weight, bias: Weight),
        prefix: Weight? = nil, position: Weight? = nil, names: (Int) -> LayerNames
    ) throws(CheckpointError) -> ViTWeights {
        let (d, p) = (config.hiddenSize, config.patchSize)
        let patch = "\(base).embeddings.patch_embeddings.projection"
        let patchWeight = try reader.tensor(["\(patch).weight"], [d, config.channels, p.height, p.width])
        let patchBias = try reader.tensor(["\(patch).bias"], [d])
        var prefix = prefix, position = position
        if prefix == nil { prefix = try reader.tensor(["\(base).embeddings.cls_token"], [1, 1, d]) }
        if position == nil {
            position = try reader.positions(
                ["\(base).embeddings.position_embeddings"], prefix: config.prefixTokens, config)
        }
        var layers: [LayerWeights] = []
        for index in 0..<config.layers { layers.append(try reader.layer(names(index), config)) }
        let norm = try reader.vector(["\(base).layernorm"], d)
        return ViTWeights(
            patchWeight: patchWeight, patchBias: patchBias, prefix: prefix ?? .zeros(d),
            position: position ?? .zeros(config.tokens * d),
            layers: layers,
            lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias)
    }
}
