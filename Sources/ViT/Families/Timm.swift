import Formats

extension Family {
    /// timm's `VisionTransformer`, with the config.json of its models on the hub (architecture, model_args,
    /// pretrained_cfg).
    ///
    /// Sizes, norms, prefix tokens and layer scale are read from the tensors. Heads, activation and pooling cannot be,
    /// so they come from model_args or from the architecture's name.
    static let timm = Family(
        name: "timm ViT", modelType: "timm", model: "VisionTransformer",
        summary: "CLS, or the mean of the patches; layer scale, norm before the layers, registers",
        base: "", config: Timm.config, weights: Timm.weights)
}

private enum Timm {
    /// Width and heads by the part of an architecture's name that gives its size
    static let sizes = [
        "tiny": (192, 3), "small": (384, 6), "medium": (512, 8), "base": (768, 12), "large": (1024, 16),
        "huge": (1280, 16), "so400m": (1152, 16), "giant": (1408, 16), "giantopt": (1536, 16), "gigantic": (1664, 16),
    ]

    /// Arguments of timm's constructor that are read here or have no effect in inference
    static let arguments: Set = [
        "img_size", "patch_size", "in_chans", "num_classes", "global_pool", "embed_dim", "depth", "num_heads",
        "mlp_ratio", "qkv_bias", "qk_norm", "init_values", "class_token", "no_embed_class", "reg_tokens", "pre_norm",
        "fc_norm",
        "act_layer", "dynamic_img_size", "drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate",
        "attn_drop_rate", "drop_path_rate", "weight_init", "fix_init",
    ]

    static func config(_ reader: ConfigReader) throws(CheckpointError) -> ViTConfig {
        func fault(_ reason: String) -> CheckpointError { .config(file: reader.file, reason: reason) }
        guard let name = try reader.string("architecture") else {
            throw fault("architecture is missing; timm's config.json names one")
        }
        let arguments = try reader.object("model_args"), pretrained = try reader.object("pretrained_cfg")
        // Other classes of timm have such names too; for them, a tensor is missing or left over.
        let parts = name.split(separator: "_").map(String.init)
        guard ["vit", "deit", "deit3"].contains(parts.first),
            !parts.contains(where: ["rpn", "rope", "relpos", "r26", "r50"].contains)
        else {
            throw fault(
                "architecture is \(printable(name)), which is not a supported timm VisionTransformer")
        }
        if let other = arguments.keys.sorted().first(where: { !Self.arguments.contains($0) }) {
            throw fault("model_args has \(printable(other)), which is not supported")
        }
        func shape(_ tensor: String, _ rank: Int) throws(CheckpointError) -> [Int] {
            guard let shape = reader.shape(tensor), shape.count == rank else {
                throw fault(
                    "architecture is \(printable(name)), but the weights have no tensor \(tensor) of \(rank) dimensions"
                )
            }
            return shape
        }
        for tensor in ["mlp.norm.weight", "attn.norm.weight", "attn.gate.weight"].map({ "blocks.0.\($0)" })
        where reader.shape(tensor) != nil { throw fault("the weights have \(tensor), which is not supported") }
        let patch = try shape("patch_embed.proj.weight", 4)
        var layers = 0
        while reader.shape("blocks.\(layers).norm1.weight") != nil { layers += 1 }

        let size = parts.dropFirst().first.flatMap { sizes[$0] }
        var heads = try arguments.int("num_heads", default: 0)
        if arguments.value("num_heads") == nil, let size, size.0 == patch[0] || isDINOv2Giant(parts, width: patch[0]) {
            heads = name == "vit_base_patch16_gap_224" ? 16 : isDINOv2Giant(parts, width: patch[0]) ? 24 : size.1
        }
        guard heads > 0 else {
            throw fault("the heads of \(printable(name)) are unknown; give num_heads in model_args")
        }

        let hasCLS = reader.shape("cls_token") != nil
        let registers = reader.shape("reg_token") == nil ? 0 : try shape("reg_token", 3)[1]
        guard 0...1024 ~= registers else { throw fault("reg_token has \(registers) tokens, expected at most 1024") }
        let isDistilled = reader.shape("dist_token") != nil
        let prefix =
            (hasCLS ? [.cls] : []) + (isDistilled ? [.distillation] : [])
            + [Architecture.PrefixToken](repeating: .register, count: registers)
        var pooling = "token"
        for place in [reader, arguments] { pooling = try place.string("global_pool") ?? pooling }
        let read: [Architecture.Readout.Part]
        switch pooling {
        case "token" where hasCLS: read = isDistilled ? [.token(0), .token(1)] : [.token(0)]
        case "avg" where !isDistilled: read = [.mean(from: prefix.count)]
        case "map" where reader.shape("attn_pool.latent")?.count == 3: read = [.attention]
        default:
            throw fault(
                "global_pool is \(printable(pooling)), expected avg, token in a model with cls_token, or map in one with attn_pool"
            )
        }
        let norm: Architecture.Readout.Norm =
            reader.shape("fc_norm.weight") != nil ? .after : reader.shape("norm.weight") != nil ? .before : .none
        guard read != [.attention] || norm == .before else {
            throw fault("global_pool is map, but there is no norm before it")
        }
        let hasPreNorm = reader.shape("norm_pre.weight") != nil
        var architecture = Architecture(
            family: "timm ViT", prefix: prefix, readout: .init(read, norm: norm), hasPreNorm: hasPreNorm)
        architecture.hasQKNorm = reader.shape("blocks.0.attn.q_norm.weight") != nil
        // The hidden size is the input width of the last map; a gated MLP's first map has twice as many outputs.
        let hidden = try shape("blocks.0.mlp.fc2.weight", 2)[1]
        architecture.hasGatedMLP =
            reader.shape("blocks.0.mlp.fc1_g.weight") != nil
            || reader.shape("blocks.0.mlp.fc1.weight")?.first == 2 * hidden
        return ViTConfig(
            hiddenSize: patch[0], layers: layers, heads: heads,
            intermediateSize: hidden,
            imageSize: try imageSize(arguments, pretrained), patchSize: PixelSize(height: patch[2], width: patch[3]),
            channels: patch[1],
            activation: try activation(arguments, parts, isGated: architecture.hasGatedMLP),
            // timm's models with a norm before the layers are CLIPs.
            layerNormEps: hasPreNorm && parts.contains("clip") ? 1e-5 : 1e-6,
            qkvBias: reader.shape("blocks.0.attn.qkv.bias") != nil,
            architecture: architecture, labels: try labels(reader, pretrained))
    }

