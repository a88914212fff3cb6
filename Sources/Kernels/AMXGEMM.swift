import CLRuntime

/// GEMM on the matrix tiles of CPUs (Intel AMX): bf16 factors, split or not, with fp32 sums. See `gemm_amx.cl`.
package final class AMXGEMM: GEMM {
    /// Those that its units can do
    package static let precisions: [Precision] = [.bf16x3, .bf16]

    /// Values of K between which sums wait
    private static let depth = 768

    private let context: Context
    private let kernel: Kernel
    private let units: AMX.Units
    /// Most panels of a work-item's task where sums wait
    private let panels: Int
    /// Most strips of 32 rows of a task
    private let strips: Int
    /// The next task, and how many work-items have ended; zeros between launches
    private let next: Buffer<Int32>
    package let precision: Precision
    package var name: String { "amx \(precision.rawValue)" }

    private final class Weight: GEMMWeight {
        let values: Buffer<UInt32>  // [panels, steps, parts, 2, 16, 16]: AMXPacking
        let bias: Buffer<Float>  // [panels * 32]
        let outputs: Int, inputs: Int
        init(values: Buffer<UInt32>, bias: Buffer<Float>, outputs: Int, inputs: Int) {
            (self.values, self.bias, self.outputs, self.inputs) = (values, bias, outputs, inputs)
        }
    }

    /// - Throws: `CLError.shape` where the device has no AMX; `CLError.wrongResult` where a small product comes out
    ///   wrong
    package convenience init(_ library: KernelLibrary, precision: Precision) throws(CLError) {
        try self.init(library, precision: precision, units: .amx)
    }

    /// - Parameter most: the most strips of a task; nil for as many as local memory holds, 7 at most
    init(_ library: KernelLibrary, precision: Precision, units: AMX.Units, most: Int? = nil) throws(CLError) {
        let device = library.context.device
        let obstacle = units != .amx ? nil : device.isCPU ? AMX.obstacle : "it is not a CPU"
        guard Self.precisions.contains(precision), obstacle == nil else {
            throw .shape(
                operation: "gemm_amx", expected: "a CPU with AMX, and bf16x3 or bf16",
                got: "\(device.name), \(precision.rawValue)" + (obstacle.map { ": \($0)" } ?? ""))
        }
        let parts = AMXPacking(precision).parts
        // 7 strips and 24 panels are 1.3 MB with two parts, in the second-level cache of 2 MB.
        func bytes(_ strips: Int) -> Int { strips * (Self.depth / 32 * parts * 2048 + Self.panels(strips) * 4096) }
        guard let strips = (1...(most ?? 7)).last(where: { bytes($0) <= device.localMemory }) else {
            throw .shape(
                operation: "gemm_amx", expected: "\(bytes(1)) bytes of local memory", got: "\(device.localMemory)")
        }
        (self.strips, panels) = (strips, Self.panels(strips))
        (context, self.precision, self.units) = (library.context, precision, units)
        kernel = try library.kernel(
            .gemmAMX, "gemm_amx",
            defines: [
                "V": 16, "AMX_MODEL": units.rawValue, "PARTS": parts, "STRIPS": strips, "PANELS": panels,
                "KC": Self.depth,
            ])
        next = try Buffer(context, [0, 0])
        try checkSmallProduct(library.context, operation: "gemm_amx")
    }

    private static func panels(_ strips: Int) -> Int { min(24, 4 * strips) }

    package func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        try validate(weight, bias, outputs: outputs, inputs: inputs)
        let packing = AMXPacking(precision)
        let values = try Buffer<UInt32>(context, count: packing.words(outputs: outputs, inputs: inputs)) { values in
            packing.pack(weight, outputs: outputs, inputs: inputs, into: values)
        }
        let padding = [Float](repeating: 0, count: packing.panels(outputs) * 32 - outputs)
        return Weight(values: values, bias: try Buffer(context, bias + padding), outputs: outputs, inputs: inputs)
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError) {
        let weight = try validated(weight, as: Weight.self, a, rows, out, residual)
        if rows == 0 { return }
        let cores = context.device.computeUnits
        let blocks = ((rows + 31) / 32 + strips - 1) / strips, all = AMXPacking(precision).panels(weight.outputs)
        // Twice as many tasks as cores, if there are panels enough; how they are cut changes no bit.
        let least = weight.inputs > Self.depth ? (all + panels - 1) / panels : 1
        let groups = max(least, min(all, (2 * cores + blocks - 1) / blocks))
        try kernel.launch(
            global: [min(cores, blocks * groups)], local: [1],
            [
                "a": a.buffer, "aOffset": a.offset, "aStride": a.stride, "w": weight.values, "bias": weight.bias,
                "M": rows, "N": weight.outputs, "K": weight.inputs, "activation": Int(activation.rawValue),
                "out": out.buffer, "outOffset": out.offset, "outStride": out.stride, "x": residual.buffer,
                "rowStride": residual.rowStride, "lists": residual.listBuffer, "first": residual.first,
                "tokens": residual.tokens, "blocks": blocks, "groups": groups, "next": next,
            ])
    }

    package func temporaryBytes(rows: Int, outputs: Int, inputs: Int) -> Int { 0 }
}
