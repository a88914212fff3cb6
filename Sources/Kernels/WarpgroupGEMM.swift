import CLRuntime

/// GEMM on the tensor cores of NVIDIA's Hopper GPUs (compute capability 9.0), by instructions of four warps together.
/// Parts, packing and order of products are those of `TensorCoreGEMM`. See `gemm_wgmma.cl`.
package final class WarpgroupGEMM: GEMM {
    struct Tile: GroupTile {
        let rows: Int, columns: Int  // BM, BN
        let efficiency: Double
        var items: Int { rows * 2 }
        var name: String { "\(rows)x\(columns)" }

        /// fp16x3 has twice as many accumulators.
        static func large(_ precision: Precision) -> Tile {
            Tile(rows: 128, columns: precision == .fp16x3 ? 128 : 256, efficiency: 1)
        }
        /// Its efficiency is a guess.
        static let small = Tile(rows: 64, columns: 64, efficiency: 0.5)
    }

    private let context: Context
    private var kernels: TileKernels<Tile>
    package let precision: Precision
    package var name: String { "warpgroups \(precision.rawValue)" }

    /// The precisions of its instructions. tf32 has another layout.
    package static let precisions: [Precision] = [.bf16x3, .bf16, .fp16, .fp16x3]

    /// - Throws: `CLError.shape` where the device or the precision is not for it; `CLError.build` where the driver
    ///   takes no PTX for sm_90a; `CLError.wrongResult` where a small product is wrong
    package convenience init(_ library: KernelLibrary, precision: Precision) throws(CLError) {
        let device = library.context.device
        guard device.hasWarpgroupMatrices else {
            throw .shape(
                operation: "gemm_wgmma", expected: "an NVIDIA GPU of compute capability 9.0", got: device.name)
        }
        try self.init(library, precision: precision, tiles: [.large(precision), .small])
        try checkSmallProduct(context, operation: "gemm_wgmma")
    }

    /// - Parameter isModel: plain OpenCL stands for the instructions, on any device
    init(
        _ library: KernelLibrary, precision: Precision, tiles: [Tile], isModel: Bool = false
    ) throws(CLError) {
        guard Self.precisions.contains(precision) else {
            throw .shape(
                operation: "gemm_wgmma", expected: Self.precisions.map(\.rawValue).joined(separator: ", "),
                got: precision.rawValue)
        }
        context = library.context
        self.precision = precision
        // PoCL 3.1 compiles the model wrongly when it optimises.
        let options = isModel ? ["-cl-opt-disable"] : []
        kernels = TileKernels(tiles, units: context.device.computeUnits) { (tile, activation) throws(CLError) in
            try library.kernel(
                .gemmWGMMA, "gemm_wgmma",
                defines: [
                    "V": 4, "MODE": precision.mode, "BM": tile.rows, "BN": tile.columns, "WGMMA_N": tile.columns,
                    "STAGES": 3, "ACTIVATION": Int(activation.rawValue), "MODEL": isModel ? 1 : 0,
                    "ASYNC": (isModel ? WeightCopies.plain : .async).rawValue,
                ], options: options, target: isModel ? nil : "sm_90a")
        }
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