    /// vit_giant_patch14_dinov2 is wider than the other architectures called giant.
    private static func isDINOv2Giant(_ parts: [String], width: Int) -> Bool {
        parts.contains("giant") && width == 1536
    }

    private static func imageSize(_ arguments: ConfigReader, _ pretrained: ConfigReader) throws(CheckpointError)
        -> PixelSize
    {
        if arguments.value("img_size") != nil { return try arguments.size("img_size", default: 224) }
        guard let value = pretrained.value("input_size") else { return 224 }
        guard let size = value.ints, size.count == 3 else {
            throw pretrained.wrong("input_size", value, expected: "[channels, height, width]")
        }
        return PixelSize(height: size[1], width: size[2])
    }

    private static func activation(
        _ arguments: ConfigReader, _ parts: [String], isGated: Bool
    ) throws(CheckpointError) -> ViTConfig.Activation {
        guard let name = try arguments.string("act_layer") else {
            if isGated { return .silu }
            // SigLIP architectures that were added with SigLIP 2 use the tanh approximation.
            let isSecond =
                parts.contains("giantopt") || parts.starts(with: ["vit", "so400m", "patch16"])
                || parts.starts(with: ["vit", "base", "patch32"])
                || parts.starts(with: ["vit", "large"]) && parts.last == "512"
            if parts.contains("siglip"), isSecond { return .geluNew }
            return parts.contains("quickgelu") ? .quickGelu : .gelu
        }
        let known: KeyValuePairs<String, ViTConfig.Activation> = [
            "gelu": .gelu, "gelu_tanh": .geluNew, "quick_gelu": .quickGelu, "quickgelu": .quickGelu, "relu": .relu,
            "silu": .silu, "swish": .silu, "mish": .mish,
        ]
        guard let found = known.first(where: { $0.key == name }) else {
            throw .config(
                file: arguments.file,
                reason: "act_layer is \(printable(name)), expected one of \(known.map(\.key).joined(separator: ", "))")
        }
        return found.value
    }

    /// label_names where the file has them, otherwise transformers' placeholder names
    private static func labels(_ reader: ConfigReader, _ pretrained: ConfigReader) throws(CheckpointError) -> [String] {
        for place in [reader, pretrained] {
            guard let value = place.value("label_names") else { continue }
            guard let names = value.array, !names.isEmpty else {
                throw place.wrong("label_names", value, expected: "a list of names")
            }
            var labels: [String] = []
            for name in names {
                guard let text = name.string else {
                    throw place.wrong("label_names", value, expected: "a list of names")
                }
                labels.append(text)
            }
            return labels
        }
        guard let head = reader.shape("head.weight"), head.count == 2, 1...maxClasses ~= head[0] else {
            throw .config(
                file: reader.file, reason: "the weights have no head.weight, or not one of 1 to \(maxClasses) classes")
        }
        return (0..<head[0]).map { "LABEL_\($0)" }
    }

