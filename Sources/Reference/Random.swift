/// A small seeded generator: the same seed gives the same numbers everywhere.
///
/// SplitMix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        self.state = seed
    }

    /// A new seed, different in every run; print `seed` where a test fails.
    package static func fresh() -> SplitMix64 {
        SplitMix64(seed: UInt64.random(in: 0..<1 << 32))
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// `count` values, uniform in the range.
    package mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }

    /// `count` values, uniform in the range.
    package mutating func doubles(_ count: Int, in range: ClosedRange<Double> = -1...1) -> [Double] {
        (0..<count).map { _ in Double.random(in: range, using: &self) }
    }

    /// `count` normally distributed values.
    package mutating func normals(_ count: Int, mean: Float = 0, std: Float = 1) -> [Float] {
        // The sum of twelve uniform values has variance 1; its tails, cut at 6, do not matter here.
        (0..<count).map { _ in
            let sum = (0..<12).reduce(into: Float(-6)) { sum, _ in sum += Float.random(in: 0...1, using: &self) }
            return mean + std * sum
        }
    }
}
