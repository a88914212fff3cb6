import CLRuntime

/// Adds to, and swaps rows of, the residual stream. See `residual.cl`.
package struct Residual {
    private let addKernel: Kernel
    private let copyKernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.residual, "residual_add", "residual_copy")
        (addKernel, copyKernel, self.group) = (kernels[0], kernels[1], group)
    }

    /// `x[dst[i], t] = o[src[i], t] + x[base[i], t]` for the first `tokens` tokens.
    /// - Parameters:
    ///   - x: residual stream, row stride `rowStride`
    ///   - o: a stage's output [*, tokens, D], bias included
    ///   - lists: row lists; dst, base and src are offsets of `count` entries each
    package func add(
        x: Buffer<Float>, rowStride: Int, o: Buffer<Float>, lists: Buffer<Int32>, dst: Int, base: Int, src: Int,
        count: Int, tokens: Int, width: Int
    ) throws(CLError) {
        try validate("residual_add", x, rowStride, lists, [dst, base, src], count, tokens * width)
        guard count == 0 || tokens * width <= o.count else {
            throw .shape(operation: "residual_add", expected: "outputs of \(tokens) x \(width)", got: "\(o.count)")
        }
        try addKernel.launch(
            global: [group, tokens, count], local: [group, 1, 1],
            [
                "x": x, "rowStride": rowStride, "o": o, "lists": lists, "dst": dst, "base": base, "src": src,
                "tokens": tokens, "D": width,
            ])
    }

    /// `x[dst[i], t] = x[src[i], t]` for the first `tokens` tokens: births and swaps.
    package func copy(
        x: Buffer<Float>, rowStride: Int, lists: Buffer<Int32>, dst: Int, src: Int, count: Int, tokens: Int, width: Int
    ) throws(CLError) {
        try validate("residual_copy", x, rowStride, lists, [dst, src], count, tokens * width)
        try copyKernel.launch(
            global: [group, tokens, count], local: [group, 1, 1],
            [
                "x": x, "rowStride": rowStride, "lists": lists, "dst": dst, "src": src, "tokens": tokens, "D": width,
            ])
    }

    private func validate(
        _ operation: String, _ x: Buffer<Float>, _ rowStride: Int, _ lists: Buffer<Int32>, _ offsets: [Int],
        _ count: Int, _ size: Int
    ) throws(CLError) {
        guard count >= 0, size <= rowStride, count == 0 || size <= x.count else {
            throw .shape(operation: operation, expected: "\(size) values a row", got: "\(rowStride) of \(x.count)")
        }
        guard offsets.allSatisfy({ $0 >= 0 && $0 + count <= lists.count }) else {
            throw .shape(operation: operation, expected: "lists within \(lists.count)", got: "\(offsets) + \(count)")
        }
    }
}
