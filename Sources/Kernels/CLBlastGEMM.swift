import CCLBlast
import CLRuntime
import COpenCL

/// CLBlast's SGEMM, followed by our epilogue: the provider for GPUs, and the fallback everywhere.
public final class CLBlastGEMM: GEMM {
    public let name = "clblast"
    private let context: Context
    private let epilogue: BiasActivation
    /// Reused by every call, as large as the largest so far needed.
    private var temporary: Buffer<UInt8>?

    private final class Weight: GEMMWeight {
        let values: Buffer<Float>  // [N, K]
        let bias: Buffer<Float>  // [N]
        let outputs: Int, inputs: Int
        init(values: Buffer<Float>, bias: Buffer<Float>, outputs: Int, inputs: Int) {
            (self.values, self.bias, self.outputs, self.inputs) = (values, bias, outputs, inputs)
        }
    }

    public init(_ library: KernelLibrary) throws(CLError) {
        context = library.context
        epilogue = try BiasActivation(library)
    }

    deinit {
        // CLBlast keeps compiled kernels by context handle; a later context may get the same handle.
        _ = CLBlastClearCache()
    }

    public func prepare(
        weight: [Float], bias: [Float], outputs: Int, inputs: Int
    ) throws(CLError) -> any GEMMWeight {
        guard weight.count == outputs * inputs, bias.count == outputs else {
            throw .shape(operation: "gemm", expected: "[\(outputs), \(inputs)]", got: "\(weight.count) values")
        }
        return Weight(
            values: try Buffer(context, weight), bias: try Buffer(context, bias), outputs: outputs, inputs: inputs)
    }

    public func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix
    ) throws(CLError) {
        guard let weight = weight as? Weight else {
            throw .shape(operation: "gemm", expected: "a weight prepared by CLBlast", got: "another provider's")
        }
        try validate(a, weight, rows, out)
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
            bias: weight.bias, activation: activation)
    }

    /// Offsets and strides count: CLBlast copies a matrix that is not packed into a padded temporary.
    private func temporaryBytes(_ a: Matrix, rows: Int, outputs: Int, inputs: Int, _ out: Matrix) throws(CLError) -> Int {
        try temporaryBytes(
            rows: rows, outputs: outputs, inputs: inputs, aOffset: a.offset, aStride: a.stride, outOffset: out.offset,
            outStride: out.stride)
    }

    /// The worst case over offsets and strides.
    public func temporaryBytes(rows: Int, outputs: Int, inputs: Int) throws(CLError) -> Int {
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
                CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, rows, outputs, inputs, aOffset, aStride, 0,
                inputs, outOffset, outStride, queue, &bytes)
        }
        guard status == CLBlastSuccess else {
            throw .library("CLBlast", operation: "temporary buffer size", status: status.rawValue)
        }
        return bytes
    }
}
