import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// One entry of `attention_pattern`: z of slot `to`, for one head and some queries, by the pattern of slot `from`.
    package struct PatternCase: Sendable {
        package var from: Int, to: Int, head: Int, tokens: [Int]

        package init(from: Int, to: Int, head: Int, tokens: [Int]) {
            (self.from, self.to, self.head, self.tokens) = (from, to, head, tokens)
        }
    }

    /// Queries and keys of slots that give no pattern, values of slots that receive none, and z hold poison.
    /// - Parameters:
    ///   - queries: the number of query tokens, from the first; if below `tokens`, in their own buffer, as in the last
    ///     layer
    ///   - gap: poison between queries, keys, values and the next row
    package static func attentionPattern(
        slots: Int, heads: Int, headDim: Int, tokens: Int, queries: Int, gap: Int = 0, std: Float = 1,
        hasBias: Bool = false, entries: [PatternCase]
    ) -> OpCase {
        let width = heads * headDim, asked = entries.reduce(0) { $0 + $1.tokens.count }
        return OpCase(
            name: "attention_pattern",
            shape: "\(entries.count) of \(slots) slots, H \(heads), Dh \(headDim), queries \(queries), T \(tokens)"
                + (hasBias ? ", biased scores" : ""),
            flops: asked * tokens * (4 * headDim + 4), bytes: 4 * headDim * (2 * asked + 2 * entries.count * tokens),
            tolerance: attentionTolerance(headDim: headDim, tokens: tokens), productSensitivity: 3
        ) { library, random in
            let apart = queries < tokens
            let stride = 3 * (width + gap), qStride = apart ? width + gap : stride
            let offset = 3, kOffset = offset + width + gap, vOffset = kOffset + width + gap
            var rows = [Float].poison(offset + slots * tokens * stride + margin)
            var queryRows = [Float].poison(apart ? 5 + slots * queries * qStride + margin : 0)
            let givers = Set(entries.map(\.from)), takers = Set(entries.map(\.to))
            // [slots] of [T, D]; zeros in place of poison
            let zeros = [Double](repeating: 0, count: tokens * width)
            var q = [[Double]](repeating: zeros, count: slots), k = q, v = q
            func put(_ value: Float, _ all: inout [Double], _ token: Int, _ d: Int, at: Int, in rows: inout [Float]) {
                rows[at + d] = value
                all[token * width + d] = Double(value)
            }
            for slot in 0..<slots {
                for token in 0..<tokens {
                    let row = (slot * tokens + token) * stride
                    for d in 0..<width {
                        if givers.contains(slot) {
                            let query = random.normals(1, std: std)[0], key = random.normals(1, std: std)[0]
                            put(key, &k[slot], token, d, at: kOffset + row, in: &rows)
                            if token < queries, apart {
                                put(
                                    query, &q[slot], token, d, at: 5 + (slot * queries + token) * qStride,
                                    in: &queryRows)
                            } else if token < queries {
                                put(query, &q[slot], token, d, at: offset + row, in: &rows)
                            }
                        }
                        if takers.contains(slot) {
                            put(random.normals(1)[0], &v[slot], token, d, at: vOffset + row, in: &rows)
                        }
                    }
                }
            }
            var lists: [Int32] = [0, 0, 0], tokenLists: [Int32] = []
            for entry in entries {
                tokenLists.append(Int32(lists.count))
                lists += entry.tokens.map { Int32($0) }
            }
            let first = lists.count
            for (entry, list) in zip(entries, tokenLists) {
                lists +=
                    PatternEntry(
                        from: entry.from, to: entry.to, head: entry.head, tokens: Int(list),
                        tokenCount: entry.tokens.count
                    ).ints
            }
            let (queryHeads, keyHeads, valueHeads) = (q, k, v)
            let scores = hasBias ? random.normals(heads * tokens * tokens, std: 2) : nil
            let operation = try Attention(library, headDim: headDim, hasScoreBias: hasBias)
            let context = library.context
            let bias = try scores.map { values throws(CLError) in try Buffer(context, values) }
            let kv = try Buffer(context, rows), own = apart ? try Buffer(context, queryRows) : kv
            let listBuffer = try Buffer(context, lists)
            let z = try Buffer(context, [Float].poison(slots * queries * width + margin))
            let most = entries.map(\.tokens.count).max() ?? 0
            return PreparedOp(
                launch: {
                    try operation.pattern(
                        q: .init(own, offset: apart ? 5 : offset, stride: qStride), queries: queries,
                        k: .init(kv, offset: kOffset, stride: stride), v: .init(kv, offset: vOffset, stride: stride),
                        tokens: tokens, heads: heads, scale: 1 / Float(headDim).squareRoot(), z: z, lists: listBuffer,
                        entries: Entries(first: first, count: entries.count, tokens: most), bias: bias)
                },
                output: { try z.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(slots * queries * width + margin)
                    for entry in entries {
                        let (values, scales) = attentionWithScales(
                            q: queryHeads[entry.from], k: keyHeads[entry.from], v: valueHeads[entry.to],
                            bias: scores?.map(Double.init), heads: heads, tokens: tokens, headDim: headDim)
                        for token in entry.tokens {
                            for d in (entry.head * headDim)..<((entry.head + 1) * headDim) {
                                let at = (entry.to * queries + token) * width + d
                                expected.values[at] = values[token * width + d]
                                expected.scales[at] = scales[token * width + d]
                            }
                        }
                    }
                    return expected
                })
        }
    }

    /// Several heads and lists of queries in one launch; a slot's own pattern; one query; T above a block of keys.
    package static var attentionPatternCases: [OpCase] {
        [
            attentionPattern(
                slots: 4, heads: 3, headDim: 7, tokens: 23, queries: 23, gap: 5,
                entries: [
                    PatternCase(from: 0, to: 3, head: 1, tokens: Array(0..<23)),
                    PatternCase(from: 1, to: 3, head: 2, tokens: [22, 0, 7]),
                    PatternCase(from: 0, to: 2, head: 0, tokens: [5]),
                ]),
            attentionPattern(
                slots: 3, heads: 2, headDim: 13, tokens: 19, queries: 1, gap: 1,
                entries: [
                    PatternCase(from: 2, to: 0, head: 1, tokens: [0]),
                    PatternCase(from: 1, to: 2, head: 0, tokens: [0]),
                ]),
            attentionPattern(
                slots: 2, heads: 1, headDim: 5, tokens: 67, queries: 67, std: 3,
                entries: [PatternCase(from: 1, to: 1, head: 0, tokens: Array(stride(from: 66, through: 0, by: -2)))]),
            attentionPattern(
                slots: 2, heads: 1, headDim: 1, tokens: 2, queries: 2,
                entries: [PatternCase(from: 0, to: 1, head: 0, tokens: [1])]),
            attentionPattern(
                slots: 2, heads: 2, headDim: 64, tokens: 197, queries: 197,
                entries: [PatternCase(from: 0, to: 1, head: 1, tokens: Array(0..<197))]),
            attentionPattern(
                slots: 2, heads: 2, headDim: 13, tokens: 37, queries: 37, hasBias: true,
                entries: [PatternCase(from: 0, to: 1, head: 1, tokens: [36, 0, 5])]),
            attentionPattern(
                slots: 2, heads: 1, headDim: 80, tokens: 257, queries: 257,
                entries: [PatternCase(from: 1, to: 0, head: 0, tokens: [256, 0, 31, 32])]),
        ]
    }
}
