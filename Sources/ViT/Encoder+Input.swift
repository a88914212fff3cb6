import CLRuntime
import Kernels

extension Encoder {
    /// Gaussian noise with `strength` times the standard deviation of the patch projections: each image's own, or
    /// `deviation`, one for all data as in causal tracing (Meng et al. 2022). `keys` holds four words per image for the
    /// generator, from element `offset` on.
    package struct EmbeddingNoise {
        package var strength: Float, deviation: Float?
        package var keys: Buffer<Int32>, offset: Int

        package init(strength: Float, deviation: Float? = nil, keys: Buffer<Int32>, offset: Int) {
            (self.strength, self.deviation, self.keys, self.offset) = (strength, deviation, keys, offset)
        }
    }

    /// The patch projections of a chunk of images, into `workspace.normed`: [chunk.count, patches, D], bias included
    private func projectPatches(
        pixels: Buffer<Float>, offset: Int, chunk: Range<Int>, workspace: Workspace
    ) throws(CLError) {
        try embedding.patches(
            pixels: pixels, offset: offset, images: chunk, channels: config.channels,
            image: (config.imageSize.height, config.imageSize.width),
            patch: (config.patchSize.height, config.patchSize.width), out: workspace.patches)
        try gemm(
            a: Matrix(workspace.patches, stride: config.patchValues), weight: patchProjection,
            rows: chunk.count * config.patches, activation: .none,
            out: Matrix(workspace.normed, stride: config.hiddenSize))
    }

    /// Passes every image's patch projections, [patches, D], to `body`.
    /// - Parameter pixels: [images, channels, height, width], normalised
    package func forEachProjection(
        pixels: Buffer<Float>, images: Int, workspace: Workspace, _ body: (ArraySlice<Float>) -> Void
    ) throws(CLError) {
        let count = config.patches * config.hiddenSize
        for chunk in chunks(0..<images, of: workspace.rows) {
            try projectPatches(pixels: pixels, offset: 0, chunk: chunk, workspace: workspace)
            let values = try workspace.normed.read(0..<(chunk.count * count))
            for image in 0..<chunk.count { body(values[(image * count)..<((image + 1) * count)]) }
        }
    }

    /// Computes the encoder's input for `images` images of the pixels, one row of x each.
    /// - Parameters:
    ///   - pixels: [images, channels, height, width], normalised, from element `offset` on
    ///   - row: the first row of x
    ///   - noise: added to the patch projections, before prefix tokens and positions
    package func embed(
        pixels: Buffer<Float>, offset: Int = 0, images: Int, x: Buffer<Float>, row: Int = 0,
        noise embeddingNoise: EmbeddingNoise? = nil, workspace: Workspace
    ) throws(CLError) {
        for chunk in chunks(0..<images, of: workspace.rows) {
            try projectPatches(pixels: pixels, offset: offset, chunk: chunk, workspace: workspace)
            if let embeddingNoise {
                try noise.add(
                    e: workspace.normed, values: config.patches * config.hiddenSize, images: chunk,
                    strength: embeddingNoise.strength, keys: embeddingNoise.keys, offset: embeddingNoise.offset,
                    deviations: workspace.deviations, deviation: embeddingNoise.deviation)
            }
            try embedding.join(
                e: workspace.normed, prefix: prefix, position: position, tokens: config.tokens,
                first: preNorm == nil ? row + chunk.lowerBound : 0, count: chunk.count,
                x: preNorm == nil ? x : workspace.z)
            if let preNorm {
                let values = chunk.count * rowStride, first = (row + chunk.lowerBound) * rowStride
                try layerNorm(
                    input: workspace.z, rowStride: values, rows: firstRow, list: 0..<1,
                    tokens: chunk.count * config.tokens, weight: preNorm.weight, bias: preNorm.bias,
                    eps: config.layerNormEps, out: workspace.normed)
                try x.copy(from: workspace.normed, 0..<values, to: first)
            }
        }
    }
}
