import CLRuntime
import Dispatch

/// Our GEMM for GPUs: register tiles fed from local memory; bias, activation and residual in the epilogue. See
/// `gemm_tiled.cl`.
package final class TiledGEMM: GEMM {
    /// The tile of a work-group and of each of its work-items.
    package struct Tile: GroupTile, Sendable, Equatable, Codable {
        package var rows: Int, columns: Int, depth: Int  // BM, BN, BK
        package var rowsPerItem: Int, columnsPerItem: Int  // TM, TN

        package init(rows: Int, columns: Int, depth: Int = 8, rowsPerItem: Int = 8, columnsPerItem: Int = 8) {
            (self.rows, self.columns, self.depth) = (rows, columns, depth)
            (self.rowsPerItem, self.columnsPerItem) = (rowsPerItem, columnsPerItem)
        }

        var items: Int { rows / rowsPerItem * (columns / columnsPerItem) }
        /// Local memory, in bytes
        var localBytes: Int {
            let padded = 8 * depth * (rows + 4 + columns)
            return padded <= 49152 ? padded : 8 * depth * (rows + columns)  // PAD of gemm_tiled.cl
        }
        /// Speed where tiles fill the device, relative to the large tile
        var efficiency: Double {
            rows * columns >= 16384 ? 1 : rows * columns >= 8192 ? 0.96 : rowsPerItem >= 8 ? 0.87 : 0.5
        }

        /// Whether a kernel can be built with it: a tile read from a file may have any values.
        package var isSound: Bool {
            [rows, columns, depth, rowsPerItem, columnsPerItem].allSatisfy { (4...256).contains($0) && $0 % 4 == 0 }
                && depth <= 64 && rowsPerItem <= 16 && columnsPerItem <= 16 && rowsPerItem * columnsPerItem <= 128
                && rows % rowsPerItem == 0 && columns % columnsPerItem == 0
        }

        /// Whether the kernel's order with `ASYNC` is defined for it
        var allowsAsyncCopies: Bool { rows / rowsPerItem % 8 == 0 && columns / columnsPerItem % 8 == 0 }

        package func fits(_ device: Device) -> Bool {
            items <= device.maxWorkGroupSize && localBytes <= device.localMemory
        }

        var name: String { "\(rows)x\(columns) k\(depth) t\(rowsPerItem)x\(columnsPerItem)" }
    }

    private let context: Context
    /// Of the provider's tile, and of smaller ones that the device can run
    private var kernels: TileKernels<Tile>
    package let name: String

    private final class Weight: GEMMWeight {
        let values: Buffer<Float>  // [paddedK, paddedN]
        let bias: Buffer<Float>  // [paddedN]
        let outputs: Int, inputs: Int, paddedOutputs: Int
        init(values: Buffer<Float>, bias: Buffer<Float>, outputs: Int, inputs: Int, paddedOutputs: Int) {
            (self.values, self.bias) = (values, bias)
            (self.outputs, self.inputs, self.paddedOutputs) = (outputs, inputs, paddedOutputs)
        }
    }

    /// - Parameter tile: nil for the first of the device's family (`DeviceFamily.tiles`) that fits
    package convenience init(_ library: KernelLibrary, tile: Tile? = nil) throws(CLError) {
        guard library.context.device.hasTensorCores else {
            try self.init(library, tile: tile, copies: .throughRegisters)
            return
        }
        // NVIDIA documents no cp.async for OpenCL: a small product shows whether it copies.
        do {
            try self.init(library, tile: tile, copies: .async)
            try checkSmallProduct(context, operation: "gemm_tiled")
        } catch .wrongResult, .build {
            try self.init(library, tile: tile, copies: .throughRegisters)
        }
    }

    init(_ library: KernelLibrary, tile: Tile?, copies: WeightCopies) throws(CLError) {
        context = library.context
        let device = context.device
        let family = DeviceFamily(isGPU: device.isGPU, vendor: device.vendor).tiles.filter { $0.fits(device) }
        guard let tile = tile ?? family.first, tile.isSound, tile.fits(device), !family.isEmpty else {
            throw .shape(
                operation: "gemm_tiled",
                expected: "a tile of at most \(device.maxWorkGroupSize) work-items and \(device.localMemory) bytes",
                got: tile?.name ?? "none")
        }
        name = "tiled \(tile.name)"
        kernels = TileKernels([tile] + family.filter { $0.rows < tile.rows }, units: device.computeUnits) {
            (tile, activation) throws(CLError) in
            try library.kernel(
                .gemmTiled, "gemm_tiled",
                defines: [
                    "V": 4, "BM": tile.rows, "BN": tile.columns, "BK": tile.depth, "TM": tile.rowsPerItem,
                    "TN": tile.columnsPerItem, "ACTIVATION": Int(activation.rawValue),
                    "ASYNC": (tile.allowsAsyncCopies ? copies : .throughRegisters).rawValue,
                ])
        }
    }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        // Padded to whole tiles of every kernel
        func padded(_ size: Int, _ parts: [Int]) -> Int { parts.map { (size + $0 - 1) / $0 * $0 }.max() ?? size }
        let n = max(4, padded(outputs, kernels.tiles.map(\.columns)))
        let k = max(4, padded(inputs, kernels.tiles.map(\.depth)))
        let values = try Buffer<Float>(context, count: k * n) { values in
            weight.withUnsafeBufferPointer { weight in
                // One thread writes each strip of columns.
                nonisolated(unsafe) let (to, from) = (values, weight)
                let strip = 64
                DispatchQueue.concurrentPerform(iterations: (n + strip - 1) / strip) { index in
                    for row in 0..<k {
                        for column in (index * strip)..<min((index + 1) * strip, n) {
                            to[row * n + column] = row < inputs && column < outputs ? from[column * inputs + row] : 0
                        }
                    }
                }
            }
        }
        return Weight(
            values: values, bias: try Buffer(context, bias + [Float](repeating: 0, count: n - outputs)),
            outputs: outputs,
            inputs: inputs, paddedOutputs: n)
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: Weight.self, a, rows, out, residual)
        if rows == 0 { return }
        let (tile, kernel) = try kernels.fastest(rows: rows, columns: weight.outputs, activation)
        let items = (tile.columns / tile.columnsPerItem, tile.rows / tile.rowsPerItem)
        try kernel.launch(
            global: [
                (weight.outputs + tile.columns - 1) / tile.columns * items.0,
                (rows + tile.rows - 1) / tile.rows * items.1,
            ], local: [items.0, items.1],
            [
                "a": a.buffer, "aOffset": a.offset, "aStride": a.stride, "w": weight.values,
                "paddedN": weight.paddedOutputs, "bias": weight.bias, "M": rows, "N": weight.outputs,
                "K": weight.inputs, "out": out.buffer, "outOffset": out.offset, "outStride": out.stride,
                "x": residual.buffer, "rowStride": residual.rowStride, "lists": residual.listBuffer,
                "first": residual.first, "tokens": residual.tokens,
            ])
    }

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) -> Int { 0 }
}
