import CLRuntime

/// The gradient at layer norm's input from the gradient at its output. See `layernorm_backward.cl`.
package struct LayerNormBackward {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.layernormBackward, "layernorm_backward")
        (kernel, self.group) = (kernels[0], group)
    }

    /// `out[i, t] = (t < addTokens ? add[i, t] : 0) + J^T gradient[i, t]`, with J of the norm at `input`'s row i.
    ///
    /// - Parameters:
    ///   - input: the norm's input; row r starts at r * rowStride
    ///   - rows, list: row list, of which entries `list` are used
    ///   - tokens: the number of tokens of each row, from the first
    ///   - weight: [D]
    ///   - gradient: at the norm's output, [list.count, tokens, D]
    ///   - add: [list.count, addTokens, D]
    ///   - out: [list.count, tokens, D]; may be `add` where addTokens is `tokens`, and may be `gradient`
    package func callAsFunction(
        input: Buffer<Float>, rowStride: Int, rows: Buffer<Int32>, list: Range<Int>, tokens: Int,
        weight: Buffer<Float>, eps: Float, gradient: Buffer<Float>, add: Buffer<Float>, addTokens: Int,
        out: Buffer<Float>
    ) throws(CLError) {
        let width = weight.count, needed = list.count * tokens * width
        guard list.lowerBound >= 0, list.upperBound <= rows.count, tokens * width <= min(rowStride, input.count),
            needed <= gradient.count, needed <= out.count, 0...tokens ~= addTokens,
            list.count * addTokens * width <= add.count
        else {
            throw .shape(
                operation: "layernorm_backward", expected: "room for \(list.count) x \(tokens) x \(width)",
                got: "\(gradient.count), \(add.count) and \(out.count)")
        }
        try kernel.launch(
            global: [group, tokens, list.count], local: [group, 1, 1],
            [
                "in": input, "rowStride": rowStride, "rows": rows, "first": list.lowerBound, "tokens": tokens,
                "D": width, "weight": weight, "eps": eps, "gradient": gradient, "add": add, "addTokens": addTokens,
                "out": out,
            ])
    }
}

/// The gradient of `LayerNormHeads`. See `layernorm_heads_backward` in `layernorm_backward.cl`.
package struct LayerNormHeadsBackward {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.layernormBackward, "layernorm_heads_backward")
        (kernel, self.group) = (kernels[0], group)
    }

    /// `g = J^T g`, head by head, with J of the norm at `input`.
    ///
    /// - Parameters:
    ///   - input: the norm's input: `rows` rows of heads * D values, `inputStride` apart, from `inputOffset` on
    ///   - weight: [D], the same for all heads
    ///   - g: rows of the same width, `stride` apart, from `offset` on
    package func callAsFunction(
        input: Buffer<Float>, inputOffset: Int, inputStride: Int, rows: Int, heads: Int, weight: Buffer<Float>,
        eps: Float, g: Buffer<Float>, offset: Int, stride: Int
    ) throws(CLError) {
        let width = weight.count
        func holds(_ buffer: Buffer<Float>, _ offset: Int, _ stride: Int) -> Bool {
            offset >= 0 && stride >= heads * width
                && (rows == 0 || offset + (rows - 1) * stride + heads * width <= buffer.count)
        }
        guard holds(input, inputOffset, inputStride), holds(g, offset, stride) else {
            throw .shape(
                operation: "layernorm_heads_backward", expected: "\(rows) rows of \(heads) x \(width)",
                got: "\(input.count) and \(g.count)")
        }
        try kernel.launch(
            global: [group, heads, rows], local: [group, 1, 1],
            [
                "in": input, "inOffset": inputOffset, "inStride": inputStride, "D": width, "weight": weight,
                "eps": eps, "g": g, "offset": offset, "stride": stride,
            ])
    }
}

/// The gradient of `NormalizeRows`. See `normalize_rows_backward` in `layernorm_backward.cl`.
package struct NormalizeRowsBackward {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.layernormBackward, "normalize_rows_backward")
        (kernel, self.group) = (kernels[0], group)
    }

    /// `g = J^T g`, row by row, with J of the division by the length at `input`.
    /// - Parameters: input: before the division, [rows, width]; g: [rows, width]
    package func callAsFunction(input: Buffer<Float>, rows: Int, width: Int, g: Buffer<Float>) throws(CLError) {
        guard rows >= 0, width > 0, rows * width <= min(input.count, g.count) else {
            throw .shape(
                operation: "normalize_rows_backward", expected: "\(rows) rows of \(width)",
                got: "\(input.count) and \(g.count)")
        }
        try kernel.launch(global: [group, rows], local: [group, 1], ["in": input, "D": width, "g": g])
    }
}
