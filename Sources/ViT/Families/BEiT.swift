extension Family {
    /// transformers' `BeitForImageClassification`: a bias of attention scores by relative position (per layer, shared
    /// by all layers, or both), layer scale, keys without a bias, and a classifier on the normed mean of the patches,
    /// or on CLS.
    static let beit = Family(
        name: "BEiT", modelType: "beit", model: "BeitForImageClassification",
        summary: "the mean of the patches, or CLS; a bias by relative position", base: "beit.",
        config: { reader throws(CheckpointError) in
            let isMean = try reader.bool("use_mean_pooling", default: true)
            var architecture = Architecture(
                family: "BEiT", prefix: [.cls], readout: isMean ? .init([.mean(from: 1)], norm: .after) : .firstToken)
            for key in ["use_relative_position_bias", "use_shared_relative_position_bias"]
            where try reader.bool(key, default: false) { architecture.hasScoreBias = true }
            var config = try ViTFamily.config(reader, architecture, eps: 1e-12)
            if architecture.hasScoreBias, config.imageSize.isSquare != true || config.patchSize.isSquare != true {
                throw .config(
                    file: reader.file,
                    reason:
                        "image_size is \(config.imageSize) and patch_size \(config.patchSize); vitpatch reads BEiT's bias by "
                        + "relative position for squares")
            }
            config.qkvBias = true
            return config
        },
        weights: BEiT.weights)
}

private enum BEiT {
    static func weights(_ reader: inout TensorReader, _ config: ViTConfig) throws(CheckpointError) -> ViTWeights {
        let (d, p) = (config.hiddenSize, config.patchSize), base = "beit", embeddings = "\(base).embeddings"
        let head = try reader.head("classifier", config)
        let patch = "\(embeddings).patch_embeddings.projection"
        let patchWeight = try reader.tensor(["\(patch).weight"], [d, config.channels, p.height, p.width])
        let patchBias = try reader.tensor(["\(patch).bias"], [d])
        let prefix = try reader.tensor(["\(embeddings).cls_token"], [1, 1, d])
        let positions = "\(embeddings).position_embeddings"
        let position =
            reader.has(positions)
            ? try reader.positions([positions], prefix: 1, config)
            : .zeros(config.tokens * d)
        let shared = try table(
            ["\(base).encoder.relative_position_bias", "\(base).shared_position_bias"], &reader, config)
        var layers: [LayerWeights] = []
        for index in 0..<config.layers { layers.append(try layer(index, shared: shared, &reader, config)) }
        let norm = try reader.vector(
            [config.architecture.readout.norm == .after ? "\(base).pooler.layernorm" : "\(base).layernorm"], d)
        return ViTWeights(
            patchWeight: patchWeight, patchBias: patchBias, prefix: prefix, position: position, layers: layers,
            lnWeight: norm.weight, lnBias: norm.bias, headWeight: head.weight, headBias: head.bias)
    }

    private static func layer(
        _ index: Int, shared: Weight?, _ reader: inout TensorReader, _ config: ViTConfig
    ) throws(CheckpointError) -> LayerWeights {
        let d = config.hiddenSize
        var names = ViTFamily.names("beit")(index)
        func paths(_ saved: String, _ inMemory: String? = nil) -> [String] {
            ["beit.encoder.layer.\(index).\(saved)", "beit.layers.\(index).\(inMemory ?? saved)"]
        }
        if reader.has(paths("lambda_1")) { (names.scale1, names.scale2) = (paths("lambda_1"), paths("lambda_2")) }
        var unbiased = config
        unbiased.qkvBias = false
        var layer = try reader.layer(names, unbiased)
        let q = try reader.tensor(names.query.map { "\($0).bias" }, [d])
        let v = try reader.tensor(names.value.map { "\($0).bias" }, [d])
        layer.qkvBias = Weight(count: 3 * d) { q.floats + [Float](repeating: 0, count: d) + v.floats }
        let own = try table(
            paths("attention.attention.relative_position_bias", "relative_position_bias"), &reader, config)
        let tables = [shared, own].compactMap { $0 }
        guard tables.isEmpty != config.architecture.hasScoreBias else {
            throw reader.missing(
                "\(paths("attention.attention.relative_position_bias")[0]).relative_position_bias_table",
                config.architecture.hasScoreBias
                    ? "missing, though config.json enables it"
                    : "present, though config.json sets neither use_relative_position_bias nor use_shared_relative_position_bias"
            )
        }
        if !tables.isEmpty { layer.scoreBias = scoreBias(tables, config) }
        return layer
    }

    /// The table of biases by relative position and head: [(2 rows - 1) (2 columns - 1) + 3, H]. nil where there is
    /// none.
    private static func table(
        _ modules: [String], _ reader: inout TensorReader, _ config: ViTConfig
    ) throws(CheckpointError) -> Weight? {
        let names = modules.map { "\($0).relative_position_bias_table" }
        guard reader.has(names) else { return nil }
        let grid = config.grid
        return try reader.tensor(
            names, [(2 * grid.rows - 1) * (2 * grid.columns - 1) + 3, config.heads],
            because: "image_size \(config.imageSize) and patch_size \(config.patchSize)")
    }

    /// The sum of the tables, by query and key [H, T, T]. Their last three rows are CLS to a patch, a patch to CLS, CLS
    /// to CLS.
    private static func scoreBias(_ tables: [Weight], _ config: ViTConfig) -> Weight {
        let (t, heads, grid) = (config.tokens, config.heads, config.grid), across = 2 * grid.columns - 1
        let positions = (2 * grid.rows - 1) * across
        return Weight(count: heads * t * t) {
            var sum = tables[0].floats
            for table in tables.dropFirst() {
                for (i, value) in table.floats.enumerated() { sum[i] += value }
            }
            func row(_ query: Int, _ key: Int) -> Int {
                if query == 0 || key == 0 { return positions + (query > 0 ? 1 : key > 0 ? 0 : 2) }
                let (i, j) = (query - 1, key - 1)
                let (down, right) = (i / grid.columns - j / grid.columns, i % grid.columns - j % grid.columns)
                return (down + grid.rows - 1) * across + right + grid.columns - 1
            }
            var bias = [Float](repeating: 0, count: heads * t * t)
            for query in 0..<t {
                for key in 0..<t {
                    let first = row(query, key) * heads
                    for head in 0..<heads { bias[(head * t + query) * t + key] = sum[first + head] }
                }
            }
            return bias
        }
    }
}
