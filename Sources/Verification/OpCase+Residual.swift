import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// `x[dst] = o[src] + x[base]`; rows of x that are in no list, and tokens from `tokens` on, hold poison.
    package static func residualAdd(
        stream: Int, outputs: Int, dst: [Int32], base: [Int32], src: [Int32], tokens: Int, of allTokens: Int,
        width: Int,
        padding: Int = 0
    ) -> OpCase {
        let n = dst.count * tokens * width
        let births = zip(dst, base).filter { $0 != $1 }.count
        return OpCase(
            name: "residual_add", shape: "rows \(dst.count) (\(births) born), T \(tokens) of \(allTokens), D \(width)",
            flops: n, bytes: 4 * 3 * n,
            tolerance: 0  // one rounded sum
        ) { library, random in
            let rowStride = allTokens * width + padding, size = tokens * width
            var x = [Float].poison(stream * rowStride + margin)
            for row in Set(base).sorted() {
                x.replaceSubrange((Int(row) * rowStride)..<(Int(row) * rowStride + size), with: random.normals(size))
            }
            var o = [Float].poison(outputs * size)
            for row in Set(src).sorted() {
                o.replaceSubrange((Int(row) * size)..<((Int(row) + 1) * size), with: random.normals(size))
            }
            let start = x, added = o, count = dst.count
            let operation = try Residual(library)
            let xBuffer = try Buffer(library.context, x), oBuffer = try Buffer(library.context, o)
            // The lists stand apart, so that one offset taken for another reads a 0.
            let lists = try Buffer(library.context, [0] + src + [0, 0] + dst + [0, 0, 0] + base)
            return PreparedOp(
                launch: {
                    try operation.add(
                        x: xBuffer, rowStride: rowStride, o: oBuffer, lists: lists, dst: count + 3,
                        base: 2 * count + 6, src: 1, count: count, tokens: tokens, width: width)
                },
                output: { try xBuffer.read() },
                expected: {
                    var values = start.map(Double.init)
                    for i in 0..<count {
                        for j in 0..<size {
                            values[Int(dst[i]) * rowStride + j] =
                                Double(added[Int(src[i]) * size + j]) + Double(start[Int(base[i]) * rowStride + j])
                        }
                    }
                    return Expected(exact: values)
                })
        }
    }

    /// `x[dst] = x[src]`
    package static func residualCopy(
        stream: Int, dst: [Int32], src: [Int32], tokens: Int, of allTokens: Int, width: Int, padding: Int = 0
    ) -> OpCase {
        let n = dst.count * tokens * width
        return OpCase(
            name: "residual_copy", shape: "rows \(dst.count) of \(stream), T \(tokens) of \(allTokens), D \(width)",
            flops: 0, bytes: 4 * 2 * n,
            tolerance: 0  // a copy
        ) { library, random in
            let rowStride = allTokens * width + padding, size = tokens * width
            var x = [Float].poison(stream * rowStride + margin)
            for row in Set(src).sorted() {
                x.replaceSubrange((Int(row) * rowStride)..<(Int(row) * rowStride + size), with: random.normals(size))
            }
            let start = x, count = dst.count
            let operation = try Residual(library)
            let xBuffer = try Buffer(library.context, x)
            let lists = try Buffer(library.context, [0] + src + [0, 0] + dst)
            return PreparedOp(
                launch: {
                    try operation.copy(
                        x: xBuffer, rowStride: rowStride, lists: lists, dst: count + 3, src: 1, count: count,
                        tokens: tokens, width: width)
                },
                output: { try xBuffer.read() },
                expected: {
                    var values = start.map(Double.init)
                    for i in 0..<count {
                        for j in 0..<size {
                            values[Int(dst[i]) * rowStride + j] = Double(start[Int(src[i]) * rowStride + j])
                        }
                    }
                    return Expected(exact: values)
                })
        }
    }

    package static var residualCases: [OpCase] {
        [
            // In place, every row its own output, permuted
            residualAdd(
                stream: 5, outputs: 5, dst: [3, 0, 4], base: [3, 0, 4], src: [1, 4, 0], tokens: 3, of: 3, width: 37),
            // Births: rows 5 and 6 are copies of 1, row 3 of 0; two of them take the same output
            residualAdd(
                stream: 7, outputs: 3, dst: [5, 6, 3], base: [1, 1, 0], src: [2, 0, 2], tokens: 2, of: 5, width: 131,
                padding: 7),
            residualAdd(stream: 2, outputs: 1, dst: [1], base: [0], src: [0], tokens: 1, of: 1, width: 1),
            residualAdd(stream: 2, outputs: 2, dst: [0, 1], base: [0, 1], src: [1, 0], tokens: 1, of: 1, width: 64),
            residualCopy(stream: 7, dst: [6, 2, 4], src: [0, 1, 0], tokens: 3, of: 5, width: 53, padding: 3),
            residualCopy(stream: 3, dst: [0], src: [2], tokens: 4, of: 4, width: 16),
            residualCopy(stream: 2, dst: [1], src: [0], tokens: 1, of: 1, width: 1),
        ]
    }
}
