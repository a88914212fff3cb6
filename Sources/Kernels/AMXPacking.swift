import Dispatch

/// How a weight lies in memory for `gemm_amx.cl`: split into bf16 parts, in tiles of 16 pairs of K by 16 columns.
///
/// 32 columns and 32 values of K are, a part, two tiles of 1 KB, the first 16 columns first; hi before lo.
struct AMXPacking {
    /// 2 for bf16x3, 1 for bf16
    let parts: Int

    init(_ precision: Precision) { parts = precision == .bf16x3 ? 2 : 1 }

    /// 32-bit words, pairs of bf16, of a packed weight
    func words(outputs: Int, inputs: Int) -> Int { panels(outputs) * steps(inputs) * parts * 512 }

    func panels(_ outputs: Int) -> Int { (outputs + 31) / 32 }
    private func steps(_ inputs: Int) -> Int { (inputs + 31) / 32 }

    /// - Parameters:
    ///   - weight: [outputs, inputs]
    ///   - words: [panels, steps, parts, 2, 16 pairs of K, 16 columns]; all are written, with zeros past the weight
    func pack(_ weight: [Float], outputs: Int, inputs: Int, into words: UnsafeMutableBufferPointer<UInt32>) {
        let steps = steps(inputs), parts = parts
        weight.withUnsafeBufferPointer { weight in
            // Every panel is written by one thread.
            nonisolated(unsafe) let (to, from) = (words, weight)
            DispatchQueue.concurrentPerform(iterations: panels(outputs)) { panel in
                func value(_ n: Int, _ k: Int) -> Float { n < outputs && k < inputs ? from[n * inputs + k] : 0 }
                for step in 0..<steps {
                    for column in 0..<32 {
                        let n = panel * 32 + column
                        for pair in 0..<16 {
                            let k = step * 32 + pair * 2
                            let (even, odd) = (split(value(n, k)), split(value(n, k + 1)))
                            let at = ((panel * steps + step) * parts * 2 + column / 16) * 256 + pair * 16 + column % 16
                            to[at] = UInt32(even.high) | UInt32(odd.high) << 16
                            if parts == 2 { to[at + 512] = UInt32(even.low) | UInt32(odd.low) << 16 }
                        }
                    }
                }
            }
        }
    }

    /// hi and lo as `split` of `gemm_amx.cl` makes them: with two parts hi is finite, and lo has the rest.
    func split(_ x: Float) -> (high: UInt16, low: UInt16) {
        if parts == 1 { return (SplitPacking.bf16(x), 0) }
        let largest = Float(bitPattern: 0x7f7f_0000)
        let high = SplitPacking.bf16(x > largest ? largest : x < -largest ? -largest : x)
        return (high, SplitPacking.bf16(x - Float(bitPattern: UInt32(high) << 16)))
    }
}
