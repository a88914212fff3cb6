import CLRuntime
import Kernels
import Reference

extension ActivationKind {
    /// The reference in Double; nil for none.
    var reference: ReferenceActivation? {
        switch self {
        case .none: nil
        case .gelu: .gelu
        case .geluNew: .geluNew
        case .quickGelu: .quickGelu
        case .relu: .relu
        case .silu: .silu
        case .mish: .mish
        }
    }
}

extension OpCase {
    package static func biasActivation(
        rows: Int, width: Int, stride: Int, offset: Int, activation: ActivationKind
    ) -> OpCase {
        let tolerance = activation.roundings * Float.unitRoundoff
        return OpCase(
            name: "bias_activation", shape: "\(activation), [\(rows), \(width)], stride \(stride)", flops: rows * width,
            bytes: 4 * (2 * rows * width + width), tolerance: tolerance
        ) { library, random in
            let count = offset + rows * stride + margin
            var start = [Float].poison(count)
            for row in 0..<rows {
                let at = offset + row * stride
                // Covers the flat ends as well as the bend.
                start.replaceSubrange(at..<(at + width), with: random.normals(width, std: row % 3 == 2 ? 30 : 2))
            }
            if rows * width > 2 { start[offset] = 0 }
            let bias = random.normals(width, std: 0.5)
            let values = start
            let operation = try BiasActivation(library)
            let out = try Buffer(library.context, start), biasBuffer = try Buffer(library.context, bias)
            return PreparedOp(
                launch: {
                    try operation(
                        out: out, offset: offset, stride: stride, rows: rows, width: width, bias: biasBuffer,
                        activation: activation)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: values.map(Double.init))
                    for row in 0..<rows {
                        for column in 0..<width {
                            let at = offset + row * stride + column
                            let sum = Double(values[at]) + Double(bias[column])
                            expected.values[at] = activation.reference?(sum) ?? sum
                            expected.scales[at] = activation.roundings == 0 ? 0 : abs(sum)
                        }
                    }
                    return expected
                })
        }
    }

    /// Elements `offset` ..< `offset + count` of one buffer to another; elements outside stay poison.
    package static func activate(offset: Int, count: Int, activation: ActivationKind) -> OpCase {
        OpCase(
            name: "activate", shape: "\(activation), \(count) from \(offset)", flops: count, bytes: 4 * 2 * count,
            tolerance: activation.roundings * Float.unitRoundoff
        ) { library, random in
            let values = random.normals(offset + count + margin, std: 2)
            let operation = try Activate(library)
            let input = try Buffer(library.context, values)
            let out = try Buffer(library.context, [Float].poison(values.count))
            return PreparedOp(
                launch: {
                    try operation(input: input, out: out, range: offset..<(offset + count), activation: activation)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(values.count)
                    for at in offset..<(offset + count) {
                        let x = Double(values[at])
                        expected.values[at] = activation.reference?(x) ?? x
                        expected.scales[at] = activation.roundings == 0 ? 0 : abs(x)
                    }
                    return expected
                })
        }
    }

    /// Rows of a gate and the values it gates, side by side; elements outside stay poison.
    package static func activateGated(rows: Int, width: Int, offset: Int, activation: ActivationKind) -> OpCase {
        OpCase(
            name: "activate_gated", shape: "\(activation), [\(rows), 2 x \(width)] from \(offset)",
            flops: 2 * rows * width, bytes: 4 * 3 * rows * width,
            tolerance: (activation.roundings + 1) * Float.unitRoundoff
        ) { library, random in
            let values = random.normals(offset + 2 * rows * width, std: 2)
            let operation = try ActivateGated(library)
            let input = try Buffer(library.context, values)
            let out = try Buffer(library.context, [Float].poison(offset + 1 + rows * width + margin))
            return PreparedOp(
                launch: {
                    try operation(
                        input: input, inOffset: offset, out: out, outOffset: offset + 1, rows: rows, width: width,
                        activation: activation)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(offset + 1 + rows * width + margin)
                    for row in 0..<rows {
                        for column in 0..<width {
                            let gate = Double(values[offset + row * 2 * width + column])
                            let up = Double(values[offset + row * 2 * width + width + column])
                            let at = offset + 1 + row * width + column
                            expected.values[at] = (activation.reference?(gate) ?? gate) * up
                            expected.scales[at] = abs(gate * up)
                        }
                    }
                    return expected
                })
        }
    }

    package static var biasActivationCases: [OpCase] {
        ActivationKind.allCases.map { activate(offset: 5, count: 131, activation: $0) }
            + ActivationKind.allCases.map { activateGated(rows: 3, width: 37, offset: 5, activation: $0) }
            + [activateGated(rows: 2, width: 64, offset: 0, activation: .silu)]
            + [activate(offset: 0, count: 1, activation: .gelu), activate(offset: 3, count: 64, activation: .gelu)]
            + ActivationKind.allCases.map { biasActivation(rows: 7, width: 53, stride: 59, offset: 5, activation: $0) }
            + [
                biasActivation(rows: 1, width: 1, stride: 1, offset: 0, activation: .gelu),
                biasActivation(rows: 3, width: 64, stride: 64, offset: 0, activation: .gelu),
            ]
    }
}

extension ActivationKind {
    /// The largest number of roundings, relative to |s|, in act(s) with s = x + b.
    fileprivate var roundings: Double {
        switch self {
        // Rounding s gives the result.
        case .none, .relu: 0
        // s: 1.13 (the steepest slope), the formula: 2 (ActivationTests). 5 allows for the naive kernel's 1 + erf.
        case .gelu: 5
        // s / (1 + exp(-t)): s 1.13, t 1.1 (five roundings, damped by the sigmoid), exp (3 ulp) 1.5, the sum 1, the
        // division (2.5 ulp) 5.
        case .geluNew, .quickGelu, .silu, .mish: 10
        }
    }
}
