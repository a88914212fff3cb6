import CCLBlast
import CLRuntime
import COpenCL
import Foundation

/// CLBlast's SGEMM followed by our epilogue. Runs on any device.
package final class CLBlastGEMM: GEMM {
    /// The main parameters of CLBlast's Xgemm kernel, with its names for them; the others follow from these.
    package struct Tile: Sendable, Equatable, Codable {
        package var rows: Int, columns: Int, depth: Int  // MWG, NWG, KWG: the tile of a work-group
        package var rowThreads: Int, columnThreads: Int  // MDIMC, NDIMC: the shape of a work-group
        package var vector: Int  // VWM, VWN: floats per load
        package var isCached: Bool  // SA, SB: both inputs go through local memory

        package init(
            rows: Int, columns: Int, depth: Int, rowThreads: Int, columnThreads: Int, vector: Int, isCached: Bool
        ) {
            (self.rows, self.columns, self.depth) = (rows, columns, depth)
            (self.rowThreads, self.columnThreads) = (rowThreads, columnThreads)
            (self.vector, self.isCached) = (vector, isCached)
        }

        /// Whether CLBlast's kernel can be built with it: a tile read from a file may have any values.
        var isSound: Bool {
            [rows, columns, depth, rowThreads, columnThreads, vector].allSatisfy { (1...256).contains($0) }
                && [1, 2, 4, 8].contains(vector) && depth % 2 == 0
                && rows % (rowThreads * vector) == 0 && columns % (columnThreads * vector) == 0
                && depth % rowThreads == 0 && depth % columnThreads == 0
        }

        var name: String {
            "\(rows)x\(columns) k\(depth) t\(rowThreads)x\(columnThreads) v\(vector)" + (isCached ? " local" : "")
        }

        /// Explained in `xgemm_part1.opencl`.
        fileprivate var parameters: [(String, Int)] {
            let cached = isCached ? 1 : 0
            return [
                ("GEMMK", 0), ("KREG", 1), ("KWG", depth), ("KWI", 2), ("MDIMA", rowThreads), ("MDIMC", rowThreads),
                ("MWG", rows), ("NDIMB", columnThreads), ("NDIMC", columnThreads), ("NWG", columns), ("SA", cached),
                ("SB", cached), ("STRM", 0), ("STRN", 0), ("VWM", vector), ("VWN", vector),
            ]
        }
    }

    private let tile: Tile?
    package var name: String { tile.map { "clblast \($0.name)" } ?? "clblast" }
    private let context: Context
    private let epilogue: BiasActivation
    /// Reused by every call; as large as the largest call so far needed.
    private var temporary: Buffer<UInt8>?

    private final class Weight: GEMMWeight {
        let values: Buffer<Float>  // [N, K]
        let bias: Buffer<Float>  // [N]
        let outputs: Int, inputs: Int
        init(values: Buffer<Float>, bias: Buffer<Float>, outputs: Int, inputs: Int) {
            (self.values, self.bias, self.outputs, self.inputs) = (values, bias, outputs, inputs)
        }
    }

    /// - Parameter tile: nil for the parameters of CLBlast's database
    ///
    /// CLBlast keeps parameters per device for the whole process: the last provider made for a device sets them.
    package init(_ library: KernelLibrary, tile: Tile? = nil) throws(CLError) {
        context = library.context
        self.tile = tile
        epilogue = try BiasActivation(library)
        if let tile {
            guard tile.isSound else {
                throw .shape(operation: "clblast", expected: "a tile that divides by its work-items", got: tile.name)
            }
            try overrideParameters("Xgemm", tile.parameters)
        }
        // One kernel for every size instead of another for small ones, so that a small last wave gets the same bits. On
        // PoCL both give the same bits, and the many short launches of the large-size kernel are slow.
        if context.device.isGPU { try overrideParameters("GemmRoutine", [("XGEMM_MIN_INDIRECT_SIZE", 0)]) }
    }

    private func overrideParameters(_ kernel: String, _ parameters: [(String, Int)]) throws(CLError) {
        let names = parameters.map { strdup($0.0) }
        defer { names.forEach { free($0) } }
        var pointers = names.map { UnsafePointer($0) }
        let values = parameters.map(\.1)
        let status = context.withDevice { device in
            CLBlastOverrideParameters(device, kernel, CLBlastPrecisionSingle, values.count, &pointers, values)
        }
        guard status == CLBlastSuccess else {
            throw .library("CLBlast", operation: "parameters of \(kernel)", status: status.rawValue)
        }
    }

    deinit {
        // CLBlast keeps compiled kernels by context handle; a later context may get the same handle.
        _ = CLBlastClearCache()
    }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        return Weight(
            values: try Buffer(context, weight), bias: try Buffer(context, bias), outputs: outputs, inputs: inputs)
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: Weight.self, a, rows, out, residual)
        if rows == 0 { return }
        let bytes = try temporaryBytes(a, rows: rows, outputs: weight.outputs, inputs: weight.inputs, out)
        if bytes > 0, (temporary?.count ?? 0) < bytes {
            temporary = nil
            temporary = try Buffer(context, count: bytes)
        }
        let status = try context.enqueueLibrary("clblast_sgemm") { queue, event in
            CLBlastSgemmWithTempBuffer(
                CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, rows, weight.outputs, weight.inputs, 1,
                a.buffer.handle, a.offset, a.stride, weight.values.handle, 0, weight.inputs, 0, out.buffer.handle,
                out.offset, out.stride, queue, event, bytes > 0 ? temporary?.handle : nil)
        }
        guard status == CLBlastSuccess else { throw .library("CLBlast", operation: "SGEMM", status: status.rawValue) }
        context.countLibraryCall()
        try epilogue(
            out: out.buffer, offset: out.offset, stride: out.stride, rows: rows, width: weight.outputs,
            bias: weight.bias, activation: activation, residual: residual)
    }

    /// Depends on offsets and strides: CLBlast copies a matrix that is not packed into a padded temporary.
    private func temporaryBytes(_ a: Matrix, rows: Int, outputs: Int, inputs: Int, _ out: Matrix) throws(CLError) -> Int
    {
        try temporaryBytes(
            rows: rows, outputs: outputs, inputs: inputs, aOffset: a.offset, aStride: a.stride, outOffset: out.offset,
            outStride: out.stride)
    }

    /// The worst case over offsets and strides.
    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) throws(CLError) -> Int {
        try temporaryBytes(
            rows: rows, outputs: outputs, inputs: inputs, aOffset: 1, aStride: inputs + 1, outOffset: 1,
            outStride: outputs + 1)
    }

    private func temporaryBytes(
        rows: Int, outputs: Int, inputs: Int, aOffset: Int, aStride: Int, outOffset: Int, outStride: Int
    ) throws(CLError) -> Int {
        var bytes = 0
        let status = context.withQueue { queue in
            CLBlastSGemmTempBufferSize(
                CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, rows, outputs, inputs, aOffset, aStride,
                0,
                inputs, outOffset, outStride, queue, &bytes)
        }
        guard status == CLBlastSuccess else {
            throw .library("CLBlast", operation: "temporary buffer size", status: status.rawValue)
        }
        return bytes
    }
}
