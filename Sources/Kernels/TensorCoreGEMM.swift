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
                    "ASYNC": WeightCopies.async.rawValue,
                ], options: ["-cl-nv-maxrregcount=128"])
        }
        try checkSmallProduct(context, operation: "gemm_mma")
    }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        return try SplitWeight(
            context, precision, weight: weight, bias: bias, outputs: outputs, inputs: inputs)
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: SplitWeight.self, a, rows, out, residual)
        try kernels.launch(a: a, weight: weight, rows: rows, activation: activation, out: out, residual: residual)
    }

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) -> Int { 0 }
}
