import Foundation

/// Sign-flip permutation test of "the mean effect is 0", two-sided: if it is, an image's effect is as likely to be x as
/// -x, so the observed sum is compared with sums under random signs (Fisher, The Design of Experiments, 1935; Good,
/// Permutation, Parametric and Bootstrap Tests, 2005, section 3.2). With the sum of squares fixed under flips this is
/// the test of Student's t too, and holds for skewed effects as the images grow (Romano, JASA 1990).
///
/// All 2^n signs are taken where they are no more than the draws. Otherwise signs come from (seed, draw) alone, the
/// observed sum counts as one of the draws, so that p is never 0 (Phipson and Smyth 2010), and drawing stops at the
/// 100th sum as large as the observed one, when p is known well enough (Besag and Clifford, Biometrika 1991).
struct SignFlipTest: Sendable {
    var draws: Int
    var seed: UInt64

    private static let enough = 100

    /// Draws that leave room under 0.05 for Holm's correction of a family of so many: its smallest p is family / draws.
    static func draws(family: Int) -> Int { min(200_000, max(20_000, 200 * family)) }

    /// - Returns: nan for no values, or where one is nan
    func p(_ values: [Double]) -> Double {
        let observed = abs(values.reduce(0, +))
        guard !values.isEmpty, observed.isFinite else { return .nan }
        // Sums that are equal but for rounding are as large.
        let bar = observed - 1e-12 * values.reduce(0) { $0 + abs($1) }
        let sums = SignedSums(values)
        if values.count < 31, 1 << (values.count - 1) <= draws {
            // A pattern and its opposite have the same size, so half of them do.
            let patterns = UInt64(1) << UInt64(values.count - 1)
            let large = (0..<patterns).count { pattern in abs(sums.sum { _ in pattern }) >= bar }
            return Double(large) / Double(patterns)
        }
        var large = 0
        for draw in 1...draws {
            let random = CounterRandom(seed: ~seed, stream: UInt64(draw))
            if abs(sums.sum { random[$0] }) >= bar {
                large += 1
                if large == Self.enough { return Double(large) / Double(draw) }
            }
        }
        return Double(large + 1) / Double(draws + 1)
    }
}

/// Sums of values with signs given as bits, eight at a time from tables.
private struct SignedSums {
    private let tables: [Double]  // [groups of 8, 256]

    init(_ values: [Double]) {
        let groups = (values.count + 7) / 8
        var tables = [Double](repeating: 0, count: groups * 256)
        for group in 0..<groups {
            let first = group * 8
            let members = (0..<8).map { first + $0 < values.count ? values[first + $0] : 0 }
            tables[group * 256] = -members.reduce(0, +)
            for bits in 1..<256 {
                tables[group * 256 + bits] =
                    tables[group * 256 + (bits & (bits - 1))] + 2 * members[bits.trailingZeroBitCount]
            }
        }
        self.tables = tables
    }

    /// - Parameter word: signs of values 64 i to 64 i + 63, a set bit for +
    func sum(_ word: (Int) -> UInt64) -> Double {
        tables.withUnsafeBufferPointer { tables in
            var sum = 0.0
            var bits: UInt64 = 0
            for group in 0..<tables.count / 256 {
                if group % 8 == 0 { bits = word(group / 8) }
                sum += tables[group * 256 + Int(bits & 255)]
                bits >>= 8
            }
            return sum
        }
    }
}

/// Holm's step-down correction (Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
/// Statistics 1979): the chance of even one false rejection in the family stays under the level, whatever the dependence.
/// nan stays nan and does not count.
func holm(_ p: [Double]) -> [Double] {
    var adjusted = [Double](repeating: .nan, count: p.count)
    let order = p.indices.filter { !p[$0].isNaN }.sorted { (p[$0], $0) < (p[$1], $1) }
    var largest = 0.0
    for (rank, index) in order.enumerated() {
        largest = max(largest, min(1, p[index] * Double(order.count - rank)))
        adjusted[index] = largest
    }
    return adjusted
}
