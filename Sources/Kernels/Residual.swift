import CLRuntime

/// Adds to, swaps, blends and subtracts rows of the residual stream. See `residual.cl`.
package struct Residual {
    private let addKernel: Kernel
    private let copyKernel: Kernel
    private let blendKernel: Kernel
    private let differenceKernel: Kernel
    private let group: Int, vector: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(
            .residual, "residual_add", "residual_copy", "residual_blend", "residual_difference")
        (addKernel, copyKernel, blendKernel, differenceKernel) = (kernels[0], kernels[1], kernels[2], kernels[3])
        (self.group, vector) = (group, library.tuning.vector)
    }

    /// `x[dst[i], t] = o[src[i], t] + x[base[i], t]` for the first `tokens` tokens.
    /// - Parameters:
    ///   - x: residual stream, row stride `rowStride`
    ///   - o: a stage's output [*, tokens, D], bias included
    ///   - lists: row lists; dst, base and src are the offsets of `count` entries each
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

    /// `x[dst[i]] = x[a[i]] + t (x[b[i]] - x[a[i]])`: points on the straight line between two rows.
    /// - Parameters:
    ///   - lists: row lists; dst, a and b are the offsets of `count` entries each
    ///   - rowElements: floats per row, all of them blended
    package func blend(
        x: Buffer<Float>, lists: Buffer<Int32>, dst: Int, a: Int, b: Int, count: Int, t: Float, rowElements: Int
    ) throws(CLError) {
        try validate("residual_blend", x, rowElements, lists, [dst, a, b], count, rowElements)
        let items = group > 1 ? (rowElements + vector - 1) / vector : 1
        try blendKernel.launch(
            global: [(items + group - 1) / group * group, count], local: [group, 1],
            ["x": x, "rowElements": rowElements, "lists": lists, "dst": dst, "a": a, "b": b, "t": t])
    }

    /// `o[position + i, t] = x[a[i], t] - x[b[i], t]` for the first `tokens` tokens: a stage's output, from the stream
    /// before and after it.
    /// - Parameters:
    ///   - x: residual stream, row stride `rowStride`
    ///   - lists: row lists; a and b are the offsets of `count` entries each
    ///   - o: [*, tokens, width]
    package func difference(
        x: Buffer<Float>, rowStride: Int, lists: Buffer<Int32>, a: Int, b: Int, count: Int, tokens: Int, width: Int,
        o: Buffer<Float>, position: Int = 0
    ) throws(CLError) {
        try validate("residual_difference", x, rowStride, lists, [a, b], count, tokens * width)
        guard position >= 0, (position + count) * tokens * width <= o.count else {
            throw .shape(
                operation: "residual_difference", expected: "room for \(position + count) x \(tokens) x \(width)",
                got: "\(o.count)")
        }
        try differenceKernel.launch(
            global: [group, tokens, count], local: [group, 1, 1],
            [
                "x": x, "rowStride": rowStride, "lists": lists, "a": a, "b": b, "tokens": tokens, "D": width, "o": o,
                "position": position,
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
