import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - slots: slots of the forward pass
    ///   - queries: the number of query tokens, from the first
    ///   - hasBias: whether a bias is added to the scores
    ///   - std: standard deviation of queries and keys; if large, single keys get nearly all of the weight
    package static func keyTokens(
        entries: Int, slots: Int, heads: Int, headDim: Int, tokens: Int, queries: Int, std: Float = 1,
        weight: Float = 1, accumulate: Bool = false, hasBias: Bool = false
    ) -> OpCase {
        let width = heads * headDim
        return OpCase(
            name: "key_tokens",
            shape: "\(entries) of \(slots) slots, H \(heads), Dh \(headDim), queries \(queries), T \(tokens)"
                + (accumulate ? ", added" : "") + (hasBias ? ", bias" : ""),
            flops: entries * heads * queries * tokens * 10 * headDim,
            bytes: 4 * entries * (width * (2 * queries + 3 * tokens) + heads * tokens),
            // As for attention, with z computed twice, and a sum over the queries
            tolerance: 4 * attentionTolerance(headDim: headDim, tokens: tokens)
                + Double(queries) * Float.unitRoundoff
        ) { library, random in
            let stride = 3 * width + 4, offset = 3
            var buffer = [Float].poison(offset + slots * tokens * stride + margin)
            // q, k and v: [slots, T, D]
            var parts: [[Float]] = [[], [], []]
            for part in 0..<3 {
                parts[part] = random.normals(slots * tokens * width, std: part < 2 ? std : 1)
                for row in 0..<(slots * tokens) {
                    // Tokens without a query hold poison.
                    if part == 0, row % tokens >= queries { continue }
                    let at = offset + row * stride + part * width
                    buffer.replaceSubrange(at..<(at + width), with: parts[part][(row * width)..<((row + 1) * width)])
                }
            }
            let rows = 3, g = random.normals(rows * queries * width)
            let list = (0..<entries).map { i in
                ContractEntry(g: (i + 1) % rows, s: (i + 1) % slots, r: (2 * i) % slots, out: entries - i)
            }
            let size = tokens * heads, outOffset = 5
            var before = [Float].poison(outOffset + (entries + 2) * size + margin)
            if accumulate {
                let at = outOffset + size
                before.replaceSubrange(at..<(at + entries * size), with: random.normals(entries * size))
            }
            let context = library.context, start = before
            let operation = try KeyTokens(library, headDim: headDim, hasScoreBias: hasBias)
            let scores = hasBias ? random.normals(heads * tokens * tokens) : nil
            let bias = try scores.map { values throws(CLError) in try Buffer(context, values) }
            let qkv = try Buffer(context, buffer), gradient = try Buffer(context, g + [Float].poison(margin))
            let lists = try Buffer(context, [8] + list.flatMap(\.ints)), out = try Buffer(context, before)
            func place(_ part: Int) -> TokenRows {
                TokenRows(qkv, offset: offset + part * width, rowStride: tokens * stride, tokenStride: stride)
            }
            let values = parts
            return PreparedOp(
                launch: {
                    try operation(
                        g: TokenRows(gradient, rowStride: queries * width, tokenStride: width), q: place(0),
                        k: place(1), v: place(2), queries: queries, tokens: tokens, heads: heads,
                        scale: 1 / Float(headDim).squareRoot(), lists: lists,
                        entries: Entries(first: 1, count: entries), weight: weight, accumulate: accumulate, out: out,
                        outOffset: outOffset, bias: bias)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(start.count)
                    /// [count, Dh]
                    func rows(_ from: [Float], _ row: Int, _ of: Int, _ count: Int, _ h: Int) -> [Double] {
                        (0..<count).flatMap { token in
                            (0..<headDim).map { Double(from[(row * of + token) * width + h * headDim + $0]) }
                        }
                    }
                    for entry in list {
                        for h in 0..<heads {
                            let q = rows(values[0], entry.r, tokens, queries, h)
                            let k = rows(values[1], entry.r, tokens, tokens, h)
                            let other = rows(values[1], entry.s, tokens, tokens, h)
                            let v = rows(values[2], entry.r, tokens, tokens, h)
                            let own = rows(g, entry.g, queries, queries, h)
                            let added = scores.map { $0[(h * tokens * tokens)...].map(Double.init) }
                            let changes = keyChanges(
                                q: q, k: k, v: v, other: other, bias: added, gradient: own, headDim: headDim)
                            let scale = keyScale(q: q, keys: k + other, v: v, gradient: own, headDim: headDim)
                            for key in 0..<tokens {
                                let to = outOffset + entry.out * size + key * heads + h
                                let old = accumulate ? Double(start[to]) : 0
                                expected.values[to] = old + Double(weight) * changes[key]
                                expected.scales[to] = abs(old) + abs(Double(weight)) * scale
                            }
                        }
                    }
                    return expected
                })
        }
    }

    /// The sum over queries of (|g| . max|v|) times 1 + the largest sum |q k| / sqrt(Dh)
    private static func keyScale(
        q: [Double], keys: [Double], v: [Double], gradient: [Double], headDim: Int
    ) -> Double {
        func largest(_ rows: [Double]) -> [Double] {
            rows.indices.reduce(into: [Double](repeating: 0, count: headDim)) {
                $0[$1 % headDim] = max($0[$1 % headDim], abs(rows[$1]))
            }
        }
        let (mostKey, mostValue) = (largest(keys), largest(v))
        return (0..<(q.count / headDim)).reduce(0) { sum, query in
            var score = 0.0, size = 0.0
            for d in 0..<headDim {
                score += abs(q[query * headDim + d]) * mostKey[d] / Double(headDim).squareRoot()
                size += abs(gradient[query * headDim + d]) * mostValue[d]
            }
            return sum + (1 + score) * size
        }
    }

    /// T around key blocks; few queries; scores so large that one key gets all weight; real head dimensions; a bias.
    package static var keyTokensCases: [OpCase] {
        [
            keyTokens(entries: 3, slots: 4, heads: 3, headDim: 7, tokens: 37, queries: 37),
            keyTokens(
                entries: 2, slots: 2, heads: 2, headDim: 7, tokens: 19, queries: 1, weight: -0.7, accumulate: true),
            keyTokens(entries: 1, slots: 2, heads: 1, headDim: 7, tokens: 16, queries: 16, std: 4),
            keyTokens(entries: 2, slots: 3, heads: 2, headDim: 7, tokens: 5, queries: 5, std: 5),
            keyTokens(entries: 2, slots: 3, heads: 1, headDim: 7, tokens: 67, queries: 19, std: 3),
            keyTokens(entries: 1, slots: 2, heads: 1, headDim: 7, tokens: 1, queries: 1),
            keyTokens(entries: 1, slots: 2, heads: 1, headDim: 64, tokens: 67, queries: 67),
            keyTokens(entries: 2, slots: 3, heads: 2, headDim: 7, tokens: 37, queries: 21, hasBias: true),
        ]
    }
}
