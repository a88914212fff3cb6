import Formats

/// A model's sizes, class names and architecture. Field names follow transformers' `ViTConfig`.
package struct ViTConfig: Sendable, Equatable {
    package enum Activation: String, Sendable, CaseIterable {
        /// x Φ(x), with the error function
        case gelu
        /// the tanh approximation (`gelu_new`, also `gelu_pytorch_tanh`)
        case geluNew = "gelu_new"
        /// x σ(1.702 x)
        case quickGelu = "quick_gelu"
        case relu
        /// x σ(x)
        case silu
        /// x tanh(ln(1 + e^x))
        case mish
    }

    package var hiddenSize: Int  // D
    package var layers: Int  // L
    package var heads: Int  // H
    package var intermediateSize: Int  // M
    package var imageSize: PixelSize
    /// The image size that the checkpoint's position embeddings are for
    package var trainedImageSize: PixelSize
    package var patchSize: PixelSize
    package var channels: Int
    package var activation: Activation
    package var layerNormEps: Float
    package var qkvBias: Bool
    package var architecture: Architecture
    /// Class names by index; C of them.
    package var labels: [String]
    /// Compute all tokens in the last layer, for readers of its activations, not only those that the classifier reads
    package var computesAllTokens = false

    package init(
        hiddenSize: Int, layers: Int, heads: Int, intermediateSize: Int, imageSize: PixelSize,
        patchSize: PixelSize,
        channels: Int = 3, activation: Activation = .gelu, layerNormEps: Float = 1e-12, qkvBias: Bool = true,
        architecture: Architecture = .vit, labels: [String]
    ) {
        self.hiddenSize = hiddenSize
        self.layers = layers
        self.heads = heads
        self.intermediateSize = intermediateSize
        (self.imageSize, trainedImageSize) = (imageSize, imageSize)
        self.patchSize = patchSize
        self.channels = channels
        self.activation = activation
        self.layerNormEps = layerNormEps
        self.qkvBias = qkvBias
        self.architecture = architecture
        self.labels = labels
    }

    /// Dh, the width of one head
    package var headDim: Int { hiddenSize / heads }
    /// Rows and columns of patches; pixels beyond the last whole patch are ignored
    package struct Grid: Sendable, Hashable {
        package var rows: Int, columns: Int
        package var count: Int { rows * columns }

        package init(_ image: PixelSize, patch: PixelSize) {
            (rows, columns) = (image.height / patch.height, image.width / patch.width)
        }
    }
    package var grid: Grid { Grid(imageSize, patch: patchSize) }
    /// The grid that the checkpoint's position embeddings are for
    var trainedGrid: Grid { Grid(trainedImageSize, patch: patchSize) }
    /// Np, patches per image
    package var patches: Int { grid.count }
    /// Tokens before the patches
    package var prefixTokens: Int { architecture.prefix.count }
    /// T, prefix tokens and patches
    package var tokens: Int { prefixTokens + patches }
    /// The patches' range among the tokens
    package var patchTokens: Range<Int> { prefixTokens..<tokens }
    /// The number of tokens, from the first, that layer `layer` computes for what follows: all, or in the last layer
    /// those that the classifier reads.
    package func tokens(after layer: Int) -> Int {
        layer == layers - 1 && !computesAllTokens ? architecture.readout.tokensRead(of: tokens) : tokens
    }
    /// Width of the readout's features: its parts * D
    package var readoutWidth: Int { architecture.readout.parts.count * hiddenSize }
    /// Width of the classifier's input
    package var headWidth: Int { architecture.readout.embedding?.width ?? readoutWidth }
    /// Outputs of the MLP's first map: M, or 2M where it is gated
    package var fc1Size: Int { architecture.hasGatedMLP ? 2 * intermediateSize : intermediateSize }
    /// C
    package var classes: Int { labels.count }
    /// Values of one image, [channels, height, width]
    package var imageValues: Int { channels * imageSize.count }
    /// Values in one flattened patch, channel-major
    package var patchValues: Int { channels * patchSize.count }
}
