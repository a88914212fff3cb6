import CLRuntime
import Kernels
import Reference

/// Checks that a product added to the residual stream has the bits of the plain product plus the stream: passes with
/// and without a stream row, an incomplete last pass, stream rows in any order.
/// - Returns: a result whose error counts the differing values, those that may not be written included
package func addsToResidual(
    _ gemm: any GEMM, _ library: KernelLibrary, passes: Int, tokens: Int, n: Int, k: Int, activation: ActivationKind,
    seed: UInt64
) throws -> VerifyResult {
    var random = SplitMix64(seed: seed)
    let m = passes * tokens - tokens / 2, rowStride = (tokens + 1) * n + 3
    // Every third pass stays in out. The others go to rows 2, 4, 6 ... of the stream, in descending order.
    let rows = (0..<passes).map { $0 % 3 == 1 ? Int32(-1) : Int32(2 * (passes - $0)) }
    let outOffset = 5, outStride = n + 2
    var stream = [Float].poison((2 * passes + 2) * rowStride + margin)
    for (pass, row) in rows.enumerated() where row >= 0 {
        let count = min(tokens, m - pass * tokens) * n, first = Int(row) * rowStride
        stream.replaceSubrange(first..<(first + count), with: random.floats(count))
    }
    let weight = try gemm.prepare(weight: random.floats(n * k), bias: random.floats(n), outputs: n, inputs: k)
    let a = Matrix(try Buffer(library.context, random.floats(m * k)), stride: k)
    let lists = try Buffer(library.context, [7, 7] + rows)
    let x = try Buffer(library.context, stream)
    func run(_ residual: ResidualRows?) throws -> [Float] {
        let out = try Buffer(library.context, [Float].poison(outOffset + m * outStride + margin))
        try gemm(
            a: a, weight: weight, rows: m, activation: activation,
            out: Matrix(out, offset: outOffset, stride: outStride),
            residual: residual)
        return try out.read()
    }
    let plain = try run(nil)
    let out = try run(ResidualRows(x: x, rowStride: rowStride, lists: lists, first: 2, tokens: tokens))
    let result = try x.read()

    var expectedStream = stream, differing = 0
    func count(_ a: Float, _ b: Float) { differing += a.bitPattern == b.bitPattern ? 0 : 1 }
    for row in 0..<m {
        let to = rows[row / tokens], from = outOffset + row * outStride
        for column in 0..<n {
            if to < 0 {
                count(out[from + column], plain[from + column])
            } else {
                expectedStream[Int(to) * rowStride + row % tokens * n + column] += plain[from + column]
            }
        }
        for gap in n..<outStride { count(out[from + gap], .poison) }
    }
    for (value, expected) in zip(result, expectedStream) { count(value, expected) }
    for value in out[..<outOffset] + out[(outOffset + m * outStride)...] { count(value, .poison) }
    return VerifyResult(
        name: "gemm \(gemm.name)",
        detail: "added to x: M \(m), N \(n), K \(k), T \(tokens)" + (activation == .none ? "" : ", \(activation)"),
        error: Double(differing), tolerance: 0)
}

/// Widths within and across panels, passes shorter and longer than tiles and row blocks, one or several K blocks.
package func residualChecks(_ gemm: any GEMM, _ library: KernelLibrary, seed: UInt64) throws -> [VerifyResult] {
    try [(7, 17, 67, 41, ActivationKind.none), (2, 101, 96, 1031, .none), (13, 1, 5, 263, .gelu)].map {
        try addsToResidual(gemm, library, passes: $0.0, tokens: $0.1, n: $0.2, k: $0.3, activation: $0.4, seed: seed)
    }
}
