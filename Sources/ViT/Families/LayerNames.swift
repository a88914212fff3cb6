/// A family's names for the modules of a layer: paths, several where a module has had several names.
struct LayerNames {
    var norm1: [String], norm2: [String]
    var query: [String], key: [String], value: [String], output: [String]
    /// Queries, keys and values as one map, which replaces `query`, `key` and `value`
    var joint: [String]?
    /// Norms of queries and keys, in families that have them
    var qNorm: [String]?, kNorm: [String]?
    var fc1: [String], fc2: [String]
    /// Vectors [D] that attention's and the MLP's outputs are multiplied by, in families that have them
    var scale1: [String]?, scale2: [String]?
    /// Gate and up, where a gated MLP stores them separately; stacked they are fc1
    var gate: [String]?, up: [String]?
}

extension TensorReader {
    /// A layer's weights. Layer scale is multiplied into the preceding maps, so that attn_out and mlp_out are the
    /// values added to the stream.
    mutating func layer(_ names: LayerNames, _ config: ViTConfig) throws(CheckpointError) -> LayerWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        let ln1 = try vector(names.norm1, d), ln2 = try vector(names.norm2, d)
        let qkv =
            if let joint = names.joint {
                try linear(stacked: [joint], out: 3 * d, in: d, bias: config.qkvBias)
            } else {
                try linear(stacked: [names.query, names.key, names.value], out: d, in: d, bias: config.qkvBias)
            }
        let proj = try scaled(try linear(names.output, out: d, in: d), by: names.scale1, d)
        let fc1: (weight: Weight, bias: Weight)
        if let gate = names.gate, let up = names.up, has(gate.map { "\($0).weight" }) {
            fc1 = try linear(stacked: [gate, up], out: m, in: d, bias: true)
        } else {
            fc1 = try linear(names.fc1, out: config.fc1Size, in: d)
        }
        let fc2 = try scaled(try linear(names.fc2, out: d, in: m), by: names.scale2, d)
        var layer = LayerWeights(
            ln1Weight: ln1.weight, ln1Bias: ln1.bias, qkvWeight: qkv.weight, qkvBias: qkv.bias,
            projWeight: proj.weight, projBias: proj.bias, ln2Weight: ln2.weight, ln2Bias: ln2.bias,
            fc1Weight: fc1.weight, fc1Bias: fc1.bias, fc2Weight: fc2.weight, fc2Bias: fc2.bias)
        if let qNorm = names.qNorm { layer.qNorm = try vector(qNorm, config.headDim) }
        if let kNorm = names.kNorm { layer.kNorm = try vector(kNorm, config.headDim) }
        return layer
    }

    /// A map with its outputs multiplied by a vector.
    mutating func scaled(
        _ map: (weight: Weight, bias: Weight), by names: [String]?, _ width: Int
    ) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        guard let names else { return map }
        let factors = try tensor(names, [width])
        return (map.weight.scaled(rows: factors), map.bias.scaled(rows: factors))
    }

    /// The classifier of a model, if it was saved with one.
    mutating func head(_ path: String, _ config: ViTConfig) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
        guard has("\(path).weight") else {
            let family = try Family.of(config)
            throw missing(
                "\(path).weight",
                "missing: the checkpoint has no classification head; vitpatch reads \(family.model)"
                    + (family.takesTexts
                        ? " and, with --classes FILE, a whole \(family.name) model" : ""))
        }
        return try linear(path, out: config.classes, in: config.readoutWidth)
    }
}

extension Weight {
    /// A vector [D] mapped by the first D rows of a map [.., D], in Double.
    static func projected(_ vector: Weight, by weight: Weight, bias: Weight, width d: Int) -> Weight {
        Weight(count: d) {
            let (x, w, b) = (vector.floats, weight.floats, bias.floats)
            return (0..<d).map { row in
                Float((0..<d).reduce(Double(b[row])) { $0 + Double(w[row * d + $1]) * Double(x[$1]) })
            }
        }
    }
    static func zeros(_ count: Int) -> Weight { Weight([Float](repeating: 0, count: count)) }
    static func ones(_ count: Int) -> Weight { Weight([Float](repeating: 1, count: count)) }
}
