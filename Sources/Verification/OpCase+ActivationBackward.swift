import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - slots: of the hidden layer; those that are not in `rows` hold poison
    ///   - rows: the slot of each gradient row
    ///   - std: of the values before the activation
    package static func activationBackward(
        slots: Int, rows: [Int], elements: Int, activation: ActivationKind, std: Float = 2
    ) -> OpCase {
        let n = rows.count * elements
        return OpCase(
            name: "activation_backward", shape: "rows \(rows.count) of \(slots) slots of \(elements), \(activation)",
            flops: 20 * n, bytes: 4 * 3 * n,
            // A derivative is off by a few roundings of 1, and by one of x^2 or x times a density that falls faster
            tolerance: 12 * Float.unitRoundoff
        ) { library, random in
            let offset = 3
            var input = [Float].poison(offset + slots * elements + margin)
            for slot in Set(rows).sorted() {
                let at = offset + slot * elements
                input.replaceSubrange(at..<(at + elements), with: random.normals(elements, std: std))
                // Far out, and at the bend
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

    package static var activationBackwardCases: [OpCase] {
        ActivationKind.allCases.map {
            activationBackward(slots: 4, rows: [2, 0, 2], elements: 131, activation: $0)
        } + [
            activationBackward(slots: 1, rows: [0], elements: 3, activation: .gelu),
            activationBackward(slots: 2, rows: [1], elements: 4096, activation: .gelu, std: 4),
        ]
    }
}
