import CLRuntime

/// A weight matrix as its provider keeps it on the device.
public protocol GEMMWeight: AnyObject {
    var outputs: Int { get }  // N
    var inputs: Int { get }  // K
}

/// Rows of a matrix inside a buffer: element `offset` is the first, rows are `stride` apart.
public struct Matrix {
    public var buffer: Buffer<Float>
    public var offset: Int
    public var stride: Int

    public init(_ buffer: Buffer<Float>, offset: Int = 0, stride: Int) {
        (self.buffer, self.offset, self.stride) = (buffer, offset, stride)
    }

    /// Whether [rows, width] lies within the buffer.
    func holds(_ rows: Int, _ width: Int) -> Bool {
        rows == 0 || (offset >= 0 && stride >= width && offset + (rows - 1) * stride + width <= buffer.count)
    }
}

/// Linear maps `out = act(a weight^T + bias)`, `torch.nn.functional.linear` with an activation.
///
/// A row of the result depends on that row of `a` alone, and never on the number of rows: a provider uses the same
/// kernel and parameters for every M. A sweep fixes its provider before it starts and records `name`.
public protocol GEMM: AnyObject {
    /// What a sweep records: provider and parameters.
    var name: String { get }

    /// Puts a weight on the device.
    /// - Parameters:
    ///   - weight: [outputs, inputs], row-major
    ///   - bias: [outputs]
    func prepare(weight: [Float], bias: [Float], outputs: Int, inputs: Int) throws(CLError) -> any GEMMWeight

    /// - Parameters:
    ///   - a: [rows, K]
    ///   - out: [rows, N]
    func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix
    ) throws(CLError)

    /// The most bytes of device memory that a call needs beside its arguments.
    func temporaryBytes(rows: Int, outputs: Int, inputs: Int) throws(CLError) -> Int
}

/// Which provider a sweep runs on.
public enum GEMMProvider: String, Sendable, CaseIterable, Codable {
    case clblast, packed

    /// Packed on CPUs, CLBlast elsewhere.
    public init(device: Device) { self = device.isGPU ? .clblast : .packed }

    /// The provider with its own choice of parameters.
    public func make(_ library: KernelLibrary) throws(CLError) -> any GEMM { try GEMMChoice(provider: self).make(library) }
}

extension GEMM {
    func validate(_ weight: [Float], _ bias: [Float], outputs: Int, inputs: Int) throws(CLError) {
        guard weight.count == outputs * inputs, bias.count == outputs else {
            throw .shape(
                operation: "gemm", expected: "weight [\(outputs), \(inputs)] and bias [\(outputs)]",
                got: "\(weight.count) and \(bias.count) values")
        }
    }

    func validate(_ a: Matrix, _ weight: any GEMMWeight, _ rows: Int, _ out: Matrix) throws(CLError) {
        guard a.holds(rows, weight.inputs), out.holds(rows, weight.outputs) else {
            throw .shape(
                operation: "gemm", expected: "a [\(rows), \(weight.inputs)] and out [\(rows), \(weight.outputs)]",
                got: "strides \(a.stride), \(out.stride) in \(a.buffer.count), \(out.buffer.count) values")
        }
    }
}
