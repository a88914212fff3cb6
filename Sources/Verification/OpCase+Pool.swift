import CLRuntime
import Kernels

extension OpCase {
    /// The mean over a range of tokens, for listed or for consecutive rows; values that are not read are poison.
    package static func pool(
        stored: Int, rows: [Int]?, count: Int, tokens: Range<Int>, of all: Int, width: Int, stride: Int, offset: Int
    ) -> OpCase {
        OpCase(
            name: "pool",
            shape: "\(count) rows\(rows == nil ? "" : " of a list"), tokens \(tokens) of \(all), D \(width)",
            flops: count * tokens.count * width, bytes: 4 * count * (tokens.count + 1) * width,
            tolerance: Double(tokens.count + 1) * Float.unitRoundoff
        ) { library, random in
            let rowStride = all * width, taken = rows ?? Array(0..<count)
            var input = [Float].poison(stored * rowStride)
            for row in taken {
                let start = row * rowStride + tokens.lowerBound * width
                input.replaceSubrange(
                    start..<(start + tokens.count * width), with: random.normals(tokens.count * width))
            }
            let values = input
            let operation = try Pool(library)
            let buffer = try Buffer(library.context, input)
            let list = try rows.map { rows throws(CLError) in
                try Buffer(library.context, [Int32(-1)] + rows.map(Int32.init))
            }
            let out = try Buffer(library.context, [Float].poison(offset + count * stride + margin))
            return PreparedOp(
                launch: {
                    try operation(
                        input: buffer, rowStride: rowStride, rows: list,
                        list: rows == nil ? 0..<count : 1..<(count + 1), tokens: tokens, width: width, out: out,
                        offset: offset, stride: stride)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(offset + count * stride + margin)
                    for (i, row) in taken.enumerated() {
                        for d in 0..<width {
                            var sum = 0.0, size = 0.0
                            for token in tokens {
                                let value = Double(values[row * rowStride + token * width + d])
                                sum += value
                                size += abs(value)
                            }
                            let at = offset + i * stride + d
                            expected.values[at] = sum / Double(tokens.count)
                            expected.scales[at] = size / Double(tokens.count)
                        }
                    }
                    return expected
                })
        }
    }

    /// The gradient of a mean over `tokens`, then, accumulated, of a mean over a single token.
    package static func poolBackward(
        rows: Int, tokens: Range<Int>, of all: Int, width: Int, stride: Int, offset: Int
    ) -> OpCase {
        OpCase(
            name: "pool_backward", shape: "\(rows) rows, tokens \(tokens) of \(all), D \(width)",
            flops: 2 * rows * all * width, bytes: 4 * 3 * rows * all * width,
            tolerance: 3 * Float.unitRoundoff  // a quotient and a sum
        ) { library, random in
            var input = [Float].poison(offset + rows * stride + margin)
            for row in 0..<rows {
                let start = offset + row * stride
                input.replaceSubrange(start..<(start + width), with: random.normals(width))
            }
            let values = input, single = tokens.lowerBound
            let operation = try Pool(library), buffer = try Buffer(library.context, input)
            let out = try Buffer(library.context, [Float].poison(rows * all * width + margin))
            return PreparedOp(
                launch: {
                    for (range, accumulate) in [(tokens, false), (single..<(single + 1), true)] {
                        try operation.backward(
                            input: buffer, offset: offset, stride: stride, count: rows, tokens: range, width: width,
                            out: out, outTokens: all, accumulate: accumulate)
                    }
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    for row in 0..<rows {
                        for token in 0..<all {
                            for d in 0..<width {
                                let own = Double(values[offset + row * stride + d])
                                let share =
                                    (tokens.contains(token) ? 1 / Double(tokens.count) : 0) + (token == single ? 1 : 0)
                                expected.values.append(own * share)
                                expected.scales.append(abs(own * share))
                            }
                        }
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    package static var poolCases: [OpCase] {
        [
            pool(stored: 5, rows: [3, 0, 4], count: 3, tokens: 1..<7, of: 7, width: 37, stride: 74, offset: 37),
            pool(stored: 2, rows: nil, count: 2, tokens: 0..<9, of: 11, width: 16, stride: 16, offset: 0),
            pool(stored: 1, rows: [0], count: 1, tokens: 2..<3, of: 4, width: 131, stride: 131, offset: 3),
            poolBackward(rows: 3, tokens: 1..<7, of: 7, width: 37, stride: 74, offset: 37),
            poolBackward(rows: 2, tokens: 2..<3, of: 5, width: 131, stride: 131, offset: 0),
        ]
    }
}
