extension Family {
    /// transformers' `Dinov2ForImageClassification`: layer scale, and a classifier on CLS and the mean of the patches.
    static let dinov2 = Family(
        name: "DINOv2", modelType: "dinov2", model: "Dinov2ForImageClassification",
        summary: "CLS and the mean of the patches", base: "dinov2.",
        config: { reader throws(CheckpointError) in try DINOv2.config(reader, "DINOv2", registers: 0) },
        weights: { reader, config throws(CheckpointError) in try DINOv2.weights(&reader, config, base: "dinov2") })

    /// transformers' `Dinov2WithRegistersForImageClassification`: DINOv2 with register tokens, which have no positions.
    static let dinov2WithRegisters = Family(
        name: "DINOv2 with registers", modelType: "dinov2_with_registers",
        model: "Dinov2WithRegistersForImageClassification",
        summary: "CLS and the mean of the patches", base: "dinov2_with_registers.",
        config: { reader throws(CheckpointError) in
            let registers = try reader.int("num_register_tokens", default: 4)
            guard 1...1024 ~= registers else {
                throw .config(
                    file: reader.file, reason: "num_register_tokens is \(registers), expected 1 to 1024")
            }
            return try DINOv2.config(reader, "DINOv2 with registers", registers: registers)
        },
        weights: { reader, config throws(CheckpointError) in
            try DINOv2.weights(&reader, config, base: "dinov2_with_registers")
        })
}

private enum DINOv2 {
    static func config(
        _ reader: ConfigReader, _ family: String, registers: Int
    ) throws(CheckpointError) -> ViTConfig {
        let width = try reader.int("hidden_size", default: 768)
        let ratio = try reader.number("mlp_ratio", default: 4)
        guard 1...(1 << 16) ~= width, ratio > 0, ratio <= 64 else {
            throw .config(
                file: reader.file,
                reason: "hidden_size is \(width) and mlp_ratio \(ratio), expected at most 65536 and 64")
        }
        let first = 1 + registers
        var architecture = Architecture(
            family: family, prefix: [.cls] + [Architecture.PrefixToken](repeating: .register, count: registers),
            readout: .init([.token(0), .mean(from: first)]))
        architecture.hasGatedMLP = try reader.bool("use_swiglu_ffn", default: false)
        // A gated MLP has two thirds of this size, rounded up to a multiple of 8, and silu whatever hidden_act is.
        let hidden = Int(Double(width) * ratio), gated = (Int(Double(hidden * 2) / 3) + 7) / 8 * 8
        return ViTConfig(
            hiddenSize: width, layers: try reader.int("num_hidden_layers", default: 12),
            heads: try reader.int("num_attention_heads", default: 12),
            intermediateSize: architecture.hasGatedMLP ? gated : hidden,
            imageSize: try reader.size("image_size", default: 224),
            patchSize: try reader.size("patch_size", default: registers == 0 ? 14 : 16),
            channels: try reader.int("num_channels", default: 3),
            activation: architecture.hasGatedMLP ? .silu : try reader.activation(),
            layerNormEps: try reader.epsilon("layer_norm_eps", default: 1e-6),
            qkvBias: try reader.bool("qkv_bias", default: true),
            architecture: architecture,
            labels: try reader.labels())
    }

    static func weights(
        _ reader: inout TensorReader, _ config: ViTConfig, base: String
    ) throws(CheckpointError) -> ViTWeights {
        let d = config.hiddenSize, registers = config.prefixTokens - 1, embeddings = "\(base).embeddings"
        let head = try reader.head("classifier", config)
        let cls = try reader.stored(["\(embeddings).cls_token"], [1, 1, d])
        var prefix = Weight([cls])
        // With registers, transformers interpolates with antialiasing.
        var position = try reader.positions(
            ["\(embeddings).position_embeddings"], prefix: 1, antialias: registers > 0, config)
        if registers > 0 {
            let tokens = try reader.stored(["\(embeddings).register_tokens"], [1, registers, d])
            prefix = Weight([cls, tokens])
            // The position of CLS, zeros for the registers, the positions of the patches
            let own = position
            position = Weight(count: own.count + registers * d) {
                let values = own.floats
                return Array(values[..<d] + [Float](repeating: 0, count: registers * d) + values[d...])
            }
        }
        let isGated = config.architecture.hasGatedMLP
        return try ViTFamily.weights(
            &reader, config, base: base, head: head, prefix: prefix, position: position
        ) { index in
            func paths(_ saved: String, _ inMemory: String? = nil) -> [String] {
                ["\(base).encoder.layer.\(index).\(saved)"]
                    + (inMemory.map { ["\(base).encoder.layer.\(index).\($0)"] } ?? [])
            }
            return LayerNames(
                norm1: paths("norm1"), norm2: paths("norm2"),
                query: paths("attention.attention.query", "attention.q_proj"),
                key: paths("attention.attention.key", "attention.k_proj"),
                value: paths("attention.attention.value", "attention.v_proj"),
                output: paths("attention.output.dense", "attention.o_proj"),
                fc1: paths(isGated ? "mlp.weights_in" : "mlp.fc1"),
                fc2: isGated ? paths("mlp.weights_out", "mlp.down_proj") : paths("mlp.fc2"),
                scale1: paths("layer_scale1.lambda1"), scale2: paths("layer_scale2.lambda1"),
                gate: paths("mlp.gate_proj"), up: paths("mlp.up_proj"))
        }
    }
}