    static func weights(_ reader: inout TensorReader, _ config: ViTConfig) throws(CheckpointError) -> ViTWeights {
        let (d, p, architecture) = (config.hiddenSize, config.patchSize, config.architecture)
        let isDistilled = architecture.prefix.contains(.distillation)
        let head = isDistilled ? try meanHead("head", "head_dist", &reader, config) : try reader.head("head", config)
        let patchWeight = try reader.tensor(["patch_embed.proj.weight"], [d, config.channels, p.height, p.width])
        let patchBias =
            reader.has("patch_embed.proj.bias") ? try reader.tensor(["patch_embed.proj.bias"], [d]) : .zeros(d)
        var prefix: [StoredTensor] = []
        if architecture.prefix.contains(.cls) { prefix.append(try reader.stored(["cls_token"], [1, 1, d])) }
        if isDistilled { prefix.append(try reader.stored(["dist_token"], [1, 1, d])) }
        let registers = architecture.prefix.count { $0 == .register }
        if registers > 0 { prefix.append(try reader.stored(["reg_token"], [1, registers, d])) }
        let preNorm = architecture.hasPreNorm ? try reader.vector(["norm_pre"], d) : nil
        var layers: [LayerWeights] = []
        for index in 0..<config.layers { layers.append(try layer(index, &reader, config)) }
        let norm =
            switch architecture.readout.norm {
            case .before: try reader.vector(["norm"], d)
            case .after: try reader.vector(["fc_norm"], d)
            case .none: (weight: Weight.ones(d), bias: Weight.zeros(d))
            }
        var weights = ViTWeights(
            patchWeight: patchWeight, patchBias: patchBias,
            prefix: prefix.isEmpty ? Weight([Float]()) : Weight(prefix), position: try position(&reader, config),
            layers: layers, lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias,
            preNorm: preNorm)
        if architecture.readout.parts == [.attention] { weights.pooling = try pooling(&reader, config) }
        return weights
    }

    /// timm's `AttentionPoolLatent` with one query
    private static func pooling(
        _ reader: inout TensorReader, _ config: ViTConfig
    ) throws(CheckpointError) -> PoolingWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize), pool = "attn_pool"
        for tensor in ["pos_embed", "q_norm.weight", "k_norm.weight"] where reader.has("\(pool).\(tensor)") {
            throw reader.missing("\(pool).\(tensor)", "present, but not supported")
        }
        let latent = try reader.tensor(["\(pool).latent"], [1, 1, d])
        let query = try reader.linear("\(pool).q", out: d, in: d),
            kv = try reader.linear("\(pool).kv", out: 2 * d, in: d)
        let proj = try reader.linear("\(pool).proj", out: d, in: d)
        let fc1 = try reader.linear("\(pool).mlp.fc1", out: m, in: d),
            fc2 = try reader.linear("\(pool).mlp.fc2", out: d, in: m)
        return PoolingWeights(
            query: .projected(latent, by: query.weight, bias: query.bias, width: d), kvWeight: kv.weight,
            kvBias: kv.bias, projWeight: proj.weight, projBias: proj.bias, norm: try reader.vector(["\(pool).norm"], d),
            fc1Weight: fc1.weight, fc1Bias: fc1.bias, fc2Weight: fc2.weight, fc2Bias: fc2.bias)
    }

    /// Positions of all tokens, or (no_embed_class) of the patches only.
    private static func position(_ reader: inout TensorReader, _ config: ViTConfig) throws(CheckpointError) -> Weight {
        let d = config.hiddenSize, prefix = config.prefixTokens
        guard reader.has("pos_embed") else { return .zeros(config.tokens * d) }
        let shape = reader.source.shape(of: "pos_embed") ?? [], patches = config.trainedGrid.count
        let own = prefix > 0 && shape == [1, patches, d] ? 0 : prefix
        let position = try reader.positions(["pos_embed"], prefix: own, antialias: true, config)
        if own == prefix { return position }
        return Weight(count: config.tokens * d) { [Float](repeating: 0, count: prefix * d) + position.floats }
    }

    private static func layer(
        _ index: Int, _ reader: inout TensorReader, _ config: ViTConfig
    ) throws(CheckpointError) -> LayerWeights {
        func path(_ module: String) -> String { "blocks.\(index).\(module)" }
        func scale(_ module: String) -> [String]? {
            reader.has(path("\(module).gamma")) ? [path("\(module).gamma")] : nil
        }
        var names = LayerNames(
            norm1: [path("norm1")], norm2: [path("norm2")], query: [], key: [], value: [], output: [path("attn.proj")],
            fc1: [path("mlp.fc1")], fc2: [path("mlp.fc2")], scale1: scale("ls1"), scale2: scale("ls2"),
            gate: [path("mlp.fc1_g")], up: [path("mlp.fc1_x")])
        names.joint = [path("attn.qkv")]
        if config.architecture.hasQKNorm { (names.qNorm, names.kNorm) = ([path("attn.q_norm")], [path("attn.k_norm")]) }
        return try reader.layer(names, config)
    }
}
