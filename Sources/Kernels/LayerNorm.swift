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
    ///   - rows: row list; entries `list` of it are used
    ///   - tokens: tokens of each row, from the first on
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
