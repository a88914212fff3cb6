import CLRuntime

/// Layer norm that gathers its rows through a list. See `layernorm.cl`.
package struct LayerNorm {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.layernorm, "layernorm_rows")
        (kernel, self.group) = (kernels[0], group)
    }

    /// - Parameters:
    ///   - input: the residual stream; row r starts at r * rowStride, which holds `tokens` tokens
    ///   - rows: row list, of which entries `list` are used
    ///   - tokens: the number of tokens of each row, from the first
    ///   - weight, bias: [D]
    ///   - out: [list.count, tokens, D], packed
    package func callAsFunction(
        input: Buffer<Float>, rowStride: Int, rows: Buffer<Int32>, list: Range<Int>, tokens: Int,
        weight: Buffer<Float>, bias: Buffer<Float>, eps: Float, out: Buffer<Float>
    ) throws(CLError) {
        let width = weight.count
        guard bias.count == width, list.lowerBound >= 0, list.upperBound <= rows.count,
            list.count * tokens * width <= out.count, tokens * width <= min(rowStride, input.count)
        else {
            throw .shape(
                operation: "layernorm_rows", expected: "room for \(list.count) x \(tokens) x \(width)",
                got: "\(out.count)")
        }
        try kernel.launch(
            global: [group, tokens, list.count], local: [group, 1, 1],
            [
                "in": input, "rowStride": rowStride, "rows": rows, "first": list.lowerBound, "tokens": tokens,
                "D": width, "weight": weight, "bias": bias, "eps": eps, "out": out,
            ])
    }
}

/// Layer norm of queries or keys, head by head and in place. See `layernorm_heads` in `layernorm.cl`.
package struct LayerNormHeads {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.layernorm, "layernorm_heads")
        (kernel, self.group) = (kernels[0], group)
    }

    /// - Parameters:
    ///   - x: `rows` rows of heads * D values, `stride` apart, from element `offset` on
    ///   - weight, bias: [D], the same for all heads
    package func callAsFunction(
        x: Buffer<Float>, offset: Int, stride: Int, rows: Int, heads: Int, weight: Buffer<Float>, bias: Buffer<Float>,
        eps: Float
    ) throws(CLError) {
        let width = weight.count
        guard bias.count == width, offset >= 0, stride >= heads * width,
            rows == 0 || offset + (rows - 1) * stride + heads * width <= x.count
        else {
            throw .shape(
                operation: "layernorm_heads", expected: "\(rows) rows of \(heads) x \(width)", got: "\(x.count)")
        }
        try kernel.launch(
            global: [group, heads, rows], local: [group, 1, 1],
            [
                "x": x, "offset": offset, "stride": stride, "D": width, "weight": weight, "bias": bias, "eps": eps,
            ])
    }
}

/// Rows divided by their length, in place. See `normalize_rows` in `layernorm.cl`.
package struct NormalizeRows {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.layernorm, "normalize_rows")
        (kernel, self.group) = (kernels[0], group)
    }

    /// - Parameter x: [rows, width], packed, from element `offset` on
    package func callAsFunction(x: Buffer<Float>, offset: Int, rows: Int, width: Int) throws(CLError) {
        guard offset >= 0, offset + rows * width <= x.count else {
            throw .shape(
                operation: "normalize_rows", expected: "\(rows) rows of \(width)", got: "\(x.count)")
        }
        try kernel.launch(global: [group, rows], local: [group, 1], ["x": x, "offset": offset, "D": width])
    }
}
