import CLRuntime

/// A weight matrix in its provider's layout on the device.
package protocol GEMMWeight: AnyObject {
    var outputs: Int { get }  // N
    var inputs: Int { get }  // K
}

/// Rows of a matrix inside a buffer: the first starts at element `offset`, rows are `stride` apart.
package struct Matrix {
    package var buffer: Buffer<Float>
    package var offset: Int
    package var stride: Int

    package init(_ buffer: Buffer<Float>, offset: Int = 0, stride: Int) {
        (self.buffer, self.offset, self.stride) = (buffer, offset, stride)
    }

    /// Whether [rows, width] lies within the buffer.
    func holds(_ rows: Int, _ width: Int) -> Bool {
        rows == 0 || (offset >= 0 && stride >= width && offset + (rows - 1) * stride + width <= buffer.count)
    }
}

/// Rows of the residual stream that a GEMM's result is added to instead of being stored: `x += act(a weight^T + bias)`.
package struct ResidualRows {
    /// [*, rowStride / N, N]
    package var x: Buffer<Float>
    package var rowStride: Int
    /// From `first` on, one entry per pass: its row of x, or a negative number to store its result in `out`
    package var lists: Buffer<Int32>
    package var first: Int
    /// Rows of the GEMM per pass
    package var tokens: Int

    package init(x: Buffer<Float>, rowStride: Int, lists: Buffer<Int32>, first: Int, tokens: Int) {
        (self.x, self.rowStride, self.lists, self.first, self.tokens) = (x, rowStride, lists, first, tokens)
    }

    func validate(_ operation: String, rows: Int, width: Int) throws(CLError) {
        let passes = tokens > 0 ? (rows + tokens - 1) / tokens : 0
        guard tokens > 0, first >= 0, first + passes <= lists.count, tokens * width <= rowStride, rowStride <= x.count
        else {
            throw .shape(
                operation: operation, expected: "a row of x and a list entry for \(rows) rows of \(tokens) x \(width)",
                got: "rows of \(rowStride) in \(x.count), entries from \(first) of \(lists.count)")
        }
    }
}

/// The kernels' arguments; NoBuffer and 0 without residual rows.
extension ResidualRows? {
    var buffer: any KernelArgument { self?.x ?? NoBuffer() }
    var listBuffer: any KernelArgument { self?.lists ?? NoBuffer() }
    var rowStride: Int { self?.rowStride ?? 0 }
    var first: Int { self?.first ?? 0 }
    var tokens: Int { self?.tokens ?? 0 }
}

/// Linear maps `out = act(a weight^T + bias)`, `torch.nn.functional.linear` with an activation.
///
/// A row of the result depends on that row of `a` alone, and never on the number of rows: all kernels that a provider
/// uses for different M give the same bits. A sweep fixes its provider before it starts and records `name`.
package protocol GEMM: AnyObject {
    /// Provider and parameters, as a sweep records them.
    var name: String { get }

    /// The precision of its products
    var precision: Precision { get }

    /// Puts a weight on the device.
    /// - Parameters:
    ///   - weight: [outputs, inputs], row-major
    ///   - bias: [outputs]
    func prepare(weight: [Float], bias: [Float], outputs: Int, inputs: Int) throws(CLError) -> any GEMMWeight

    /// - Parameters:
    ///   - a: [rows, K]
    ///   - out: [rows, N]; rows that go to `residual` are undefined afterwards
    ///   - residual: nil to store all rows in `out`
    func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix, residual: ResidualRows?
    ) throws(CLError)

    /// The most bytes of device memory that a call needs besides its arguments.
    func temporaryBytes(rows: Int, outputs: Int, inputs: Int) throws(CLError) -> Int
}

