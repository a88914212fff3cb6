/// Random numbers that are a function of (seed, stream, index) alone, so that any part of a computation can be done
/// in any order, or again, with the same numbers. Each stream is SplitMix64 (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, OOPSLA 2014), whose state is a counter.
package struct CounterRandom {
    private let key: UInt64

    package init(seed: UInt64, stream: UInt64) {
        key = Self.mix(Self.mix(seed &+ Self.golden) &+ stream &* Self.golden)
    }

    package subscript(index: Int) -> UInt64 {
        Self.mix(key &+ (UInt64(truncatingIfNeeded: index) &+ 1) &* Self.golden)
    }

    /// The number at `index` as an integer in 0..<bound; its bias is below bound / 2^64.
    @inline(__always)
    package func below(_ bound: Int, at index: Int) -> Int {
        Int(truncatingIfNeeded: self[index].multipliedFullWidth(by: UInt64(truncatingIfNeeded: bound)).high)
    }

    private static let golden: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
