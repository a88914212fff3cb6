import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - rows: rows in each of the three inputs; entries take them in different orders
    ///   - padding: poison between tokens, and again between rows
    ///   - summed: whether to sum over tokens too
    package static func contract(
        entries: Int, rows: Int, tokens: Int, groups: Int, groupWidth: Int, padding: Int = 0, weight: Float = 1,
        accumulate: Bool = false, summed: Bool
    ) -> OpCase {
        let width = groups * groupWidth, terms = groupWidth * (summed ? tokens : 1)
        return OpCase(
            name: summed ? "contract_summed" : "contract",
            shape: "\(entries) of \(rows) rows, T \(tokens), \(groups) groups of \(groupWidth)"
                + (accumulate ? ", added" : ""),
            flops: 3 * entries * tokens * width, bytes: 4 * 3 * entries * tokens * width,
            // A sum of that many products, relative to the sum of |g| (|s| + |r|)
            tolerance: Double(terms + 8) * Float.unitRoundoff
        ) { library, random in
            let tokenStride = width + padding, rowStride = tokens * tokenStride + padding, offset = 3
            func filled() -> [Float] {
                var values = [Float].poison(offset + rows * rowStride + margin)
                for row in 0..<rows {
                    for token in 0..<tokens {
                        let at = offset + row * rowStride + token * tokenStride
                        values.replaceSubrange(at..<(at + width), with: random.normals(width))
                    }
                }
                return values
            }
            let (g, s, r) = (filled(), filled(), filled())
            let list = (0..<entries).map { i in
                ContractEntry(
                    g: (i + 1) % rows, s: (2 * i) % rows, r: (i * i + rows - 1) % rows, out: entries - i)
            }
            let size = summed ? groups : tokens * groups, outOffset = 5
            var before = [Float].poison(outOffset + (entries + 2) * size + margin)
            if accumulate {
                let at = outOffset + size
                before.replaceSubrange(at..<(at + entries * size), with: random.normals(entries * size))
            }
            let context = library.context, operation = try Contract(library), start = before
            func place(_ values: [Float]) throws -> TokenRows {
                TokenRows(
                    try Buffer(context, values), offset: offset, rowStride: rowStride, tokenStride: tokenStride)
            }
            let (atG, atS, atR) = (try place(g), try place(s), try place(r))
            let lists = try Buffer(context, [8, 8, 8] + list.flatMap(\.ints)), out = try Buffer(context, before)
            return PreparedOp(
                launch: {
                    let entries = Entries<ContractEntry>(first: 3, count: entries)
                    if summed {
                        try operation.summed(
                            g: atG, s: atS, r: atR, tokens: tokens, groups: groups, width: width, lists: lists,
                            entries: entries, weight: weight, accumulate: accumulate, out: out, outOffset: outOffset)
                    } else {
                        try operation(
                            g: atG, s: atS, r: atR, tokens: tokens, groups: groups, width: width, lists: lists,
                            entries: entries, weight: weight, accumulate: accumulate, out: out, outOffset: outOffset)
                    }
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(start.count)
                    for entry in list {
                        for token in 0..<tokens {
                            for column in 0..<width {
                                let group = column / groupWidth
                                let to = outOffset + entry.out * size + (summed ? 0 : token * groups) + group
                                if expected.values[to].isNaN {
                                    expected.values[to] = accumulate ? Double(start[to]) : 0
                                    expected.scales[to] = abs(expected.values[to])
                                }
                                func value(_ values: [Float], _ row: Int) -> Double {
                                    Double(values[offset + row * rowStride + token * tokenStride + column])
                                }
                                let (a, b, c) = (value(g, entry.g), value(s, entry.s), value(r, entry.r))
                                expected.values[to] += Double(weight) * a * (b - c)
                                expected.scales[to] += abs(Double(weight) * a) * (abs(b) + abs(c))
                            }
                        }
                    }
                    return expected
                })
        }
    }

    /// Groups of all columns, of heads and of neurons; widths on both sides of every vector width.
    package static var contractCases: [OpCase] {
        [false, true].flatMap { summed in
            [
                contract(entries: 4, rows: 3, tokens: 5, groups: 1, groupWidth: 131, padding: 3, summed: summed),
                contract(
                    entries: 3, rows: 5, tokens: 7, groups: 3, groupWidth: 23, padding: 1, weight: -0.3,
                    accumulate: true,
                    summed: summed),
                contract(entries: 2, rows: 2, tokens: 3, groups: 197, groupWidth: 1, padding: 2, summed: summed),
                contract(
                    entries: 2, rows: 3, tokens: 19, groups: 64, groupWidth: 1, weight: 2, accumulate: true,
                    summed: summed),
                contract(entries: 1, rows: 2, tokens: 17, groups: 12, groupWidth: 64, summed: summed),
                contract(entries: 1, rows: 1, tokens: 1, groups: 1, groupWidth: 1, summed: summed),
                contract(entries: 2, rows: 4, tokens: 2, groups: 5, groupWidth: 3, summed: summed),
            ]
        }
    }
}
