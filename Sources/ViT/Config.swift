/// What `config.json` says of a `ViTForImageClassification`. Field names follow transformers' `ViTConfig`.
public struct ViTConfig: Sendable, Equatable {
    public enum Activation: String, Sendable, CaseIterable {
        /// x Φ(x), with the error function
        case gelu
        /// the tanh approximation (`gelu_new`, also `gelu_pytorch_tanh`)
        case geluNew = "gelu_new"
        /// x σ(1.702 x)
        case quickGelu = "quick_gelu"
        case relu
    }

    public var hiddenSize: Int  // D
    public var layers: Int  // L
    public var heads: Int  // H
    public var intermediateSize: Int  // M
    public var imageSize: Int  // S, square
    public var patchSize: Int  // P
    public var channels: Int
    public var activation: Activation
    public var layerNormEps: Float
    public var qkvBias: Bool
    /// Class names by index; C of them.
    public var labels: [String]

    public init(
        hiddenSize: Int, layers: Int, heads: Int, intermediateSize: Int, imageSize: Int, patchSize: Int,
        channels: Int = 3, activation: Activation = .gelu, layerNormEps: Float = 1e-12, qkvBias: Bool = true,
        labels: [String]
    ) {
        self.hiddenSize = hiddenSize
        self.layers = layers
        self.heads = heads
        self.intermediateSize = intermediateSize
        self.imageSize = imageSize
        self.patchSize = patchSize
        self.channels = channels
        self.activation = activation
        self.layerNormEps = layerNormEps
        self.qkvBias = qkvBias
        self.labels = labels
    }

    /// Dh, the width of one head
    public var headDim: Int { hiddenSize / heads }
    /// Patches along one side of the image
    public var grid: Int { imageSize / patchSize }
    /// Np, patches an image
    public var patches: Int { grid * grid }
    /// T, patches and the CLS token
    public var tokens: Int { patches + 1 }
    /// C
    public var classes: Int { labels.count }
    /// Values in one flattened patch, channel-major: channels * P * P
    public var patchValues: Int { channels * patchSize * patchSize }
}
