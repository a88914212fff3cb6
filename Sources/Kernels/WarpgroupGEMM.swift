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
        static let small = Tile(rows: 64, columns: 64, efficiency: 0.5)
    }

    private let context: Context
    private var kernels: TileKernels<Tile>
    package let precision: Precision
    package var name: String { "warpgroups \(precision.rawValue)" }

    /// The precisions of its instructions. tf32 has another layout.
    package static let precisions: [Precision] = [.bf16x3, .bf16, .fp16, .fp16x3]

    private final class Weight: GEMMWeight {
        let values: Buffer<UInt32>  // as TensorCoreGEMM's
        let bias: Buffer<Float>  // [paddedN]
        let outputs: Int, inputs: Int
        init(values: Buffer<UInt32>, bias: Buffer<Float>, outputs: Int, inputs: Int) {
            (self.values, self.bias, self.outputs, self.inputs) = (values, bias, outputs, inputs)
        }
    }

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
                    "ASYNC": (isModel ? TiledGEMM.Copies.plain : .async).rawValue,
                ], options: options, target: isModel ? nil : "sm_90a")
        }
    }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        let packing = SplitPacking(precision), n = max(1, (outputs + 255) / 256) * 256
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
