extension Family {
    /// transformers' `CLIPForImageClassification`: the vision model of a CLIP, a norm in front of its layers, and a
    /// classifier on the mean of the patches, which no norm precedes.
    static let clip = Family(
        name: "CLIP", modelType: "clip", model: "CLIPForImageClassification",
        summary: "the mean of the patches, without a norm; a norm before the layers", base: "vision_model.",
        config: { reader throws(CheckpointError) in
            try VisionModel.config(
                reader, patchSize: 32, activation: .quickGelu, eps: 1e-5,
                architecture: Architecture(
                    family: "CLIP", prefix: [.cls], readout: .init([.mean(from: 1)], norm: .none), hasPreNorm: true))
        },
        weights: { reader, config throws(CheckpointError) in
            let (d, p) = (config.hiddenSize, config.patchSize), base = "vision_model"
            let head = try reader.head("classifier", config)
            // CLIP spells it so.
            let preNorm = try reader.vector(["\(base).pre_layrnorm"], d)
            return ViTWeights(
                patchWeight: try reader.tensor(
                    ["\(base).embeddings.patch_embedding.weight"], [d, config.channels, p, p]),
                patchBias: .zeros(d), prefix: try reader.tensor(["\(base).embeddings.class_embedding"], [d]),
                position: try VisionModel.position(&reader, config), layers: try VisionModel.layers(&reader, config),
                lnWeight: .ones(d), lnBias: .zeros(d), headWeight: head.weight, headBias: head.bias,
                preNorm: preNorm)
        })

    /// transformers' `SiglipForImageClassification`: the vision model of a SigLIP, no prefix tokens, and a classifier on
    /// the mean of the normed patches.
    static let siglip = Family(
        name: "SigLIP", modelType: "siglip", model: "SiglipForImageClassification", summary: "the mean of the patches",
        base: "vision_model.",
        config: { reader throws(CheckpointError) in
            try VisionModel.config(
                reader, patchSize: 16, activation: .geluNew, eps: 1e-6,
                architecture: Architecture(family: "SigLIP", prefix: [], readout: .init([.mean(from: 0)])))
        },
        weights: { reader, config throws(CheckpointError) in
            let (d, p) = (config.hiddenSize, config.patchSize), patch = "vision_model.embeddings.patch_embedding"
            let head = try reader.head("classifier", config)
            let norm = try reader.vector(["vision_model.post_layernorm"], d)
            return ViTWeights(
                patchWeight: try reader.tensor(["\(patch).weight"], [d, config.channels, p, p]),
                patchBias: try reader.tensor(["\(patch).bias"], [d]), prefix: Weight([Float]()),
                position: try VisionModel.position(&reader, config), layers: try VisionModel.layers(&reader, config),
                lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias)
        })
}

/// What the vision models of CLIP and SigLIP share.
private enum VisionModel {
    static func config(
        _ reader: ConfigReader, patchSize: Int, activation: ViTConfig.Activation, eps: Float,
        architecture: Architecture
    ) throws(CheckpointError) -> ViTConfig {
        let vision = try reader.object("vision_config")
        return ViTConfig(
            hiddenSize: try vision.int("hidden_size", default: 768),
            layers: try vision.int("num_hidden_layers", default: 12),
            heads: try vision.int("num_attention_heads", default: 12),
            intermediateSize: try vision.int("intermediate_size", default: 3072),
            imageSize: try vision.side("image_size", default: 224),
            patchSize: try vision.side("patch_size", default: patchSize),
            channels: try vision.int("num_channels", default: 3),
            activation: try vision.activation(default: activation),
            layerNormEps: try vision.epsilon("layer_norm_eps", default: eps), architecture: architecture,
            labels: try reader.labels())
    }

    static func position(_ reader: inout TensorReader, _ config: ViTConfig) throws(CheckpointError) -> Weight {
        try reader.tensor(
            ["vision_model.embeddings.position_embedding.weight"], [config.tokens, config.hiddenSize],
            because: config.tokensText)
    }

    static func layers(_ reader: inout TensorReader, _ config: ViTConfig) throws(CheckpointError) -> [LayerWeights] {
        var layers: [LayerWeights] = []
        for index in 0..<config.layers {
            func path(_ module: String) -> [String] { ["vision_model.encoder.layers.\(index).\(module)"] }
            layers.append(
                try reader.layer(
                    LayerNames(
                        norm1: path("layer_norm1"), norm2: path("layer_norm2"), query: path("self_attn.q_proj"),
                        key: path("self_attn.k_proj"), value: path("self_attn.v_proj"),
                        output: path("self_attn.out_proj"), fc1: path("mlp.fc1"), fc2: path("mlp.fc2")), config))
        }
        return layers
    }
}
