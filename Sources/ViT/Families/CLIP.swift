import Formats

extension Family {
    /// transformers' `CLIPForImageClassification`: CLIP's vision model, with a norm before its layers, and a classifier
    /// on the mean of the patches, without a norm.
    static let clip = Family(
        name: "CLIP", modelType: "clip", model: "CLIPForImageClassification",
        summary: "the mean of the patches, without a norm; a norm before the layers", base: "vision_model.",
        takesTexts: true,
        config: { reader throws(CheckpointError) in
            var readout = Architecture.Readout([.mean(from: 1)], norm: .none)
            if reader.classes != nil {
                guard let shape = reader.shape("visual_projection.weight"), shape.count == 2 else {
                    throw .config(
                        file: reader.file,
                        reason:
                            "the weights have no visual_projection.weight; classes by texts (--classes) are for a CLIPModel"
                    )
                }
                readout = .init([.token(0)], embedding: .init(width: shape[0], isProjected: true))
            }
            return try VisionModel.config(
                reader, patchSize: 32, activation: .quickGelu, eps: 1e-5,
                architecture: Architecture(family: "CLIP", prefix: [.cls], readout: readout, hasPreNorm: true))
        },
        weights: { reader, config throws(CheckpointError) in
            let (d, p) = (config.hiddenSize, config.patchSize), base = "vision_model"
            let readout = config.architecture.readout, head = try VisionModel.head(&reader, config)
            // The name in CLIP's checkpoints, spelled like this.
            let preNorm = try reader.vector(["\(base).pre_layrnorm"], d)
            var norm = (weight: Weight.ones(d), bias: Weight.zeros(d)), projection: Weight?
            if let embedding = readout.embedding {
                norm = try reader.vector(["\(base).post_layernorm"], d)
                projection = try reader.tensor(["visual_projection.weight"], [embedding.width, d])
            }
            var weights = ViTWeights(
                patchWeight: try reader.tensor(
                    ["\(base).embeddings.patch_embedding.weight"], [d, config.channels, p.height, p.width]),
                patchBias: .zeros(d), prefix: try reader.tensor(["\(base).embeddings.class_embedding"], [d]),
                position: try VisionModel.position(&reader, config), layers: try VisionModel.layers(&reader, config),
                lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias,
                preNorm: preNorm)
            weights.projection = projection
            return weights
        })

    /// transformers' `SiglipForImageClassification`: SigLIP's vision model, without prefix tokens, and a classifier on
    /// the mean of the normed patches.
    static let siglip = Family(
        name: "SigLIP", modelType: "siglip", model: "SiglipForImageClassification", summary: "the mean of the patches",
        base: "vision_model.", takesTexts: true,
        config: { reader throws(CheckpointError) in
            var config = try VisionModel.config(
                reader, patchSize: 16, activation: .geluNew, eps: 1e-6,
                architecture: Architecture(family: "SigLIP", prefix: [], readout: .init([.mean(from: 0)])))
            if reader.classes != nil {
                config.architecture.readout = .init(
                    [.attention], embedding: .init(width: config.hiddenSize, isProjected: false))
            }
            return config
        },
        weights: { reader, config throws(CheckpointError) in
            let (d, p) = (config.hiddenSize, config.patchSize), patch = "vision_model.embeddings.patch_embedding"
            let head = try VisionModel.head(&reader, config)
            let norm = try reader.vector(["vision_model.post_layernorm"], d)
            var weights = ViTWeights(
                patchWeight: try reader.tensor(["\(patch).weight"], [d, config.channels, p.height, p.width]),
                patchBias: try reader.tensor(["\(patch).bias"], [d]), prefix: Weight([Float]()),
                position: try VisionModel.position(&reader, config), layers: try VisionModel.layers(&reader, config),
                lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias)
            if config.architecture.readout.parts == [.attention] {
                weights.pooling = try VisionModel.pooling(&reader, config)
            }
            return weights
        })
}

/// Common to the vision models of CLIP and SigLIP.
private enum VisionModel {
    static func config(
        _ reader: ConfigReader, patchSize: PixelSize, activation: ViTConfig.Activation, eps: Float,
        architecture: Architecture
    ) throws(CheckpointError) -> ViTConfig {
        let vision = try reader.object("vision_config")
        return ViTConfig(
            hiddenSize: try vision.int("hidden_size", default: 768),
            layers: try vision.int("num_hidden_layers", default: 12),
            heads: try vision.int("num_attention_heads", default: 12),
            intermediateSize: try vision.int("intermediate_size", default: 3072),
            imageSize: try vision.size("image_size", default: 224),
            patchSize: try vision.size("patch_size", default: patchSize),
            channels: try vision.int("num_channels", default: 3),
            activation: try vision.activation(default: activation),
            layerNormEps: try vision.epsilon("layer_norm_eps", default: eps), architecture: architecture,
            labels: try labels(reader))
    }

    private static func labels(_ reader: ConfigReader) throws(CheckpointError) -> [String] {
        if let classes = reader.classes { return classes.names }
        return try reader.labels()
    }

    /// The classifier, or the text embeddings in its place
    static func head(
        _ reader: inout TensorReader, _ config: ViTConfig
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        guard let classes = reader.classes else { return try reader.head("classifier", config) }
        try classes.check(width: config.headWidth)
        return classes.head
    }

    /// SigLIP's `SiglipMultiheadAttentionPoolingHead`
    static func pooling(
        _ reader: inout TensorReader, _ config: ViTConfig
    ) throws(CheckpointError) -> PoolingWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize), head = "vision_model.head"
        guard reader.has("\(head).probe") else {
            throw reader.missing(
                "\(head).probe", "missing: classes by texts (--classes) are for a SiglipModel with its pooling head")
        }
        let probe = try reader.tensor(["\(head).probe"], [1, 1, d])
        let weight = try reader.tensor(["\(head).attention.in_proj_weight"], [3 * d, d])
        let bias = try reader.tensor(["\(head).attention.in_proj_bias"], [3 * d])
        let proj = try reader.linear("\(head).attention.out_proj", out: d, in: d)
        let fc1 = try reader.linear("\(head).mlp.fc1", out: m, in: d)
        let fc2 = try reader.linear("\(head).mlp.fc2", out: d, in: m)
        return PoolingWeights(
            query: .projected(probe, by: weight, bias: bias, width: d),
            kvWeight: Weight(count: 2 * d * d) { Array(weight.floats[(d * d)...]) },
            kvBias: Weight(count: 2 * d) { Array(bias.floats[d...]) }, projWeight: proj.weight, projBias: proj.bias,
            norm: try reader.vector(["\(head).layernorm"], d), fc1Weight: fc1.weight, fc1Bias: fc1.bias,
            fc2Weight: fc2.weight, fc2Bias: fc2.bias)
    }

    static func position(_ reader: inout TensorReader, _ config: ViTConfig) throws(CheckpointError) -> Weight {
        try reader.positions(
            ["vision_model.embeddings.position_embedding.weight"], prefix: config.prefixTokens, isBatched: false, config
        )
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
