import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - queries: the number of query tokens, from the first; `tokens` for all
    ///   - apart: whether queries have their own buffer, as in the last layer, instead of lying beside keys and values
    ///   - gap: poison between queries, keys, values and the next row
    ///   - std: standard deviation of queries and keys; if large, the running maximum changes
    ///   - hasBias: whether a bias is added to the scores
    package static func attention(
        images: Int, heads: Int, headDim: Int, tokens: Int, queries: Int, apart: Bool, gap: Int = 0, std: Float = 1,
        hasBias: Bool = false
    ) -> OpCase {
        let width = heads * headDim
        return OpCase(
            name: "attention_online",
            shape: "images \(images), H \(heads), Dh \(headDim), queries \(queries), T \(tokens)"
                + (hasBias ? ", biased scores" : ""),
            flops: images * heads * queries * tokens * (4 * headDim + 4),
            bytes: 4 * images * width * (2 * queries + 2 * tokens),
            tolerance: attentionTolerance(headDim: headDim, tokens: tokens), productSensitivity: 3
        ) { library, random in
            let perRow = apart ? 2 : 3
            let stride = perRow * width + perRow * gap, qStride = apart ? width + gap : stride
            let offset = 3, kOffset = offset + (apart ? 0 : width + gap), vOffset = kOffset + width + gap
            var rows = [Float].poison(offset + images * tokens * stride + margin)
            var queryRows = [Float].poison(apart ? 5 + images * queries * qStride + margin : 0)
            func put(_ values: [Float], at start: Int, in rows: inout [Float]) {
                rows.replaceSubrange(start..<(start + values.count), with: values)
            }
            // [images] of [T, D]
            var q: [[Double]] = [], k: [[Double]] = [], v: [[Double]] = []
            for image in 0..<images {
                let queryValues = random.normals(queries * width, std: std),
                    keys = random.normals(tokens * width, std: std)
                let values = random.normals(tokens * width)
                for token in 0..<tokens {
                    let own = (token * width)..<((token + 1) * width), row = (image * tokens + token) * stride
                    put(Array(keys[own]), at: kOffset + row, in: &rows)
                    put(Array(values[own]), at: vOffset + row, in: &rows)
                    if token < queries {
                        let query = Array(queryValues[own])
                        if apart {
                            put(query, at: 5 + (image * queries + token) * qStride, in: &queryRows)
                        } else {
                            put(query, at: offset + row, in: &rows)
                        }
                    }
                }
                // The reference computes every token's query; those not used here are zeros.
                q.append(queryValues.map(Double.init) + [Double](repeating: 0, count: (tokens - queries) * width))
                k.append(keys.map(Double.init))
                v.append(values.map(Double.init))
            }
            let (queryHeads, keyHeads, valueHeads) = (q, k, v)
            let scores = hasBias ? random.normals(heads * tokens * tokens, std: 2) : nil
            let operation = try Attention(library, headDim: headDim, hasScoreBias: hasBias)
            let bias = try scores.map { values throws(CLError) in try Buffer(library.context, values) }
            let kv = try Buffer(library.context, rows), own = apart ? try Buffer(library.context, queryRows) : kv
            let z = try Buffer(library.context, [Float].poison(images * queries * width + margin))
            return PreparedOp(
                launch: {
                    try operation(
                        q: .init(own, offset: apart ? 5 : offset, stride: qStride), queries: queries,
                        k: .init(kv, offset: kOffset, stride: stride), v: .init(kv, offset: vOffset, stride: stride),
                        tokens: tokens, images: images, heads: heads, scale: 1 / Float(headDim).squareRoot(), z: z,
                        bias: bias)
                },
                output: { try z.read() },
                expected: {
                    var expected = Expected(exact: [])
                    for image in 0..<images {
                        let (values, scales) = attentionWithScales(
                            q: queryHeads[image], k: keyHeads[image], v: valueHeads[image],
                            bias: scores?.map(Double.init), heads: heads, tokens: tokens, headDim: headDim)
                        expected.values += values[..<(queries * width)]
                        expected.scales += scales[..<(queries * width)]
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// The largest allowed error of a value of z, relative to the scale of `attentionWithScales`.
    ///
    /// S is the largest sum |q k| / sqrt(Dh) of a query. A base-2 score has an error of (Dh + 4) roundings of S, and
    /// its exponential twice that. The exponential itself (3 roundings), the rescaling at each of T / 16 blocks (8
    /// roundings each) and the two sums over T keys make up the rest. All are relative to (1 + S) times the sum of p
    /// |v|. An error of products counts in a score, doubled by the exponential, and once in weight times value.
    static func attentionTolerance(headDim: Int, tokens: Int) -> Double {
        Double(2 * (headDim + 4) + 2 * tokens + 8 * ((tokens + 15) / 16) + 16) * Float.unitRoundoff
    }

    /// One image's attention output [T, D], and the scale of its errors: (1 + S) times the sum of p |v|.
    static func attentionWithScales(
        q: [Double], k: [Double], v: [Double], bias: [Double]? = nil, heads: Int, tokens: Int, headDim: Int
    ) -> (values: [Double], scales: [Double]) {
        func split(_ x: [Double]) -> [Double] { splitHeads(x, heads: heads, tokens: tokens, headDim: headDim) }
        func join(_ x: [Double]) -> [Double] { joinHeads(x, heads: heads, tokens: tokens, headDim: headDim) }
        let (q, k, v) = (split(q), split(k), split(v))
        let (z, pattern) = Reference.attention(
            q: q, k: k, v: v, bias: bias, heads: heads, tokens: tokens, headDim: headDim)
        var scales = attentionMix(
            pattern: pattern, v: v.map { abs($0) }, heads: heads, tokens: tokens, headDim: headDim)
        for h in 0..<heads {
            // |q k| <= |q| max |k| per dimension: an upper bound of S at a cost of T instead of T^2
            var largest = [Double](repeating: 0, count: headDim)
            for token in 0..<tokens {
                for d in 0..<headDim { largest[d] = max(largest[d], abs(k[(h * tokens + token) * headDim + d])) }
            }
            for token in 0..<tokens {
                let row = (h * tokens + token) * headDim
                let sum = (0..<headDim).reduce(0) { $0 + abs(q[row + $1]) * largest[$1] } / Double(headDim).squareRoot()
                let added = bias.map { bias in
                    let own = (h * tokens + token) * tokens
                    return bias[own..<(own + tokens)].reduce(0) { max($0, abs($1)) }
                }
                for d in 0..<headDim { scales[row + d] *= 1 + sum + (added ?? 0) }
            }
        }
        return (join(z), join(scales))
    }

    /// T below, at and above whole blocks of keys and vectors of queries; then heads and tokens of real models, with
    /// one to three blocks of columns and several groups of queries.
    package static var attentionCases: [OpCase] {
        [
            attention(images: 2, heads: 3, headDim: 7, tokens: 37, queries: 37, apart: false, gap: 5),
            attention(images: 3, heads: 2, headDim: 13, tokens: 23, queries: 1, apart: true, gap: 1),
            attention(images: 1, heads: 1, headDim: 16, tokens: 16, queries: 16, apart: false),
            attention(images: 1, heads: 2, headDim: 5, tokens: 67, queries: 19, apart: true, std: 3),
            attention(images: 1, heads: 1, headDim: 3, tokens: 271, queries: 271, apart: false, gap: 2, std: 3),
            attention(images: 1, heads: 1, headDim: 1, tokens: 1, queries: 1, apart: false),
            attention(images: 1, heads: 2, headDim: 64, tokens: 197, queries: 197, apart: false),
            attention(images: 1, heads: 1, headDim: 72, tokens: 257, queries: 257, apart: false, gap: 4),
            attention(images: 2, heads: 3, headDim: 7, tokens: 37, queries: 37, apart: false, hasBias: true),
            attention(images: 1, heads: 2, headDim: 64, tokens: 50, queries: 1, apart: true, hasBias: true),
            attention(images: 1, heads: 1, headDim: 80, tokens: 577, queries: 131, apart: true, std: 2),
        ]
    }
}
