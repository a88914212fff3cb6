import CLRuntime
import Dispatch

/// Our GEMM for CPUs: weights packed once into panels, register tiles; bias, activation and residual in the epilogue.
/// See `gemm_packed.cl`.
package final class PackedGEMM: GEMM {
    /// The shape of the register tile and of the cache blocks; fixed for a context.
    package struct Tile: Sendable, Equatable, Codable {
        package var vector: Int  // V
        package var rows: Int  // MR
        package var vectors: Int  // NV
        package var depth: Int  // KC
        /// Rows of `a` per work-item, where there are many
        package var block: Int

        package init(vector: Int, rows: Int, vectors: Int, depth: Int = 768, block: Int = 96) {
            (self.vector, self.rows, self.vectors, self.depth, self.block) = (vector, rows, vectors, depth, block)
        }

        /// As many accumulators as the register file holds: 32 registers with AVX-512, 16 otherwise.
        package init(vectorWidth: Int) {
            self =
                vectorWidth >= 16
                ? Tile(vector: 16, rows: 12, vectors: 2) : Tile(vector: max(vectorWidth, 4), rows: 6, vectors: 2)
        }

        /// Whether a kernel can be built with it: a tile read from a file may have any values.
        var isSound: Bool {
            // Beyond 64 accumulators a kernel spills registers and takes minutes to compile.
            [4, 8, 16].contains(vector) && (1...32).contains(rows) && (1...8).contains(vectors) && rows * vectors <= 64
                && (16...65_536).contains(depth) && (1...4096).contains(block)
        }

        /// NR, columns in a panel
        var columns: Int { vector * vectors }
    }

    private let context: Context
    private let kernel: Kernel
    private let tile: Tile
    package var name: String { "packed \(tile.rows)x\(tile.columns) v\(tile.vector) k\(tile.depth) m\(tile.block)" }

    private final class Weight: GEMMWeight {
        let panels: Buffer<Float>  // [ceil(N / NR), K, NR]
        let bias: Buffer<Float>  // [ceil(N / NR) * NR]
        let outputs: Int, inputs: Int
        init(panels: Buffer<Float>, bias: Buffer<Float>, outputs: Int, inputs: Int) {
            (self.panels, self.bias, self.outputs, self.inputs) = (panels, bias, outputs, inputs)
        }
    }

    package init(_ library: KernelLibrary, tile: Tile? = nil) throws(CLError) {
        context = library.context
        let tile = tile ?? Tile(vectorWidth: library.tuning.vector)
        self.tile = tile
        kernel = try library.kernel(
            .gemmPacked, "gemm_packed",
            defines: ["V": tile.vector, "MR": tile.rows, "NV": tile.vectors, "KC": tile.depth])
    }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        let columns = tile.columns, count = (outputs + columns - 1) / columns
        let panels = try Buffer<Float>(context, count: count * inputs * columns) { panels in
            weight.withUnsafeBufferPointer { weight in
                // One thread writes each panel.
                nonisolated(unsafe) let (to, from) = (panels, weight)
                DispatchQueue.concurrentPerform(iterations: count) { panel in
                    for column in 0..<columns {
                        let n = panel * columns + column
                        var at = panel * inputs * columns + column
                        for k in 0..<inputs {
                            to[at] = n < outputs ? from[n * inputs + k] : 0
                            at += columns
                        }
                    }
                }
            }
        }
        return Weight(
            panels: panels,
            bias: try Buffer(context, bias + [Float](repeating: 0, count: count * columns - outputs)), outputs: outputs,
            inputs: inputs)
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: Weight.self, a, rows, out, residual)
        let panels = (weight.outputs + tile.columns - 1) / tile.columns
        let block = block(rows: rows, panels: panels)
        try kernel.launch(
            global: [panels, (rows + block - 1) / block], local: [1, 1],
            [
                "a": a.buffer, "aOffset": a.offset, "aStride": a.stride, "w": weight.panels, "bias": weight.bias,
                "M": rows, "N": weight.outputs, "K": weight.inputs, "block": block,
                "activation": Int(activation.rawValue), "out": out.buffer,
                "outOffset": out.offset, "outStride": out.stride, "x": residual.buffer, "rowStride": residual.rowStride,
                "lists": residual.listBuffer, "first": residual.first, "tokens": residual.tokens,
            ])
    }

    /// Rows per work-item. Few rows stay in one block, so that every panel is read from memory once, if there are
    /// enough panels to keep all cores busy. The result has the same bits either way.
    private func block(rows: Int, panels: Int) -> Int {
        let isFew = rows <= 2 * tile.block + tile.rows && panels >= 4 * context.device.computeUnits
        return isFew ? max(rows, 1) : tile.block
    }

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) -> Int { 0 }
}
