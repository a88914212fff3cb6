import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - stream: rows of the residual stream
    ///   - rows: the list; stream rows that are not in it hold poison
    ///   - tokens: how many tokens of `allTokens` are normalised
    ///   - padding: poison between one row's end and the next row
    package static func layerNorm(
        stream: Int, rows: [Int32], tokens: Int, of allTokens: Int, width: Int, padding: Int = 0, zeroRow: Bool = false
    ) -> OpCase {
        let n = rows.count * tokens
        // Relative to |w| (mean|x| + |x - mean|) / sigma + |b|. A sum of D terms takes at most D roundings: one sum in
        // the mean, and one in the variance, halved by the square root. The division (2.5 ulp), the square root (3 ulp)
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
            // Entries before and after the list's range name other rows.
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

    /// Normalises the heads of rows `stride` apart, in place; values between stay unchanged.
    package static func layerNormHeads(rows: Int, heads: Int, width: Int, stride: Int, offset: Int) -> OpCase {
        let n = rows * heads * width
        return OpCase(
            name: "layernorm_heads", shape: "rows \(rows), H \(heads), Dh \(width), stride \(stride)", flops: 8 * n,
            bytes: 4 * 2 * n, tolerance: 1.5 * Double(width + 16) * Float.unitRoundoff
        ) { library, random in
            var values = [Float].poison(offset + rows * stride + margin)
            for row in 0..<rows {
                let at = offset + row * stride
                values.replaceSubrange(
                    at..<(at + heads * width), with: random.normals(heads * width, mean: 0.5, std: 2))
            }
            let weight = random.normals(width, mean: 1, std: 0.5), bias = random.normals(width)
            let eps: Float = 1e-6, start = values
            let operation = try LayerNormHeads(library), context = library.context
            let x = try Buffer(context, values), weights = try Buffer(context, weight)
            let biases = try Buffer(context, bias)
            return PreparedOp(
                launch: {
                    try operation(
                        x: x, offset: offset, stride: stride, rows: rows, heads: heads, weight: weights, bias: biases,
                        eps: eps)
                },
                output: { try x.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(start.count)
                    for row in 0..<rows {
                        for head in 0..<heads {
                            let at = offset + row * stride + head * width
                            let own = start[at..<(at + width)].map(Double.init)
                            let values = Reference.layerNorm(
                                own, weight: weight.map(Double.init), bias: bias.map(Double.init), eps: Double(eps))
                            let mean = own.reduce(0, +) / Double(width)
                            let size = own.reduce(0) { $0 + abs($1) } / Double(width)
                            let variance = own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
                            for d in 0..<width {
                                expected.values[at + d] = values[d]
                                expected.scales[at + d] =
                                    Double(abs(weight[d])) * (size + abs(own[d] - mean))
                                    / (variance + Double(eps)).squareRoot() + Double(abs(bias[d]))
                            }
                        }
                    }
                    return expected
                })
        }
    }

    /// Divides rows by their L2 norm, in place.
    package static func normalizeRows(rows: Int, width: Int, offset: Int) -> OpCase {
        // The sum of squares takes D roundings, halved by the square root (3 ulp); the division takes 2.5 ulp.
        OpCase(
            name: "normalize_rows", shape: "[\(rows), \(width)] from \(offset)", flops: 3 * rows * width,
            bytes: 4 * 2 * rows * width, tolerance: (Double(width) / 2 + 12) * Float.unitRoundoff
        ) { library, random in
            let values = random.normals(rows * width, std: 3)
            let operation = try NormalizeRows(library)
            let x = try Buffer(library.context, [Float].poison(offset) + values + [Float].poison(margin))
            return PreparedOp(
                launch: { try operation(x: x, offset: offset, rows: rows, width: width) },
                output: { try x.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(offset + rows * width + margin)
                    for row in 0..<rows {
                        let own = values[(row * width)..<((row + 1) * width)].map(Double.init)
                        let length = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
                        for (d, value) in own.enumerated() {
                            expected.values[offset + row * width + d] = value / length
                            expected.scales[offset + row * width + d] = abs(value) / length
                        }
                    }
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
            layerNormHeads(rows: 5, heads: 3, width: 7, stride: 67, offset: 3),
            layerNormHeads(rows: 2, heads: 2, width: 64, stride: 384, offset: 128),
            layerNormHeads(rows: 1, heads: 1, width: 131, stride: 131, offset: 0),
            normalizeRows(rows: 3, width: 37, offset: 5), normalizeRows(rows: 1, width: 512, offset: 0),
            normalizeRows(rows: 2, width: 1, offset: 1),
        ]
    }
}
