import CLRuntime
import Kernels

extension OpCase {
    /// The mean of some tokens of rows of a list, or of consecutive rows; what is not read is poison.
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

    package static var poolCases: [OpCase] {
        [
            pool(stored: 5, rows: [3, 0, 4], count: 3, tokens: 1..<7, of: 7, width: 37, stride: 74, offset: 37),
            pool(stored: 2, rows: nil, count: 2, tokens: 0..<9, of: 11, width: 16, stride: 16, offset: 0),
            pool(stored: 1, rows: [0], count: 1, tokens: 2..<3, of: 4, width: 131, stride: 131, offset: 3),
        ]
    }
}
