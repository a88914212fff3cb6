import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - slots: slots of the hidden layer; those that are not in `rows` hold poison
    ///   - rows: the slot of each gradient row
    ///   - std: standard deviation of the values before the activation
    package static func activationBackward(
        slots: Int, rows: [Int], elements: Int, activation: ActivationKind, std: Float = 2
    ) -> OpCase {
        let n = rows.count * elements
        return OpCase(
            name: "activation_backward", shape: "rows \(rows.count) of \(slots) slots of \(elements), \(activation)",
            flops: 20 * n, bytes: 4 * 3 * n,
            // A derivative's error: a few roundings of 1, and one of x^2 or x, times a density that falls faster
            tolerance: 12 * Float.unitRoundoff
        ) { library, random in
            let offset = 3
            var input = [Float].poison(offset + slots * elements + margin)
            for slot in Set(rows).sorted() {
                let at = offset + slot * elements
                input.replaceSubrange(at..<(at + elements), with: random.normals(elements, std: std))
                // In the tails, and at the bend
                for (i, x) in ([0, -30, 30, 1e-20, -100, 88] as [Float]).enumerated() where i < elements {
                    input[at + elements - 1 - i] = x
                }
            }
            let g = random.normals(n), before = input
            let context = library.context, operation = try ActivationBackward(library)
            let pre = try Buffer(context, input), gradient = try Buffer(context, g + [Float].poison(margin))
            let lists = try Buffer(context, [77] + rows.map { Int32($0) })
            return PreparedOp(
                launch: {
                    try operation(
                        input: pre, offset: offset, lists: lists, slots: 1..<(1 + rows.count), elements: elements,
                        activation: activation, g: gradient)
                },
                output: { try gradient.read() },
                expected: {
                    var expected = Expected(exact: [])
                    for (i, slot) in rows.enumerated() {
                        for d in 0..<elements {
                            let x = Double(before[offset + slot * elements + d]), own = Double(g[i * elements + d])
                            let slope = activation.reference?.slope(x) ?? 1
                            expected.values.append(own * slope)
                            expected.scales.append(abs(own))
                        }
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// - Parameters: as above; width: the gate's
    package static func activationBackwardGated(
        slots: Int, rows: [Int], tokens: Int, width: Int, activation: ActivationKind
    ) -> OpCase {
        let n = rows.count * tokens * width
        return OpCase(
            name: "activation_backward_gated",
            shape: "rows \(rows.count) of \(slots) slots of \(tokens) x 2 x \(width), \(activation)", flops: 30 * n,
            bytes: 4 * 5 * n,
            // The derivative's error as above, times two factors; the activation has up to 10 roundings.
            tolerance: 14 * Float.unitRoundoff
        ) { library, random in
            let offset = 5, elements = tokens * 2 * width
            var input = [Float].poison(offset + slots * elements + margin)
            for slot in Set(rows).sorted() {
                let at = offset + slot * elements
                input.replaceSubrange(at..<(at + elements), with: random.normals(elements, std: 2))
            }
            let g = random.normals(n), before = input
            let context = library.context, operation = try ActivationBackward(library)
            let pre = try Buffer(context, input), gradient = try Buffer(context, g + [Float].poison(margin))
            let lists = try Buffer(context, [77] + rows.map { Int32($0) })
            let out = try Buffer(context, [Float].poison(2 * n + margin))
            return PreparedOp(
                launch: {
                    try operation.gated(
                        input: pre, offset: offset, lists: lists, slots: 1..<(1 + rows.count), tokens: tokens,
                        width: width, activation: activation, g: gradient, out: out)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    for (i, slot) in rows.enumerated() {
                        for token in 0..<tokens {
                            let at = offset + slot * elements + token * 2 * width, own = (i * tokens + token) * width
                            func part(_ index: Int, _ d: Int) -> Double { Double(before[at + index * width + d]) }
                            for d in 0..<width {
                                let by = Double(g[own + d]) * part(1, d)
                                expected.values.append(by * (activation.reference?.slope(part(0, d)) ?? 1))
                                expected.scales.append(abs(by))
                            }
                            for d in 0..<width {
                                let gate = part(0, d), by = Double(g[own + d])
                                expected.values.append(by * (activation.reference?(gate) ?? gate))
                                expected.scales.append(abs(by * gate))
                            }
                        }
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    package static var activationBackwardCases: [OpCase] {
        ActivationKind.allCases.map {
            activationBackward(slots: 4, rows: [2, 0, 2], elements: 131, activation: $0)
        }
            + ActivationKind.allCases.map {
                activationBackwardGated(slots: 4, rows: [2, 0, 2], tokens: 3, width: 37, activation: $0)
            } + [
                activationBackwardGated(slots: 1, rows: [0], tokens: 2, width: 64, activation: .silu),
                activationBackward(slots: 1, rows: [0], elements: 3, activation: .gelu),
                activationBackward(slots: 2, rows: [1], elements: 4096, activation: .gelu, std: 4),
            ]
    }
}
