import CLRuntime

/// The mean of some tokens of each row. See `pool.cl`.
package struct Pool {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.pool, "pool")
        (kernel, self.group) = (kernels[0], group)
    }

    /// - Parameters:
    ///   - input: row r starts at r * rowStride, tokens of `width` values
    ///   - rows, list: the rows are entries `list` of it; without `rows` they are 0 ..< list.count
    ///   - tokens: whose mean is taken
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
}
