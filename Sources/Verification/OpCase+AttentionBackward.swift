import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - slots: slots of the forward pass; those that are not in `rows` hold poison
    ///   - rows: the slot of each gradient row
    ///   - queries: the number of query tokens, from the first; if below `tokens`, in their own buffer, as in the last
    ///     layer
    ///   - gap: poison between queries, keys, values and the next row
    ///   - std: standard deviation of queries and keys
    ///   - hasBias: whether a bias is added to the scores
    package static func attentionBackward(
        slots: Int, rows: [Int], heads: Int, headDim: Int, tokens: Int, queries: Int, gap: Int = 0, std: Float = 1,
        hasBias: Bool = false
    ) -> OpCase {
        let width = heads * headDim, n = rows.count
        return OpCase(
            name: "attention_backward",
            shape: "rows \(n) of \(slots) slots, H \(heads), Dh \(headDim), queries \(queries), T \(tokens)"
                + (hasBias ? ", bias" : ""),
            flops: n * heads * queries * tokens * 14 * headDim, bytes: 4 * n * width * (6 * tokens + 3 * queries),
            tolerance: 2 * attentionTolerance(headDim: headDim, tokens: tokens)
        ) { library, random in
            let apart = queries < tokens
            let stride = 3 * (width + gap), qStride = apart ? width + gap : stride
            let offset = 3, qOffset = apart ? 5 : offset, kOffset = offset + width + gap
            let vOffset = kOffset + width + gap
            var buffer = [Float].poison(offset + slots * tokens * stride + margin)
            var queryRows = [Float].poison(apart ? 5 + slots * queries * qStride + margin : 0)
            var zRows = [Float].poison(7 + slots * queries * width + margin)
            // [slots] of [H, T, Dh]; tokens without a query here have zero queries and zero gradients.
            var q = [[Double]](repeating: [], count: slots), k = q, v = q
            let zeros = [Double](repeating: 0, count: (tokens - queries) * width)
            let scores = hasBias ? random.normals(heads * tokens * tokens) : nil, added = scores?.map(Double.init)
            func split(_ x: [Double]) -> [Double] { splitHeads(x, heads: heads, tokens: tokens, headDim: headDim) }
            for slot in Set(rows).sorted() {
                let values = [
                    random.normals(queries * width, std: std), random.normals(tokens * width, std: std),
                    random.normals(tokens * width),
                ]
                for token in 0..<tokens {
                    let own = (token * width)..<((token + 1) * width), row = (slot * tokens + token) * stride
                    buffer.replaceSubrange((kOffset + row)..<(kOffset + row + width), with: values[1][own])
                    buffer.replaceSubrange((vOffset + row)..<(vOffset + row + width), with: values[2][own])
                    if token >= queries { continue }
                    if apart {
                        let at = qOffset + (slot * queries + token) * qStride
                        queryRows.replaceSubrange(at..<(at + width), with: values[0][own])
                    } else {
                        buffer.replaceSubrange((qOffset + row)..<(qOffset + row + width), with: values[0][own])
                    }
                }
                q[slot] = split(values[0].map(Double.init) + zeros)
                k[slot] = split(values[1].map(Double.init))
                v[slot] = split(values[2].map(Double.init))
                let z = joinHeads(
                    Reference.attention(
                        q: q[slot], k: k[slot], v: v[slot], bias: added, heads: heads, tokens: tokens,
                        headDim: headDim
                    ).z, heads: heads, tokens: tokens, headDim: headDim)
                let at = 7 + slot * queries * width
                zRows.replaceSubrange(at..<(at + queries * width), with: z[..<(queries * width)].map { Float($0) })
            }
            let g = random.normals(n * queries * width)
            let (qs, ks, vs) = (q, k, v)
            let operation = try AttentionBackward(library, headDim: headDim, hasScoreBias: hasBias)
            let context = library.context
            let kv = try Buffer(context, buffer), own = apart ? try Buffer(context, queryRows) : kv
            let z = try Buffer(context, zRows), lists = try Buffer(context, [9, 9] + rows.map { Int32($0) } + [9])
            let gradient = try Buffer(context, g + [Float].poison(margin))
            let bias = try scores.map { values throws(CLError) in try Buffer(context, values) }
            let statistics = try Buffer(
                context,
                [Float].poison(AttentionBackward.statistics(rows: n, queries: queries, heads: heads)))
            let out = try Buffer(context, [Float].poison(n * tokens * 3 * width + margin))
            func place(_ buffer: Buffer<Float>, _ offset: Int, _ stride: Int, _ count: Int) -> TokenRows {
                TokenRows(buffer, offset: offset, rowStride: count * stride, tokenStride: stride)
            }
            return PreparedOp(
                launch: {
                    try operation(
                        q: place(own, qOffset, qStride, apart ? queries : tokens),
                        k: place(kv, kOffset, stride, tokens), v: place(kv, vOffset, stride, tokens),
                        z: place(z, 7, width, queries), queries: queries, tokens: tokens, heads: heads,
                        scale: 1 / Float(headDim).squareRoot(), lists: lists, slots: 2..<(2 + n), g: gradient,
                        statistics: statistics, out: out, bias: bias)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [Double](repeating: 0, count: n * tokens * 3 * width))
                    for (i, slot) in rows.enumerated() {
                        let own = g[(i * queries * width)..<((i + 1) * queries * width)].map(Double.init)
                        let all = attentionBackwardWithScales(
                            q: qs[slot], k: ks[slot], v: vs[slot], bias: added, gradient: split(own + zeros),
                            heads: heads, tokens: tokens, headDim: headDim)
                        for (part, (values, scales)) in all.enumerated() {
                            for h in 0..<heads {
                                for token in 0..<tokens where part > 0 || token < queries {
                                    for d in 0..<headDim {
                                        let from = (h * tokens + token) * headDim + d
                                        let to = (i * tokens + token) * 3 * width + part * width + h * headDim + d
                                        expected.values[to] = values[from]
                                        expected.scales[to] = scales[from]
                                    }
                                }
                            }
                        }
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// Gradients at q, k and v [H, T, Dh], each with the scale of its errors: the same sums over magnitudes, times 1 +
    /// the largest sum |q k| / sqrt(Dh) of a query, as for the forward pass.
    private static func attentionBackwardWithScales(
        q: [Double], k: [Double], v: [Double], bias: [Double]?, gradient: [Double], heads: Int, tokens: Int,
        headDim: Int
    ) -> [(values: [Double], scales: [Double])] {
        let (dq, dk, dv, _) = Reference.attentionBackward(
            q: q, k: k, v: v, bias: bias, gradient: gradient, heads: heads, tokens: tokens, headDim: headDim)
        let pattern = Reference.attentionPattern(q: q, k: k, bias: bias, heads: heads, tokens: tokens, headDim: headDim)
        func sizes(_ x: [Double]) -> [Double] { x.map { abs($0) } }
        /// [H, T, T] times rows [H, T, Dh]
        func mix(_ weights: [Double], _ rows: [Double]) -> [Double] {
            attentionMix(pattern: weights, v: sizes(rows), heads: heads, tokens: tokens, headDim: headDim)
        }
        let slopes = patternGradient(
            v: sizes(v), gradient: sizes(gradient), heads: heads, tokens: tokens, headDim: headDim)
        // Scales of a score's gradient, by query and by key, and of a weight, by key
        var scores = pattern, scoresByKey = pattern, weightsByKey = pattern
        let root = Double(headDim).squareRoot()
        for h in 0..<heads {
            var largest = [Double](repeating: 0, count: headDim)
            for key in 0..<tokens {
                for d in 0..<headDim { largest[d] = max(largest[d], abs(k[(h * tokens + key) * headDim + d])) }
            }
            for query in 0..<tokens {
                let from = (h * tokens + query) * headDim, row = (h * tokens + query) * tokens
                let size = 1 + (0..<headDim).reduce(0) { $0 + abs(q[from + $1]) * largest[$1] } / root
                let mean = (0..<tokens).reduce(0) { $0 + pattern[row + $1] * slopes[row + $1] }
                for key in 0..<tokens {
                    let transposed = (h * tokens + key) * tokens + query
                    weightsByKey[transposed] = pattern[row + key] * size
                    scores[row + key] = pattern[row + key] * size * (slopes[row + key] + mean) / root
                    scoresByKey[transposed] = scores[row + key]
                }
            }
        }
        return [(dq, mix(scores, k)), (dk, mix(scoresByKey, q)), (dv, mix(weightsByKey, gradient))]
    }

    /// All cases below.
    package static var attentionBackwardCases: [OpCase] {
        attentionBackwardSmallCases + attentionBackwardWideCases + attentionBackwardOtherCases
    }

    /// T below, at and above whole blocks; slots in any order and repeated; few queries; a bias. One head dimension for
    /// all, because it is compiled in, and compiling takes longest.
    package static var attentionBackwardSmallCases: [OpCase] {
        [
            attentionBackward(slots: 4, rows: [2, 0, 2], heads: 3, headDim: 7, tokens: 37, queries: 37, gap: 5),
            attentionBackward(slots: 3, rows: [1, 2], heads: 2, headDim: 7, tokens: 23, queries: 1, gap: 1),
            attentionBackward(slots: 1, rows: [0], heads: 2, headDim: 7, tokens: 64, queries: 64),
            attentionBackward(slots: 2, rows: [1], heads: 2, headDim: 7, tokens: 67, queries: 19, std: 2),
            attentionBackward(slots: 1, rows: [0], heads: 1, headDim: 7, tokens: 139, queries: 139, gap: 2, std: 3),
            attentionBackward(slots: 1, rows: [0], heads: 1, headDim: 7, tokens: 1, queries: 1),
            attentionBackward(
                slots: 3, rows: [2, 0], heads: 2, headDim: 7, tokens: 37, queries: 37, gap: 3, hasBias: true),
            attentionBackward(slots: 1, rows: [0], heads: 2, headDim: 7, tokens: 71, queries: 35, hasBias: true),
        ]
    }

    /// Head dimensions of several vectors, the last one partial
    package static var attentionBackwardWideCases: [OpCase] {
        [
            attentionBackward(slots: 1, rows: [0], heads: 1, headDim: 72, tokens: 67, queries: 67, gap: 4),
            attentionBackward(slots: 1, rows: [0], heads: 2, headDim: 72, tokens: 131, queries: 71),
        ]
    }

    /// Head dimensions of 1, and of whole vectors
    package static var attentionBackwardOtherCases: [OpCase] {
        [
            attentionBackward(slots: 1, rows: [0], heads: 2, headDim: 1, tokens: 5, queries: 5),
            attentionBackward(slots: 1, rows: [0], heads: 1, headDim: 64, tokens: 64, queries: 64),
            attentionBackward(slots: 1, rows: [0], heads: 2, headDim: 64, tokens: 131, queries: 131),
        ]
    }
}
