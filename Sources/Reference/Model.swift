/// One encoder layer's weights in PyTorch's shapes, row-major.
package struct ReferenceLayer: Sendable {
    package var ln1Weight: [Double]  // [D]
    package var ln1Bias: [Double]  // [D]
    package var qkvWeight: [Double]  // [3D, D]  query, key, value rows stacked
    package var qkvBias: [Double]  // [3D]
    package var projWeight: [Double]  // [D, D]
    package var projBias: [Double]  // [D]
    package var ln2Weight: [Double]  // [D]
    package var ln2Bias: [Double]  // [D]
    package var fc1Weight: [Double]  // [M, D]; for a gated MLP [2M, D], gate and up
    package var fc1Bias: [Double]  // [M]; [2M]
    package var fc2Weight: [Double]  // [D, M]
    package var fc2Bias: [Double]  // [D]
    /// Norms of each head's queries and keys, if there are any
    package var qNorm: (weight: [Double], bias: [Double])?  // [Dh]
    package var kNorm: (weight: [Double], bias: [Double])?  // [Dh]
    /// Bias of the attention scores, if there is one
    package var scoreBias: [Double]?  // [H, T, T]

    package init(
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

/// A pre-norm Vision Transformer with a classifier on CLS, like transformers' `ViTForImageClassification`.
package struct ReferenceModel: Sendable {
    package var hiddenSize: Int  // D
    package var heads: Int  // H
    package var intermediateSize: Int  // M
    package var imageSize: Int  // S
    package var patchSize: Int  // P
    package var channels: Int
    package var activation: ReferenceActivation
    package var layerNormEps: Double

    package var patchWeight: [Double]  // [D, channels * P * P]
    package var patchBias: [Double]  // [D]
    package var cls: [Double]  // [D]
    package var position: [Double]  // [T, D]
    package var layers: [ReferenceLayer]
    package var lnWeight: [Double]  // [D]  the final norm
    package var lnBias: [Double]  // [D]
    package var headWeight: [Double]  // [C, D]
    package var headBias: [Double]  // [C]

    package init(
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
    package var headDim: Int { hiddenSize / heads }
    /// T, patches and the CLS token
    package var tokens: Int { (imageSize / patchSize) * (imageSize / patchSize) + 1 }
    /// C
    package var classes: Int { headBias.count }
}
