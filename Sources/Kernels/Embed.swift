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

    /// Images `images` of pixels [*, channels, height, width], from element `offset` on, to rows [images.count * Np,
    /// channels * patch height * patch width].
    package func patches(
        pixels: Buffer<Float>, offset: Int = 0, images: Range<Int>, channels: Int,
        image: (height: Int, width: Int), patch: (height: Int, width: Int), out: Buffer<Float>
    ) throws(CLError) {
        let patches = (image.height / patch.height) * (image.width / patch.width)
        let values = patches * channels * patch.height * patch.width, needed = images.count * values
        guard offset + images.upperBound * channels * image.height * image.width <= pixels.count, needed <= out.count
        else {
            throw .shape(operation: "patches", expected: "room for \(needed) values", got: "\(out.count)")
        }
        let items = groupSize(patchesKernel)
        let runs = values / (patch.width % 4 == 0 ? 4 : 1)
        try patchesKernel.launch(
            global: [group > 1 ? wholeGroups(runs, of: items) : patches, images.count],
            local: group > 1 ? [items, 1] : nil,
            [
                "pixels": pixels, "offset": offset, "first": images.lowerBound, "channels": channels,
                "H": image.height, "W": image.width, "PH": patch.height, "PW": patch.width, "out": out,
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
