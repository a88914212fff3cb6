import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - gap: poison between rows of a and of out
    ///   - offset: poison before both
    ///   - checkedRows: how many rows are compared, evenly spread; the others may hold anything but NaN
    package static func gemm(
        _ gemm: any GEMM, m: Int, n: Int, k: Int, activation: ActivationKind = .none, gap: Int = 0, offset: Int = 0,
        checkedRows: Int? = nil
    ) -> OpCase {
        // A sum of K products takes at most K + 1 roundings in any order, relative to the sum of |a w|; bias and
        // activation take fewer than 16 more (see bias_activation), and no activation is steeper than 1.13. Tensor
        // cores truncate sums instead of rounding, at twice the unit: 4 roundings for one.
        let roundings = gemm.precision == .fp32 ? 1.0 : 4
        let tolerance = 1.13 * (roundings * Double(k + 20) * Float.unitRoundoff + gemm.precision.productError)
        return OpCase(
            name: "gemm \(gemm.name)",
            shape: "M \(m), N \(n), K \(k)" + (activation == .none ? "" : ", \(activation)")
                + (gap > 0 ? ", strides + \(gap)" : ""),
            flops: 2 * m * n * k, bytes: 4 * (m * k + n * k + m * n), tolerance: tolerance
        ) { library, random in
            let aStride = k + gap, outStride = n + 2 * gap
            var a = [Float].poison(offset + m * aStride + margin)
            for row in 0..<m {
                let start = offset + row * aStride
                a.replaceSubrange(start..<(start + k), with: random.floats(k))
            }
            let weight = random.floats(n * k, in: -2...2), bias = random.floats(n)
            let input = a
            let prepared = try gemm.prepare(weight: weight, bias: bias, outputs: n, inputs: k)
            let aBuffer = try Buffer(library.context, a)
            let out = try Buffer(library.context, [Float].poison(offset + m * outStride + margin))
            return PreparedOp(
                launch: {
                    try gemm(
                        a: Matrix(aBuffer, offset: offset, stride: aStride), weight: prepared, rows: m,
                        activation: activation, out: Matrix(out, offset: offset, stride: outStride))
                },
                output: { try out.read() },
                expected: {
                    let weights = weight.map(Double.init), sizes = weights.map { abs($0) }
                    let biases = bias.map(Double.init)
                    let step = max(1, m / (checkedRows ?? m))
                    var expected = Expected(exact: [])
                    expected.appendPoison(offset)
                    for row in 0..<m {
                        if row % step == 0 {
                            let start = offset + row * aStride
                            let own = input[start..<(start + k)].map(Double.init)
                            let sums = matmul(own, weights, bias: biases, m: 1, n: n, k: k)
                            expected.values += sums.map { activation.reference?($0) ?? $0 }
                            expected.scales += matmul(
                                own.map { abs($0) }, sizes, bias: biases.map { abs($0) }, m: 1, n: n, k: k)
                        } else {
                            expected.values += [Double](repeating: 0, count: n)
                            expected.scales += [Double](repeating: .infinity, count: n)
                        }
                        expected.appendPoison(outStride - n)
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// Sizes around tiles, blocks and CLBlast's two kernels.
    package static func gemmCases(_ provider: any GEMM) -> [OpCase] {
        [
            gemm(provider, m: 1, n: 37, k: 67),
            gemm(provider, m: 7, n: 67, k: 521, activation: .gelu, gap: 3, offset: 5),
            // Past two row blocks (96) of the packed kernel
            gemm(provider, m: 197, n: 41, k: 263, gap: 1, offset: 2, checkedRows: 49),
            gemm(provider, m: 13, n: 64, k: 256, activation: .quickGelu),
            // Past one K block (768)
            gemm(provider, m: 5, n: 3, k: 1031, activation: .geluNew, offset: 7),
            gemm(provider, m: 11, n: 1, k: 1, activation: .relu, gap: 2),
            // Large enough for CLBlast's kernel for large matrices
            gemm(provider, m: 509, n: 467, k: 419, activation: .gelu, checkedRows: 3),
        ]
    }
}

/// Checks that a row's result has the same bits for any number of rows, across the provider's blocks and kernels.
/// - Returns: a result whose error counts the differing values
package func rowsAlone(_ gemm: any GEMM, _ library: KernelLibrary, seed: UInt64) throws -> VerifyResult {
    let (n, k) = (467, 419), rows = [1, 2, 3, 5, 6, 7, 12, 13, 31, 64, 95, 96, 97, 193, 509]
    let most = rows.max() ?? 1
    var random = SplitMix64(seed: seed)
    let weight = try gemm.prepare(weight: random.floats(n * k), bias: random.floats(n), outputs: n, inputs: k)
    let a = try Buffer(library.context, random.floats(most * k))
    let out = try Buffer<Float>(library.context, count: most * n)
    var whole: [Float] = []
    var differing = 0
    for m in rows.reversed() {
        try out.fill(.poison)
        try gemm(a: Matrix(a, stride: k), weight: weight, rows: m, activation: .gelu, out: Matrix(out, stride: n))
        let result = try out.read(0..<(m * n))
        if whole.isEmpty { whole = result }
        for (x, y) in zip(result, whole) where x.bitPattern != y.bitPattern { differing += 1 }
    }
    return VerifyResult(
        name: "gemm \(gemm.name)", detail: "same bits for M 1 to \(most), N \(n), K \(k)", error: Double(differing),
        tolerance: 0)
}
