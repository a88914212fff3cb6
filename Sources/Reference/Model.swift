/// One encoder layer's weights, PyTorch's shapes, row-major.
public struct ReferenceLayer: Sendable {
    public var ln1Weight: [Double]  // [D]
    public var ln1Bias: [Double]  // [D]
    public var qkvWeight: [Double]  // [3D, D]  query, key, value rows stacked
    public var qkvBias: [Double]  // [3D]
    public var projWeight: [Double]  // [D, D]
    public var projBias: [Double]  // [D]
    public var ln2Weight: [Double]  // [D]
    public var ln2Bias: [Double]  // [D]
    public var fc1Weight: [Double]  // [M, D]
    public var fc1Bias: [Double]  // [M]
    public var fc2Weight: [Double]  // [D, M]
    public var fc2Bias: [Double]  // [D]

    public init(
        ln1Weight: [Double], ln1Bias: [Double], qkvWeight: [Double], qkvBias: [Double], projWeight: [Double],
        projBias: [Double], ln2Weight: [Double], ln2Bias: [Double], fc1Weight: [Double], fc1Bias: [Double],
        fc2Weight: [Double], fc2Bias: [Double]
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

/// A pre-norm Vision Transformer with a classifier on CLS, as transformers' `ViTForImageClassification`.
public struct ReferenceModel: Sendable {
    public var hiddenSize: Int  // D
    public var heads: Int  // H
    public var intermediateSize: Int  // M
    public var imageSize: Int  // S
    public var patchSize: Int  // P
    public var channels: Int
    public var activation: ReferenceActivation
    public var layerNormEps: Double

    public var patchWeight: [Double]  // [D, channels * P * P]
    public var patchBias: [Double]  // [D]
    public var cls: [Double]  // [D]
    public var position: [Double]  // [T, D]
    public var layers: [ReferenceLayer]
    public var lnWeight: [Double]  // [D]  the final norm
    public var lnBias: [Double]  // [D]
    public var headWeight: [Double]  // [C, D]
    public var headBias: [Double]  // [C]

    public init(
        hiddenSize: Int, heads: Int, intermediateSize: Int, imageSize: Int, patchSize: Int, channels: Int = 3,
        activation: ReferenceActivation, layerNormEps: Double, patchWeight: [Double], patchBias: [Double],
        cls: [Double], position: [Double], layers: [ReferenceLayer], lnWeight: [Double], lnBias: [Double],
        headWeight: [Double], headBias: [Double]
    ) {
        self.hiddenSize = hiddenSize
        self.heads = heads
        self.intermediateSize = intermediateSize
        self.imageSize = imageSize
        self.patchSize = patchSize
        self.channels = channels
        self.activation = activation
        self.layerNormEps = layerNormEps
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

    /// Dh
    public var headDim: Int { hiddenSize / heads }
    /// T, patches and the CLS token
    public var tokens: Int { (imageSize / patchSize) * (imageSize / patchSize) + 1 }
    /// C
    public var classes: Int { headBias.count }
}
