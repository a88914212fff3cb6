import CLRuntime
import Dispatch

/// GEMM on NVIDIA's tensor cores: bf16, fp16 or tf32 factors, split or not, with fp32 sums. See `gemm_mma.cl`.
package final class TensorCoreGEMM: GEMM {
    /// The tile of a work-group and of each of its warps.
    private struct Tile: GroupTile {
        let rows: Int, columns: Int  // BM, BN
        let warpRows: Int, warpColumns: Int  // WM, WN
        /// Speed where tiles fill the device, relative to the large tile
        let efficiency: Double
        var items: Int { rows / warpRows * (columns / warpColumns) * 32 }
        var name: String { "\(rows)x\(columns)" }

        /// fp16x3 has twice as many accumulators.
        static func large(_ precision: Precision) -> Tile {
            precision == .fp16x3
                ? Tile(rows: 128, columns: 64, warpRows: 32, warpColumns: 32, efficiency: 1)
                : Tile(rows: 128, columns: 128, warpRows: 64, warpColumns: 32, efficiency: 1)
        }
        static let small = Tile(rows: 64, columns: 64, warpRows: 32, warpColumns: 32, efficiency: 0.8)
    }

    private let context: Context
    private var kernels: TileKernels<Tile>
    package let precision: Precision
    package var name: String { "tensor cores \(precision.rawValue)" }

    private final class Weight: GEMMWeight {
        let values: Buffer<UInt32>  // [paddedN / 64, blocks, 64, 16]: a block has 64 bytes of each of 64 rows
        let bias: Buffer<Float>  // [paddedN]
        let outputs: Int, inputs: Int
        init(values: Buffer<UInt32>, bias: Buffer<Float>, outputs: Int, inputs: Int) {
            (self.values, self.bias, self.outputs, self.inputs) = (values, bias, outputs, inputs)
        }
    }

    /// - Throws: `CLError.shape` where the device has no tensor cores; `CLError.wrongResult` where a small product is
    ///   wrong
    package init(_ library: KernelLibrary, precision: Precision) throws(CLError) {
        let device = library.context.device
        guard precision != .fp32, device.hasTensorCores else {
            throw .shape(
                operation: "gemm_mma", expected: "a GPU with tensor cores and a precision that they support",
                got: "\(device.name), \(precision.rawValue)")
        }
        context = library.context
        self.precision = precision
        // 128 registers let two groups of 256 work-items share a multiprocessor.
        kernels = TileKernels([.large(precision), .small], units: device.computeUnits) {
            (tile, activation) throws(CLError) in
            try library.kernel(
                .gemmMMA, "gemm_mma",
                defines: [
                    "V": 4, "MODE": precision.mode, "BM": tile.rows, "BN": tile.columns, "WM": tile.warpRows,
                    "WN": tile.warpColumns, "ACTIVATION": Int(activation.rawValue),
                    "ASYNC": TiledGEMM.Copies.async.rawValue,
                ], options: ["-cl-nv-maxrregcount=128"])
        }
        try checkSmallProduct(context, operation: "gemm_mma")
    }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        let packing = SplitPacking(precision), n = max(1, (outputs + 127) / 128) * 128
        let values = try Buffer<UInt32>(context, count: packing.words(rows: n, inputs: inputs)) { values in
            packing.pack(weight, rows: outputs, paddedRows: n, inputs: inputs, into: values)
        }
        return Weight(
            values: values,
            bias: try Buffer(context, bias + [Float](repeating: 0, count: n - outputs)), outputs: outputs,
            inputs: inputs)
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: Weight.self, a, rows, out, residual)
        if rows == 0 { return }
        let (tile, kernel) = try kernels.fastest(rows: rows, columns: weight.outputs, activation)
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

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) -> Int { 0 }
}
