import Formats
import Reference
import ViT

/// A small ViT with random weights that is sensitive to patches: they change probabilities by tenths. Its default sizes
/// are odd, so that no vector width divides them.
package struct RandomModel: Sendable {
    package let config: ViTConfig
    package let weights: ViTWeights

    /// Parts that some families add to a ViT
    package struct Pieces: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        package static let gatedMLP = Pieces(rawValue: 1), qkNorm = Pieces(rawValue: 2), scoreBias = Pieces(rawValue: 4)
        package static let all: Pieces = [.gatedMLP, .qkNorm, .scoreBias]
    }

    package init(
        heads: Int = 3, headDim: Int = 7, layers: Int = 3, intermediateSize: Int = 37, imageSize: Int = 15,
        patchSize: Int = 5, channels: Int = 3, classes: Int = 7, activation: ViTConfig.Activation = .gelu,
        qkvBias: Bool = true, pieces: Pieces = [], using random: inout SplitMix64
    ) {
        let d = heads * headDim
        var architecture = Architecture.vit
        architecture.hasGatedMLP = pieces.contains(.gatedMLP)
        architecture.hasQKNorm = pieces.contains(.qkNorm)
        architecture.hasScoreBias = pieces.contains(.scoreBias)
        config = ViTConfig(
            hiddenSize: d, layers: layers, heads: heads, intermediateSize: intermediateSize,
            imageSize: PixelSize(side: imageSize), patchSize: PixelSize(side: patchSize), channels: channels,
            activation: activation, layerNormEps: 1e-6, qkvBias: qkvBias,
            architecture: architecture, labels: (0..<classes).map { "class \($0)" })
        let (m, hidden, config) = (intermediateSize, config.fc1Size, config)

        /// Weights [outputs, inputs] that keep the magnitude of their inputs, times `gain`
        func linear(_ outputs: Int, _ inputs: Int, gain: Float) -> Weight {
            Weight(random.normals(outputs * inputs, std: gain / Float(inputs).squareRoot()))
        }
        func scale(_ count: Int? = nil) -> Weight { Weight(random.normals(count ?? d, mean: 1, std: 0.2)) }
        func bias(_ count: Int) -> Weight { Weight(random.normals(count, std: 0.2)) }
        weights = ViTWeights(
            patchWeight: linear(d, config.patchValues, gain: 1.5), patchBias: bias(d), prefix: bias(d),
            position: Weight(random.normals(config.tokens * d, std: 0.3)),
            layers: (0..<layers).map { _ in
                var layer = LayerWeights(
                    ln1Weight: scale(), ln1Bias: bias(d), qkvWeight: linear(3 * d, d, gain: 2),
                    qkvBias: qkvBias ? bias(3 * d) : Weight([Float](repeating: 0, count: 3 * d)),
                    projWeight: linear(d, d, gain: 1.4), projBias: bias(d), ln2Weight: scale(), ln2Bias: bias(d),
                    fc1Weight: linear(hidden, d, gain: 1.4), fc1Bias: bias(hidden), fc2Weight: linear(d, m, gain: 1.4),
                    fc2Bias: bias(d))
                if architecture.hasQKNorm {
                    (layer.qNorm, layer.kNorm) = ((scale(headDim), bias(headDim)), (scale(headDim), bias(headDim)))
                }
                if architecture.hasScoreBias {
                    layer.scoreBias = Weight(random.normals(heads * config.tokens * config.tokens))
                }
                return layer
            },
            lnWeight: scale(), lnBias: bias(d), headWeight: linear(classes, d, gain: 2), headBias: bias(classes))
    }

    /// One image, [channels, S, S]
    package func pixels(using random: inout SplitMix64) -> [Float] {
        random.normals(config.imageValues)
    }

    /// The same model in Double.
    package var reference: ReferenceModel {
        func wide(_ weight: Weight) -> [Double] { weight.floats.map(Double.init) }
        let activation: ReferenceActivation =
            switch config.activation {
            case .gelu: .gelu
            case .geluNew: .geluNew
            case .quickGelu: .quickGelu
            case .relu: .relu
            case .silu: .silu
            case .mish: .mish
            }
        return ReferenceModel(
            hiddenSize: config.hiddenSize, heads: config.heads, intermediateSize: config.intermediateSize,
            imageSize: config.imageSize.height, patchSize: config.patchSize.height, channels: config.channels,
            activation: activation,
            layerNormEps: Double(config.layerNormEps), patchWeight: wide(weights.patchWeight),
            patchBias: wide(weights.patchBias), cls: wide(weights.prefix), position: wide(weights.position),
            layers: weights.layers.map { layer in
                var own = ReferenceLayer(
                    ln1Weight: wide(layer.ln1Weight), ln1Bias: wide(layer.ln1Bias), qkvWeight: wide(layer.qkvWeight),
                    qkvBias: wide(layer.qkvBias), projWeight: wide(layer.projWeight), projBias: wide(layer.projBias),
                    ln2Weight: wide(layer.ln2Weight), ln2Bias: wide(layer.ln2Bias), fc1Weight: wide(layer.fc1Weight),
                    fc1Bias: wide(layer.fc1Bias), fc2Weight: wide(layer.fc2Weight), fc2Bias: wide(layer.fc2Bias))
                own.qNorm = layer.qNorm.map { (wide($0.weight), wide($0.bias)) }
                own.kNorm = layer.kNorm.map { (wide($0.weight), wide($0.bias)) }
                own.scoreBias = layer.scoreBias.map(wide)
                return own
            },
            lnWeight: wide(weights.lnWeight), lnBias: wide(weights.lnBias), headWeight: wide(weights.headWeight),
            headBias: wide(weights.headBias))
    }
}
