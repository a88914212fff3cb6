/// One encoder layer's weights on the host, PyTorch's shapes, row-major.
public struct LayerWeights: Sendable {
    public var ln1Weight: [Float]  // [D]  layernorm_before
    public var ln1Bias: [Float]  // [D]
    public var qkvWeight: [Float]  // [3D, D]  query, key, value rows stacked
    public var qkvBias: [Float]  // [3D]  zeros where qkv_bias is off
    public var projWeight: [Float]  // [D, D]  attention.output.dense
    public var projBias: [Float]  // [D]
    public var ln2Weight: [Float]  // [D]  layernorm_after
    public var ln2Bias: [Float]  // [D]
    public var fc1Weight: [Float]  // [M, D]  intermediate.dense
    public var fc1Bias: [Float]  // [M]
    public var fc2Weight: [Float]  // [D, M]  output.dense
    public var fc2Bias: [Float]  // [D]

    public init(
        ln1Weight: [Float], ln1Bias: [Float], qkvWeight: [Float], qkvBias: [Float], projWeight: [Float],
        projBias: [Float], ln2Weight: [Float], ln2Bias: [Float], fc1Weight: [Float], fc1Bias: [Float],
        fc2Weight: [Float], fc2Bias: [Float]
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
    public var patchWeight: [Float]  // [D, channels * P * P]  the convolution's kernel, flattened
    public var patchBias: [Float]  // [D]
    public var cls: [Float]  // [D]
    public var position: [Float]  // [T, D]
    public var layers: [LayerWeights]
    public var lnWeight: [Float]  // [D]  the final norm
    public var lnBias: [Float]  // [D]
    public var headWeight: [Float]  // [C, D]
    public var headBias: [Float]  // [C]

    public init(
        patchWeight: [Float], patchBias: [Float], cls: [Float], position: [Float], layers: [LayerWeights],
        lnWeight: [Float], lnBias: [Float], headWeight: [Float], headBias: [Float]
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
