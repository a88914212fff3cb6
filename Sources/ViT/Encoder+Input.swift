import CLRuntime
import Kernels

extension Encoder {
    /// Gaussian noise of `strength` standard deviations of each image's own patch projections (causal tracing, Meng et
    /// al. 2022, whose rule takes one deviation for all data). `keys`: where in the pixels' buffer the generator's
    /// words are.
    package struct EmbeddingNoise: Sendable {
        package var strength: Float
        package var keys: Int
        package init(strength: Float, keys: Int) { (self.strength, self.keys) = (strength, keys) }
    }

    /// The encoder's input for `images` images of the pixels: as many rows of x.
    /// - Parameters:
    ///   - pixels: [images, channels, S, S], normalised, from element `offset` on
    ///   - row: the first row of x
    ///   - noise: added to the patch projections, before prefix tokens and positions
    package func embed(
        pixels: Buffer<Float>, offset: Int = 0, images: Int, x: Buffer<Float>, row: Int = 0,
        noise embeddingNoise: EmbeddingNoise? = nil, workspace: Workspace
    ) throws(CLError) {
        for chunk in chunks(0..<images, of: workspace.rows) {
            try embedding.patches(
                pixels: pixels, offset: offset, images: chunk, channels: config.channels, imageSize: config.imageSize,
                patchSize: config.patchSize, out: workspace.patches)
            try gemm(
                a: Matrix(workspace.patches, stride: config.patchValues), weight: patchProjection,
                rows: chunk.count * config.patches, activation: .none,
                out: Matrix(workspace.normed, stride: config.hiddenSize))
            if let embeddingNoise {
                try noise.add(
                    e: workspace.normed, values: config.patches * config.hiddenSize, images: chunk,
                    strength: embeddingNoise.strength, input: pixels, keys: embeddingNoise.keys,
                    deviations: workspace.deviations)
            }
            try embedding.join(
                e: workspace.normed, prefix: prefix, position: position, tokens: config.tokens,
                first: row + chunk.lowerBound, count: chunk.count, x: x)
        }
    }
}
