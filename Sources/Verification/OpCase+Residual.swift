import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// `x[dst] = o[src] + x[base]`; rows of x in no list, and tokens from `tokens` on, hold poison.
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
            // Gaps of zeros separate the lists, so that a wrong offset reads a 0.
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

    /// `x[dst] = x[a] + t (x[b] - x[a])`
    package static func residualBlend(stream: Int, dst: [Int32], a: [Int32], b: [Int32], t: Float, size: Int) -> OpCase
    {
        OpCase(
            name: "residual_blend", shape: "rows \(dst.count) of \(stream), \(size) values, t \(t)",
            flops: 2 * dst.count * size, bytes: 4 * 3 * dst.count * size,
            tolerance: 3 * Float.unitRoundoff  // a difference and a fused multiply-add
        ) { library, random in
            var x = [Float].poison(stream * size + margin)
            for row in Set(a + b).sorted() {
                x.replaceSubrange((Int(row) * size)..<((Int(row) + 1) * size), with: random.normals(size))
            }
            let start = x, count = dst.count
            let operation = try Residual(library)
            let xBuffer = try Buffer(library.context, x), lists = try Buffer(library.context, [0] + a + b + [0] + dst)
            return PreparedOp(
                launch: {
                    try operation.blend(
                        x: xBuffer, lists: lists, dst: 2 * count + 2, a: 1, b: 1 + count, count: count, t: t,
                        rowElements: size)
                },
                output: { try xBuffer.read() },
                expected: {
                    var expected = Expected(exact: start.map(Double.init))
                    for i in 0..<count {
                        for j in 0..<size {
                            let from = Double(start[Int(a[i]) * size + j]), to = Double(start[Int(b[i]) * size + j])
                            expected.values[Int(dst[i]) * size + j] = from + Double(t) * (to - from)
                            expected.scales[Int(dst[i]) * size + j] = abs(from) + abs(to)
                        }
                    }
                    return expected
                })
        }
    }

    /// `o[position + i] = x[a] - x[b]`
    package static func residualDifference(
        stream: Int, a: [Int32], b: [Int32], tokens: Int, of allTokens: Int, width: Int, padding: Int = 0, position: Int
    ) -> OpCase {
        let count = a.count, size = tokens * width
        return OpCase(
            name: "residual_difference", shape: "rows \(count) of \(stream), T \(tokens) of \(allTokens), D \(width)",
            flops: count * size, bytes: 4 * 3 * count * size,
            tolerance: 0  // one rounded difference
        ) { library, random in
            let rowStride = allTokens * width + padding
            var x = [Float].poison(stream * rowStride + margin)
            for row in Set(a + b).sorted() {
                x.replaceSubrange((Int(row) * rowStride)..<(Int(row) * rowStride + size), with: random.normals(size))
            }
            let values = x
            let operation = try Residual(library), xBuffer = try Buffer(library.context, x)
            let lists = try Buffer(library.context, [0] + a + [0, 0] + b)
            let o = try Buffer(library.context, [Float].poison((position + count) * size + margin))
            return PreparedOp(
                launch: {
                    try operation.difference(
                        x: xBuffer, rowStride: rowStride, lists: lists, a: 1, b: count + 3, count: count,
                        tokens: tokens, width: width, o: o, position: position)
                },
                output: { try o.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(position * size)
                    for i in 0..<count {
                        for j in 0..<size {
                            expected.values.append(
                                Double(values[Int(a[i]) * rowStride + j]) - Double(values[Int(b[i]) * rowStride + j]))
                            expected.scales.append(0)
                        }
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    package static var residualCases: [OpCase] {
        [
            // In place, each row with its own output, permuted
            residualAdd(
                stream: 5, outputs: 5, dst: [3, 0, 4], base: [3, 0, 4], src: [1, 4, 0], tokens: 3, of: 3, width: 37),
            // Births: rows 5 and 6 start from row 1, row 3 from row 0; two of them read the same output
            residualAdd(
                stream: 7, outputs: 3, dst: [5, 6, 3], base: [1, 1, 0], src: [2, 0, 2], tokens: 2, of: 5, width: 131,
                padding: 7),
            residualAdd(stream: 2, outputs: 1, dst: [1], base: [0], src: [0], tokens: 1, of: 1, width: 1),
            residualAdd(stream: 2, outputs: 2, dst: [0, 1], base: [0, 1], src: [1, 0], tokens: 1, of: 1, width: 64),
            residualCopy(stream: 7, dst: [6, 2, 4], src: [0, 1, 0], tokens: 3, of: 5, width: 53, padding: 3),
            residualCopy(stream: 3, dst: [0], src: [2], tokens: 4, of: 4, width: 16),
            residualCopy(stream: 2, dst: [1], src: [0], tokens: 1, of: 1, width: 1),
            residualBlend(stream: 6, dst: [5, 2], a: [0, 3], b: [1, 1], t: 0.3, size: 131),
            residualBlend(stream: 3, dst: [2], a: [0], b: [1], t: 0.9, size: 64),
            residualBlend(stream: 3, dst: [1], a: [0], b: [2], t: 0.5, size: 1),
            residualDifference(
                stream: 7, a: [6, 2, 4], b: [0, 1, 0], tokens: 3, of: 5, width: 53, padding: 3, position: 2),
            residualDifference(stream: 3, a: [0], b: [2], tokens: 4, of: 4, width: 16, position: 0),
        ]
    }
}