/// The GEMM provider of a sweep.
package enum GEMMProvider: String, Sendable, CaseIterable, Codable {
    case clblast, packed, tiled
    /// NVIDIA's tensor cores: every precision but fp32
    case tensor
    /// Instructions of four warps on NVIDIA's Hopper GPUs: the precisions of `WarpgroupGEMM`. Only where asked for by
    /// name: it has not run on a GPU as a whole yet.
    case wgmma
    /// Matrix tiles of CPUs with Intel AMX: bf16x3 and bf16
    case amx

    /// The providers that compute in fp32
    package static let exact: [GEMMProvider] = [.clblast, .packed, .tiled]

    /// Packed on CPUs, tiled elsewhere.
    package init(device: Device) { self = device.isGPU ? .tiled : .packed }

    /// The device's provider for a precision other than fp32 (`Precision.available`)
    package init(device: Device, precision: Precision) { self = device.isCPU ? .amx : .tensor }

    /// The provider with its own choice of parameters.
    package func make(_ library: KernelLibrary) throws(CLError) -> any GEMM {
        try GEMMChoice(provider: self).make(library)
    }
}

extension GEMM {
    package var precision: Precision { .fp32 }

    func validate(_ weight: [Float], _ bias: [Float], outputs: Int, inputs: Int) throws(CLError) {
        guard weight.count == outputs * inputs, bias.count == outputs else {
            throw .shape(
                operation: "gemm", expected: "weight [\(outputs), \(inputs)] and bias [\(outputs)]",
                got: "\(weight.count) and \(bias.count) values")
        }
    }

    package func callAsFunction(
        a: Matrix, weight: any GEMMWeight, rows: Int, activation: ActivationKind, out: Matrix
    ) throws(CLError) {
        try self(a: a, weight: weight, rows: rows, activation: activation, out: out, residual: nil)
    }

    /// Casts the weight to this provider's type and checks that the matrices hold the product.
    func validated<Own: GEMMWeight>(
        _ weight: any GEMMWeight, as: Own.Type, _ a: Matrix, _ rows: Int, _ out: Matrix, _ residual: ResidualRows?
    ) throws(CLError) -> Own {
        guard let weight = weight as? Own else {
            throw .shape(operation: "gemm", expected: "a weight prepared by \(name)", got: "another provider's")
        }
        try residual?.validate("gemm", rows: rows, width: weight.outputs)
        guard a.holds(rows, weight.inputs), out.holds(rows, weight.outputs) else {
            throw .shape(
                operation: "gemm", expected: "a [\(rows), \(weight.inputs)] and out [\(rows), \(weight.outputs)]",
                got: "strides \(a.stride), \(out.stride) in \(a.buffer.count), \(out.buffer.count) values")
        }
        return weight
    }

    /// Compares a product of 65 x 67 x 41 with the host's, to refuse a driver whose compiler miscompiles inline
    /// assembly.
    func checkSmallProduct(_ context: Context, operation: String) throws(CLError) {
        let (m, n, k) = (65, 67, 41)
        func values(_ count: Int, _ factor: Int) -> [Float] {
            (0..<count).map { Float(($0 * factor) % 251) / 125 - 1 }
        }
        let a = values(m * k, 97), w = values(n * k, 89), bias = values(n, 71)
        let weight = try prepare(weight: w, bias: bias, outputs: n, inputs: k)
        let out = try Buffer<Float>(context, count: m * n)
        try self(
            a: Matrix(try Buffer(context, a), stride: k), weight: weight, rows: m, activation: .none,
            out: Matrix(out, stride: n))
        let result = try out.read()
        for row in 0..<m {
            for column in 0..<n {
                var sum = Double(bias[column]), size = abs(sum)
                for i in 0..<k {
                    let product = Double(a[row * k + i]) * Double(w[column * k + i])
                    sum += product
                    size += abs(product)
                }
                guard abs(Double(result[row * n + column]) - sum) <= size * (precision.productError + 0x1p-18) else {
                    throw .wrongResult(
                        operation: "\(operation) \(precision.rawValue)",
                        detail: "row \(row), column \(column) is \(result[row * n + column]), expected \(sum)")
                }
            }
        }
    }
}
