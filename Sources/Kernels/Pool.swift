import CLRuntime

/// The mean of some tokens of each row, and its gradient. See `pool.cl`.
package struct Pool {
    private let kernel: Kernel
    private let backwardKernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.pool, "pool", "pool_backward")
        (kernel, backwardKernel, self.group) = (kernels[0], kernels[1], group)
    }

    /// - Parameters:
    ///   - input: row r starts at r * rowStride, tokens of `width` values
    ///   - rows, list: row list, of which entries `list` are used; without `rows` the rows are 0 ..< list.count
    ///   - tokens: the tokens that are averaged
    ///   - out: [list.count] rows of `width` values, `stride` apart, from element `offset` on
    package func callAsFunction(
        input: Buffer<Float>, rowStride: Int, rows: Buffer<Int32>?, list: Range<Int>, tokens: Range<Int>, width: Int,
        out: Buffer<Float>, offset: Int = 0, stride: Int
    ) throws(CLError) {
        guard !list.isEmpty else { return }
        guard !tokens.isEmpty, tokens.lowerBound >= 0, tokens.upperBound * width <= min(rowStride, input.count),
            list.lowerBound >= 0, list.upperBound <= rows?.count ?? .max,
            rows != nil || (list.count - 1) * rowStride + tokens.upperBound * width <= input.count, stride >= width,
            offset >= 0, offset + (list.count - 1) * stride + width <= out.count
        else {
            throw .shape(
                operation: "pool", expected: "room for \(list.count) x \(width) of tokens \(tokens)",
                got: "\(out.count)")
        }
        try kernel.launch(
            global: [group, list.count], local: [group, 1],
            [
                "in": input, "rowStride": rowStride, "rows": rows.map { $0 as any KernelArgument } ?? NoBuffer(),
                "listed": rows == nil ? 0 : 1,
                "first": list.lowerBound, "token": tokens.lowerBound, "count": tokens.count, "D": width, "out": out,
                "outOffset": offset, "outStride": stride,
            ])
    }

    /// The gradient at all tokens from that at the mean of some: `out[i, t] = (accumulate ? itself : 0) + (t in tokens
    /// ? input[i] / tokens.count : 0)`.
    /// - Parameters:
    ///   - input: [count] rows of `width` values, `stride` apart, from element `offset` on
    ///   - out: [count, outTokens, width]
    package func backward(
        input: Buffer<Float>, offset: Int = 0, stride: Int, count: Int, tokens: Range<Int>, width: Int,
        out: Buffer<Float>, outTokens: Int, accumulate: Bool
    ) throws(CLError) {
        guard count > 0 else { return }
        guard !tokens.isEmpty, tokens.lowerBound >= 0, tokens.upperBound <= outTokens, stride >= width, offset >= 0,
            offset + (count - 1) * stride + width <= input.count, count * outTokens * width <= out.count
        else {
            throw .shape(
                operation: "pool_backward", expected: "room for \(count) x \(outTokens) x \(width)",
                got: "\(input.count) and \(out.count)")
        }
        try backwardKernel.launch(
            global: [group, outTokens, count], local: [group, 1, 1],
            [
                "in": input, "offset": offset, "stride": stride, "token": tokens.lowerBound, "count": tokens.count,
                "D": width, "out": out, "accumulate": accumulate ? 1 : 0,
            ])
    }
}
