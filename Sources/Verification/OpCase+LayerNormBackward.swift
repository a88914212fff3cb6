import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - stream: rows of the stream
    ///   - rows: the list; stream rows that are not in it hold poison
    ///   - tokens: tokens of each row, of `allTokens`
    ///   - addTokens: tokens whose gradient is added to an existing one; in place if all are
    package static func layerNormBackward(
        stream: Int, rows: [Int32], tokens: Int, of allTokens: Int, addTokens: Int, width: Int, padding: Int = 0
    ) -> OpCase {
        let n = rows.count * tokens, inPlace = addTokens == tokens
        // With a = (mean|x| + |x - mean|) / sigma, whose error is 1.5 (D + 16) roundings (see layerNorm), twice in the
        // last term. Each mean is a sum of D terms. All are relative to (|y| + mean|y| + a mean|y a|) / sigma + |add|.
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

    /// The gradient at the heads of rows `stride` apart, in place; values between stay unchanged.
    package static func layerNormHeadsBackward(
        rows: Int, heads: Int, width: Int, inputStride: Int, stride: Int, offset: Int
    ) -> OpCase {
        let n = rows * heads * width, inputOffset = offset + 2
        return OpCase(
            name: "layernorm_heads_backward",
            shape: "rows \(rows), H \(heads), Dh \(width), strides \(inputStride) and \(stride)", flops: 16 * n,
            bytes: 4 * 3 * n, tolerance: 4 * Double(width + 16) * Float.unitRoundoff
        ) { library, random in
            func spaced(_ offset: Int, _ stride: Int, mean: Float, std: Float) -> [Float] {
                var values = [Float].poison(offset + rows * stride + margin)
                for row in 0..<rows {
                    let at = offset + row * stride
                    values.replaceSubrange(
                        at..<(at + heads * width), with: random.normals(heads * width, mean: mean, std: std))
                }
                return values
            }
            let input = spaced(inputOffset, inputStride, mean: 0.5, std: 2),
                start = spaced(offset, stride, mean: 0, std: 1)
            let weight = random.normals(width, mean: 1, std: 0.5), eps: Float = 1e-6
            let operation = try LayerNormHeadsBackward(library), context = library.context
            let inputs = try Buffer(context, input), weights = try Buffer(context, weight)
            let g = try Buffer(context, start)
            return PreparedOp(
                launch: {
                    try operation(
                        input: inputs, inputOffset: inputOffset, inputStride: inputStride, rows: rows, heads: heads,
                        weight: weights, eps: eps, g: g, offset: offset, stride: stride)
                },
                output: { try g.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(start.count)
                    let wide = weight.map(Double.init)
                    for row in 0..<rows {
                        for head in 0..<heads {
                            let from = inputOffset + row * inputStride + head * width
                            let at = offset + row * stride + head * width
                            let x = input[from..<(from + width)].map(Double.init)
                            let own = start[at..<(at + width)].map(Double.init)
                            let values = Reference.layerNormBackward(x, weight: wide, eps: Double(eps), gradient: own)
                            let scales = layerNormBackwardScales(x, weight: wide, eps: Double(eps), gradient: own)
                            for d in 0..<width {
                                expected.values[at + d] = values[d]
                                expected.scales[at + d] = scales[d]
                            }
                        }
                    }
                    return expected
                })
        }
    }

    /// Scales of the errors of a layer norm's gradient at one token: (|y| + mean|y| + a mean|y a|) / sigma, with a =
    /// (mean|x| + |x - mean|) / sigma.
    private static func layerNormBackwardScales(
        _ x: [Double], weight: [Double], eps: Double, gradient: [Double]
    ) -> [Double] {
        let count = Double(x.count), mean = x.reduce(0, +) / count
        let size = x.reduce(0) { $0 + abs($1) } / count
        let sigma = (x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count + eps).squareRoot()
        let a = x.map { (size + abs($0 - mean)) / sigma }, y = zip(gradient, weight).map { abs($0 * $1) }
        let meanY = y.reduce(0, +) / count, meanProduct = zip(y, a).reduce(0) { $0 + $1.0 * $1.1 } / count
        return zip(y, a).map { ($0 + meanY + $1 * meanProduct) / sigma }
    }

    /// The gradient of dividing rows by their L2 norm, in place.
    package static func normalizeRowsBackward(rows: Int, width: Int) -> OpCase {
        // Sums of D terms, relative to (|g| + |n| |n| . |g|) / |x|
        OpCase(
            name: "normalize_rows_backward", shape: "[\(rows), \(width)]", flops: 6 * rows * width,
            bytes: 4 * 3 * rows * width, tolerance: 2 * Double(width + 12) * Float.unitRoundoff
        ) { library, random in
            let x = random.normals(rows * width, std: 3), start = random.normals(rows * width)
            let operation = try NormalizeRowsBackward(library)
            let input = try Buffer(library.context, x + [Float].poison(margin))
            let g = try Buffer(library.context, start + [Float].poison(margin))
            return PreparedOp(
                launch: { try operation(input: input, rows: rows, width: width, g: g) },
                output: { try g.read() },
                expected: {
                    var expected = Expected(exact: [])
                    for row in 0..<rows {
                        let own = (row * width)..<((row + 1) * width)
                        let length = x[own].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
                        let n = x[own].map { Double($0) / length }, gradient = start[own].map(Double.init)
                        let product = zip(n, gradient).reduce(0) { $0 + $1.0 * $1.1 }
                        let size = zip(n, gradient).reduce(0) { $0 + abs($1.0 * $1.1) }
                        for d in 0..<width {
                            expected.values.append((gradient[d] - n[d] * product) / length)
                            expected.scales.append((abs(gradient[d]) + abs(n[d]) * size) / length)
                        }
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// Widths on both sides of every vector width; added to no tokens, some tokens and all tokens.
    package static var layerNormBackwardCases: [OpCase] {
        [
            layerNormBackward(stream: 7, rows: [5, 0, 3, 1], tokens: 5, of: 5, addTokens: 5, width: 37),
            layerNormBackward(stream: 5, rows: [4, 1, 1], tokens: 5, of: 7, addTokens: 2, width: 131, padding: 13),
            layerNormBackward(stream: 4, rows: [2, 0], tokens: 1, of: 3, addTokens: 0, width: 3, padding: 1),
            layerNormBackward(stream: 3, rows: [0, 2], tokens: 2, of: 2, addTokens: 1, width: 1031),
            layerNormBackward(stream: 2, rows: [1], tokens: 1, of: 1, addTokens: 1, width: 64),
            layerNormBackward(stream: 2, rows: [0], tokens: 1, of: 2, addTokens: 0, width: 1),
            layerNormHeadsBackward(rows: 5, heads: 3, width: 7, inputStride: 67, stride: 63, offset: 3),
            layerNormHeadsBackward(rows: 2, heads: 2, width: 64, inputStride: 384, stride: 384, offset: 128),
            layerNormHeadsBackward(rows: 1, heads: 1, width: 131, inputStride: 131, stride: 131, offset: 0),
            normalizeRowsBackward(rows: 3, width: 37), normalizeRowsBackward(rows: 1, width: 512),
        ]
    }
}
