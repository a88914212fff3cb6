/// What a family calls the modules of a layer: paths, several where a module has had several names.
struct LayerNames {
    var norm1: [String], norm2: [String]
    var query: [String], key: [String], value: [String], output: [String]
    var fc1: [String], fc2: [String]
    /// Vectors [D] that attention's and the MLP's outputs are multiplied by, in families that have them
    var scale1: [String]?, scale2: [String]?
}

extension TensorReader {
    /// A layer's weights. Its scales become part of the maps in front of them, so that attn_out and mlp_out are what is added
    /// to the stream.
    mutating func layer(_ names: LayerNames, _ config: ViTConfig) throws(CheckpointError) -> LayerWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        let ln1 = try vector(names.norm1, d), ln2 = try vector(names.norm2, d)
        let qkv = try linear(stacked: [names.query, names.key, names.value], out: d, in: d, bias: config.qkvBias)
        let proj = try scaled(try linear(names.output, out: d, in: d), by: names.scale1, d)
        let fc1 = try linear(names.fc1, out: m, in: d)
        let fc2 = try scaled(try linear(names.fc2, out: d, in: m), by: names.scale2, d)
        return LayerWeights(
            ln1Weight: ln1.weight, ln1Bias: ln1.bias, qkvWeight: qkv.weight, qkvBias: qkv.bias,
            projWeight: proj.weight, projBias: proj.bias, ln2Weight: ln2.weight, ln2Bias: ln2.bias,
            fc1Weight: fc1.weight, fc1Bias: fc1.bias, fc2Weight: fc2.weight, fc2Bias: fc2.bias)
    }

    /// A map whose outputs are multiplied by a vector.
    mutating func scaled(
        _ map: (weight: Weight, bias: Weight), by names: [String]?, _ width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        guard let names else { return map }
        let factors = try tensor(names, [width])
        return (map.weight.scaled(rows: factors), map.bias.scaled(rows: factors))
    }

    /// The classifier of a model that was saved with one.
    mutating func head(_ path: String, _ config: ViTConfig) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        guard has("\(path).weight") else {
            let model = try Family.of(config).model
            throw missing(
                "\(path).weight", "missing: the checkpoint has no classification head; vitpatch reads \(model)")
        }
        return try linear(path, out: config.classes, in: config.readoutWidth)
    }
}

extension Weight {
    static func zeros(_ count: Int) -> Weight { Weight([Float](repeating: 0, count: count)) }
    static func ones(_ count: Int) -> Weight { Weight([Float](repeating: 1, count: count)) }
}
