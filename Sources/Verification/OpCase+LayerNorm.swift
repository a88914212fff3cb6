import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - stream: rows of the residual stream
    ///   - rows: the list; stream rows that are not in it hold poison
    ///   - tokens: tokens that are normed, of `allTokens`
    ///   - padding: poison between one row's end and the next row
    package static func layerNorm(
        stream: Int, rows: [Int32], tokens: Int, of allTokens: Int, width: Int, padding: Int = 0, zeroRow: Bool = false
    ) -> OpCase {
        let n = rows.count * tokens
        // Relative to |w| (mean|x| + |x - mean|) / sigma + |b|: a sum of D terms takes D roundings at most, once in the
        // mean and, halved by the square root, once in the variance; the division (2.5 ulp), the square root (3 ulp)
        // and the last steps are the 16.
        let tolerance = 1.5 * Double(width + 16) * Float.unitRoundoff
        return OpCase(
            name: "layernorm_rows", shape: "rows \(rows.count) of \(stream), T \(tokens) of \(allTokens), D \(width)",
            flops: 8 * n * width, bytes: 4 * (2 * n * width + 2 * width), tolerance: tolerance
        ) { library, random in
            let rowStride = allTokens * width + padding
            var input = [Float].poison(stream * rowStride)
            for row in Set(rows).sorted() {
                let start = Int(row) * rowStride
                input.replaceSubrange(
                    start..<(start + tokens * width), with: random.normals(tokens * width, mean: 0.5, std: 2))
            }
            if zeroRow, let row = rows.first {
                let start = Int(row) * rowStride
                input.replaceSubrange(start..<(start + width), with: repeatElement(0, count: width))
            }
            let weight = random.normals(width, mean: 1, std: 0.5), bias = random.normals(width)
            let eps: Float = 1e-6
            // Entries before and after the list that is used name other rows.
            let others = [Int32](repeating: Int32(stream - 1), count: 3)

            let operation = try LayerNorm(library)
            let context = library.context
            let inputBuffer = try Buffer(context, input), list = try Buffer(context, others + rows + others)
            let weightBuffer = try Buffer(context, weight), biasBuffer = try Buffer(context, bias)
            let out = try Buffer(context, [Float].poison(n * width + margin))
            return PreparedOp(
                launch: {
                    try operation(
                        input: inputBuffer, rowStride: rowStride, rows: list, list: 3..<(3 + rows.count),
                        tokens: tokens,
                        weight: weightBuffer, bias: biasBuffer, eps: eps, out: out)
                },
                output: { try out.read() },
                expected: {
                    let x = rows.flatMap { row in
                        input[(Int(row) * rowStride)..<(Int(row) * rowStride + tokens * width)].map(Double.init)
                    }
                    let values = Reference.layerNorm(
                        x, weight: weight.map(Double.init), bias: bias.map(Double.init), eps: Double(eps))
                    var scales: [Double] = []
                    for start in stride(from: 0, to: x.count, by: width) {
                        let row = x[start..<(start + width)]
                        let mean = row.reduce(0, +) / Double(width)
                        let size = row.reduce(0) { $0 + abs($1) } / Double(width)
                        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
                        let sigma = (variance + Double(eps)).squareRoot()
                        for (d, value) in row.enumerated() {
                            scales.append(
                                Double(abs(weight[d])) * (size + abs(value - mean)) / sigma + Double(abs(bias[d])))
                        }
                    }
                    var expected = Expected(values: values, scales: scales)
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// Widths on both sides of every vector width; lists with gaps, permutations and repeats.
    package static var layerNormCases: [OpCase] {
        [
            layerNorm(stream: 7, rows: [5, 0, 3, 1], tokens: 5, of: 5, width: 37),
            layerNorm(stream: 5, rows: [4, 1], tokens: 3, of: 7, width: 131, padding: 13),
            layerNorm(stream: 4, rows: [2, 2, 0], tokens: 1, of: 3, width: 3, padding: 1),
            layerNorm(stream: 3, rows: [0, 1, 2], tokens: 2, of: 2, width: 1031, zeroRow: true),
            layerNorm(stream: 2, rows: [1], tokens: 1, of: 1, width: 64),
            layerNorm(stream: 2, rows: [0], tokens: 1, of: 2, width: 1),
        ]
    }
}
