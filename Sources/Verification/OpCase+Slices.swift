import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// One entry of `slices_copy`
    package struct Slice: Sendable {
        package var dst: Int, src: Int, column: Int, width: Int, tokens: [Int]

        package init(dst: Int, src: Int, column: Int, width: Int, tokens: [Int]) {
            (self.dst, self.src, self.column, self.width, self.tokens) = (dst, src, column, width, tokens)
        }
    }

    /// `buffer[dst, t, columns] = buffer[src, t, columns]`; everything that is not a source holds poison.
    /// - Parameters:
    ///   - slots: number of slots [tokens, width]; `padding` floats between tokens, and again between slots
    ///   - offset: start of slot 0
    package static func slices(
        slots: Int, tokens: Int, width: Int, padding: Int = 0, offset: Int = 0, entries: [Slice]
    ) -> OpCase {
        let n = entries.reduce(0) { $0 + $1.tokens.count * $1.width }
        return OpCase(
            name: "slices_copy", shape: "\(entries.count) of \(slots) slots, T \(tokens), D \(width)", flops: 0,
            bytes: 4 * 2 * n,
            tolerance: 0  // a copy
        ) { library, random in
            let tokenStride = width + padding, slotStride = tokens * tokenStride + padding
            func start(_ slot: Int, _ token: Int, _ entry: Slice) -> Int {
                offset + slot * slotStride + token * tokenStride + entry.column
            }
            var buffer = [Float].poison(offset + slots * slotStride + margin)
            for entry in entries {
                for token in entry.tokens {
                    let from = start(entry.src, token, entry)
                    buffer.replaceSubrange(from..<(from + entry.width), with: random.normals(entry.width))
                }
            }
            // Token lists precede the entries, and a gap precedes both, so that a wrong offset shows.
            var lists: [Int32] = [0, 0, 0], tokenLists: [Int32] = []
            for entry in entries {
                tokenLists.append(Int32(lists.count))
                lists += entry.tokens.map { Int32($0) }
            }
            let first = lists.count
            for (entry, list) in zip(entries, tokenLists) {
                lists +=
                    SliceEntry(
                        dst: entry.dst, src: entry.src, column: entry.column, width: entry.width, tokens: Int(list),
                        tokenCount: entry.tokens.count
                    ).ints
            }
            let before = buffer
            let operation = try Slices(library)
            let device = try Buffer(library.context, buffer), listBuffer = try Buffer(library.context, lists)
            let most = entries.map(\.tokens.count).max() ?? 0
            return PreparedOp(
                launch: {
                    try operation(
                        buffer: device, offset: offset, slotStride: slotStride, tokenStride: tokenStride,
                        lists: listBuffer, entries: Entries(first: first, count: entries.count, tokens: most))
                },
                output: { try device.read() },
                expected: {
                    var values = before.map(Double.init)
                    for entry in entries {
                        for token in entry.tokens {
                            for d in 0..<entry.width {
                                values[start(entry.dst, token, entry) + d] = Double(
                                    before[start(entry.src, token, entry) + d])
                            }
                        }
                    }
                    return Expected(exact: values)
                })
        }
    }

    /// Widths on both sides of every vector width; entries with different widths and token lists in one launch.
    package static var slicesCases: [OpCase] {
        [
            slices(
                slots: 7, tokens: 5, width: 37, padding: 3, offset: 11,
                entries: [
                    Slice(dst: 6, src: 0, column: 0, width: 37, tokens: [4, 0, 2]),
                    Slice(dst: 2, src: 5, column: 7, width: 1, tokens: [1]),
                    Slice(dst: 3, src: 0, column: 20, width: 17, tokens: [0, 1, 2, 3, 4]),
                    Slice(dst: 3, src: 1, column: 3, width: 16, tokens: [3, 1]),
                    Slice(dst: 4, src: 1, column: 1, width: 15, tokens: [0]),
                ]),
            slices(
                slots: 2, tokens: 3, width: 131,
                entries: [Slice(dst: 0, src: 1, column: 0, width: 131, tokens: [0, 1, 2])]),
            slices(
                slots: 3, tokens: 1, width: 1, offset: 1,
                entries: [Slice(dst: 1, src: 2, column: 0, width: 1, tokens: [0])]),
            slices(
                slots: 2, tokens: 2, width: 64, entries: [Slice(dst: 1, src: 0, column: 32, width: 32, tokens: [1])]),
        ]
    }
}
