/// One encoder layer's weights on the host, in PyTorch's shapes.
public struct LayerWeights: Sendable {
    public var ln1Weight: Weight  // [D]  layernorm_before
    public var ln1Bias: Weight  // [D]
    public var qkvWeight: Weight  // [3D, D]  query, key, value rows stacked
    public var qkvBias: Weight  // [3D]  zeros where qkv_bias is off
    public var projWeight: Weight  // [D, D]  attention.output.dense
    public var projBias: Weight  // [D]
    public var ln2Weight: Weight  // [D]  layernorm_after
    public var ln2Bias: Weight  // [D]
    public var fc1Weight: Weight  // [M, D]  intermediate.dense
    public var fc1Bias: Weight  // [M]
    public var fc2Weight: Weight  // [D, M]  output.dense
    public var fc2Bias: Weight  // [D]

    public init(
        ln1Weight: Weight, ln1Bias: Weight, qkvWeight: Weight, qkvBias: Weight, projWeight: Weight,
        projBias: Weight, ln2Weight: Weight, ln2Bias: Weight, fc1Weight: Weight, fc1Bias: Weight,
        fc2Weight: Weight, fc2Bias: Weight
    ) {
        self.ln1Weight = ln1Weight
        self.ln1Bias = ln1Bias
        self.qkvWeight = qkvWeight
        self.qkvBias = qkvBias
        self.projWeight = projWeight
        self.projBias = projBias
        self.ln2Weight = ln2Weight
        self.ln2Bias = ln2Bias
        self.fc1Weight = fc1Weight
        self.fc1Bias = fc1Bias
        self.fc2Weight = fc2Weight
        self.fc2Bias = fc2Bias
    }
}

/// A whole model's weights on the host.
public struct ViTWeights: Sendable {
    public var patchWeight: Weight  // [D, channels * P * P]  the convolution's kernel, flattened
    public var patchBias: Weight  // [D]
    public var cls: Weight  // [D]
    public var position: Weight  // [T, D]
    public var layers: [LayerWeights]
    public var lnWeight: Weight  // [D]  the final norm
    public var lnBias: Weight  // [D]
    public var headWeight: Weight  // [C, D]
    public var headBias: Weight  // [C]

    public init(
        patchWeight: Weight, patchBias: Weight, cls: Weight, position: Weight, layers: [LayerWeights],
        lnWeight: Weight, lnBias: Weight, headWeight: Weight, headBias: Weight
    ) {
        self.patchWeight = patchWeight
        self.patchBias = patchBias
        self.cls = cls
        self.position = position
        self.layers = layers
        self.lnWeight = lnWeight
        self.lnBias = lnBias
        self.headWeight = headWeight
        self.headBias = headBias
    }
}

extension LayerWeights {
    /// Number of values
    public var count: Int {
        [
            ln1Weight, ln1Bias, qkvWeight, qkvBias, projWeight, projBias, ln2Weight, ln2Bias, fc1Weight, fc1Bias, fc2Weight,
            fc2Bias,
        ].map(\.count).reduce(0, +)
    }
}

extension ViTWeights {
    /// Number of values
    public var count: Int {
        [patchWeight, patchBias, cls, position, lnWeight, lnBias, headWeight, headBias].map(\.count).reduce(0, +)
            + layers.map(\.count).reduce(0, +)
    }
}
