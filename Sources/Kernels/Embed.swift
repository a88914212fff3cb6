import CLRuntime

/// Flattens image patches, and joins their projections with prefix tokens (CLS ...) and position embeddings. See
/// `embed.cl`.
package struct Embed {
    private let patchesKernel: Kernel
    private let embedKernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.embed, "patches", "embed")
        (patchesKernel, embedKernel, self.group) = (kernels[0], kernels[1], group)
    }

    /// Pixels [*, channels, S, S], from element `offset` on, of images `images` to rows [images.count * Np, channels *
    /// P * P].
    package func patches(
        pixels: Buffer<Float>, offset: Int = 0, images: Range<Int>, channels: Int, imageSize: Int, patchSize: Int,
        out: Buffer<Float>
    ) throws(CLError) {
        let grid = imageSize / patchSize
        let needed = images.count * grid * grid * channels * patchSize * patchSize
        guard offset + images.upperBound * channels * imageSize * imageSize <= pixels.count, needed <= out.count else {
            throw .shape(operation: "patches", expected: "room for \(needed) values", got: "\(out.count)")
        }
        let items = groupSize(patchesKernel)
        let runs = grid * grid * channels * patchSize * patchSize / (patchSize % 4 == 0 ? 4 : 1)
        try patchesKernel.launch(
            global: [group > 1 ? wholeGroups(runs, of: items) : grid * grid, images.count],
            local: group > 1 ? [items, 1] : nil,
            [
                "pixels": pixels, "offset": offset, "first": images.lowerBound, "channels": channels, "S": imageSize,
                "P": patchSize, "grid": grid, "out": out,
            ])
    }

    /// `x[first + i, t] = (t < n ? prefix[t] : e[i, t - n]) + position[t]` for `count` rows; n prefix tokens.
    /// - Parameters:
    ///   - e: patch projections [count * (tokens - n), D]
    ///   - prefix: [n, D]
    ///   - position: [tokens, D]
    package func join(
        e: Buffer<Float>, prefix: Buffer<Float>, position: Buffer<Float>, tokens: Int, first: Int, count: Int,
        x: Buffer<Float>
    ) throws(CLError) {
        let width = position.count / max(tokens, 1), own = prefix.count / max(width, 1)
        guard position.count == tokens * width, prefix.count == own * width, count * (tokens - own) * width <= e.count,
            (first + count) * tokens * width <= x.count
        else {
            throw .shape(
                operation: "embed", expected: "\(first + count) rows of \(tokens) x \(width)", got: "\(x.count)")
        }
        try embedKernel.launch(
            global: [group, tokens, count], local: [group, 1, 1],
            [
                "e": e, "prefix": prefix, "prefixTokens": own, "position": position, "T": tokens, "D": width,
                "first": first, "x": x,
            ])
    }
}
