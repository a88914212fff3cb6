import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - stream: rows of the stream
    ///   - rows: the list; stream rows that are not in it hold poison
    ///   - tokens: tokens of each row, of `allTokens`
    ///   - addTokens: tokens that have something to be added to, in place if they are all
    package static func layerNormBackward(
        stream: Int, rows: [Int32], tokens: Int, of allTokens: Int, addTokens: Int, width: Int, padding: Int = 0
    ) -> OpCase {
        let n = rows.count * tokens, inPlace = addTokens == tokens
        // With a = (mean|x| + |x - mean|) / sigma, which is off by 1.5 (D + 16) roundings (see layerNorm), twice in the
        // last term; each mean is a sum of D terms; all relative to (|y| + mean|y| + a mean|y a|) / sigma + |add|.
        return OpCase(
            name: "layernorm_backward",
            shape: "rows \(rows.count) of \(stream), T \(tokens) of \(allTokens), D \(width), added to \(addTokens)",
            flops: 16 * n * width, bytes: 4 * (3 * n * width + rows.count * addTokens * width),
            tolerance: 4 * Double(width + 16) * Float.unitRoundoff
        ) { library, random in
            let rowStride = allTokens * width + padding
            var input = [Float].poison(stream * rowStride)
            for row in Set(rows).sorted() {
                let start = Int(row) * rowStride
                input.replaceSubrange(
                    start..<(start + tokens * width), with: random.normals(tokens * width, mean: 0.5, std: 2))
            }
            let weight = random.normals(width, mean: 1, std: 0.5), gradient = random.normals(n * width)
            let added = random.normals(rows.count * addTokens * width)
            let eps: Float = 1e-6
            let others = [Int32](repeating: Int32(stream - 1), count: 3)
            let operation = try LayerNormBackward(library), context = library.context
            let inputBuffer = try Buffer(context, input), list = try Buffer(context, others + rows + others)
            let weightBuffer = try Buffer(context, weight)
            let gradientBuffer = try Buffer(context, gradient + [Float].poison(margin))
            let add = try Buffer(context, added + [Float].poison(margin))
            let out = inPlace ? add : try Buffer(context, [Float].poison(n * width + margin))
            return PreparedOp(
                launch: {
                    try operation(
                        input: inputBuffer, rowStride: rowStride, rows: list, list: 3..<(3 + rows.count),
                        tokens: tokens, weight: weightBuffer, eps: eps, gradient: gradientBuffer, add: add,
                        addTokens: addTokens, out: out)
                },
                output: { try out.read() },
                expected: {
                    let x = rows.flatMap { row in
                        input[(Int(row) * rowStride)..<(Int(row) * rowStride + tokens * width)].map(Double.init)
                    }
                    let wide = weight.map(Double.init)
                    var values = Reference.layerNormBackward(
                        x, weight: wide, eps: Double(eps), gradient: gradient.map(Double.init))
                    var scales: [Double] = []
                    for token in 0..<n {
                        let row = x[(token * width)..<((token + 1) * width)]
                        let mean = row.reduce(0, +) / Double(width)
                        let size = row.reduce(0) { $0 + abs($1) } / Double(width)
                        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
                        let sigma = (variance + Double(eps)).squareRoot()
                        let a = row.map { (size + abs($0 - mean)) / sigma }
                        let y = (0..<width).map { abs(Double(gradient[token * width + $0]) * wide[$0]) }
                        let meanY = y.reduce(0, +) / Double(width)
                        let meanProduct = zip(y, a).reduce(0) { $0 + $1.0 * $1.1 } / Double(width)
                        let (i, t) = (token / tokens, token % tokens)
                        for d in 0..<width {
                            var scale = (y[d] + meanY + a[d] * meanProduct) / sigma
                            if t < addTokens {
                                let other = Double(added[(i * addTokens + t) * width + d])
                                values[token * width + d] += other
                                scale += abs(other)
                            }
                            scales.append(scale)
                        }
                    }
                    var expected = Expected(values: values, scales: scales)
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// Widths on both sides of every vector width; nothing, some tokens and all tokens added to.
    package static var layerNormBackwardCases: [OpCase] {
        [
            layerNormBackward(stream: 7, rows: [5, 0, 3, 1], tokens: 5, of: 5, addTokens: 5, width: 37),
            layerNormBackward(stream: 5, rows: [4, 1, 1], tokens: 5, of: 7, addTokens: 2, width: 131, padding: 13),
            layerNormBackward(stream: 4, rows: [2, 0], tokens: 1, of: 3, addTokens: 0, width: 3, padding: 1),
            layerNormBackward(stream: 3, rows: [0, 2], tokens: 2, of: 2, addTokens: 1, width: 1031),
            layerNormBackward(stream: 2, rows: [1], tokens: 1, of: 1, addTokens: 1, width: 64),
            layerNormBackward(stream: 2, rows: [0], tokens: 1, of: 2, addTokens: 0, width: 1),
        ]
    }
}
