import CLRuntime

/// A weight of the providers on NVIDIA's tensor cores, packed by `SplitPacking`.
final class SplitWeight: GEMMWeight {
    let values: Buffer<UInt32>  // [paddedN / 64, blocks, 64, 16]: a block has 64 bytes of each of 64 rows
    let bias: Buffer<Float>  // [paddedN]
    let outputs: Int, inputs: Int

    /// Outputs are padded to a multiple of 256, the columns of the widest tile of both providers.
    init(
        _ context: Context, _ precision: Precision, weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) {
        let packing = SplitPacking(precision), n = max(1, (outputs + 255) / 256) * 256
        values = try Buffer<UInt32>(context, count: packing.words(rows: n, inputs: inputs)) { values in
            packing.pack(weight, rows: outputs, paddedRows: n, inputs: inputs, into: values)
        }
        self.bias = try Buffer(context, bias + [Float](repeating: 0, count: n - outputs))
        (self.outputs, self.inputs) = (outputs, inputs)
    }
}

extension TileKernels {
    /// The product by the fastest tile's kernel: `gemm_mma` or `gemm_wgmma`, whose arguments are the same.
    mutating func launch(
        a: Matrix, weight: SplitWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        if rows == 0 { return }
        let (tile, kernel) = try fastest(rows: rows, columns: weight.outputs, activation)
        try kernel.launch(
            global: [
                (weight.outputs + tile.columns - 1) / tile.columns * tile.items, (rows + tile.rows - 1) / tile.rows,
            ],
            local: [tile.items, 1],
            [
                "a": a.buffer, "aOffset": a.offset, "aStride": a.stride, "w": weight.values, "bias": weight.bias,
                "M": rows, "N": weight.outputs, "K": weight.inputs, "out": out.buffer, "outOffset": out.offset,
                "outStride": out.stride, "x": residual.buffer, "rowStride": residual.rowStride,
                "lists": residual.listBuffer, "first": residual.first, "tokens": residual.tokens,
            ])
    }
}
