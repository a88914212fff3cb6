import Reference
import ViT

/// The model whose shapes are timed.
enum BenchModel {
    /// The folder's model; without a folder the demo's; for `vit-b` random weights.
    static func named(_ folder: String?) throws -> (ViTConfig, ViTWeights, String) {
        if folder == "vit-b" {
            let config = ViTConfig(
                hiddenSize: 768, layers: 12, heads: 12, intermediateSize: 3072, imageSize: 224, patchSize: 16,
                labels: (0..<1000).map { "\($0)" })
            var random = SplitMix64(seed: 3)
            return (config, .random(config, using: &random), "ViT-B/16, random weights")
        }
        let checkpoint = try Model.checkpoint(folder: folder)
        return (checkpoint.config, checkpoint.weights, checkpoint.name)
    }
}

extension ViTConfig {
    /// Floating-point operations of one layer for one image: linear maps and attention.
    var layerFlops: Double {
        let (t, d, m) = (Double(tokens), Double(hiddenSize), Double(intermediateSize + fc1Size))
        return 2 * t * (4 * d * d + d * m) + 4 * t * t * d
    }
}

extension ViTWeights {
    /// Random weights, small enough that nothing overflows; for timing.
    static func random(_ config: ViTConfig, using random: inout SplitMix64) -> ViTWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        func some(_ count: Int) -> Weight {
            Weight((0..<count).map { _ in Float.random(in: -0.03...0.03, using: &random) })
        }
        func ones(_ count: Int) -> Weight { Weight([Float](repeating: 1, count: count)) }
        return ViTWeights(
            patchWeight: some(d * config.patchValues), patchBias: some(d), prefix: some(d),
            position: some(config.tokens * d),
            layers: (0..<config.layers).map { _ in
                LayerWeights(
                    ln1Weight: ones(d), ln1Bias: some(d), qkvWeight: some(3 * d * d), qkvBias: some(3 * d),
                    projWeight: some(d * d), projBias: some(d), ln2Weight: ones(d), ln2Bias: some(d),
                    fc1Weight: some(m * d), fc1Bias: some(m), fc2Weight: some(d * m), fc2Bias: some(d))
            },
            lnWeight: ones(d), lnBias: some(d), headWeight: some(config.classes * d), headBias: some(config.classes))
    }
}
