import Dispatch
import Foundation

/// Sign-flip tests of many hypotheses at once: "the mean effect of this patch is 0", two-sided, with the probability of
/// any false rejection held over the whole family (Westfall and Young, Resampling-based multiple testing, 1993: maximum
/// statistics, step-down; Romano and Wolf, JASA 2005).
///
/// If an image's effects are as likely to be (x, y, ...) as (-x, -y, ...), the observed sums are distributed as sums
/// with random signs. An image has one sign for all patches, so patches that move together count nearly as one. A
/// patch's statistic is |sum x| / sqrt(sum x^2). It is monotone in Student's t, as flips do not change the sum of
/// squares, and gives patches of large and of small effects equal weight in the maximum.
///
/// The assumption is symmetry around 0 of the effects under the null. It fails where effects are skewed around a mean
/// of 0, above all where a few images carry them: docs/methods.md has the rates.
///
/// All 2^(n-1) patterns of signs are taken if they are no more than the draws. Otherwise patterns come from (seed,
/// draw) alone, and the observed one counts as one of the draws, so p is never 0 (Phipson and Smyth 2010).
package struct SignFlips: Sendable {
    package var draws: Int
    package var seed: UInt64

    package init(draws: Int = 10_000, seed: UInt64) { (self.draws, self.seed) = (draws, seed) }

    package struct Result: Sendable, Equatable {
        /// Unadjusted [columns]; nan where a value is not finite
        package var p: [Double]
        /// Adjusted over the family [columns]
        package var adjusted: [Double]
        /// The smallest value that p can have
        package var floor: Double
    }

    /// - Parameters:
    ///   - columns: effects of every patch on every image, [columns][rows]
    ///   - rows: images
    package func test(_ columns: [[Float]], rows: Int) -> Result {
        let isExact = rows < 31 && 1 << max(0, rows - 1) <= draws
        let patterns = isExact ? 1 << max(0, rows - 1) : draws
        var result = Result(
            p: Array(repeating: .nan, count: columns.count), adjusted: Array(repeating: .nan, count: columns.count),
            floor: 1 / Double(isExact ? patterns : patterns + 1))
        let observed = columns.map { Self.statistic($0) }
        // From the weakest to the strongest: a step-down maximum is over the patch and all weaker ones.
        let order = columns.indices.filter { rows > 0 && observed[$0].isFinite }
            .sorted { (observed[$0], $1) < (observed[$1], $0) }
        guard !order.isEmpty else { return result }
        let bytes = (rows + 7) / 8
        let signs = signBytes(patterns: patterns, bytes: bytes, isExact: isExact)
        let tasks = max(1, min(patterns, 4 * ProcessInfo.processInfo.activeProcessorCount))
        let counts = concurrentMap(tasks) { task -> (alone: [Int], maximum: [Int]) in
            let range = task * patterns / tasks..<(task + 1) * patterns / tasks
            return Self.count(
                columns, order, observed, signs: signs[range.lowerBound * bytes..<range.upperBound * bytes],
                bytes: bytes)
        }
        let one = isExact ? 0 : 1
        var largest = 0.0
        for (position, column) in order.enumerated().reversed() {
            let alone = counts.reduce(one) { $0 + $1.alone[position] }
            let maximum = counts.reduce(one) { $0 + $1.maximum[position] }
            result.p[column] = Double(alone) / Double(patterns + one)
            largest = max(largest, Double(maximum) / Double(patterns + one))
            result.adjusted[column] = largest
        }
        return result
    }

    /// |sum| / sqrt(sum of squares); 0 where all values are 0, nan where one is not finite
    private static func statistic(_ values: [Float]) -> Double {
        var sum = 0.0, squares = 0.0
        for value in values {
            sum += Double(value)
            squares += Double(value) * Double(value)
        }
        guard squares.isFinite else { return .nan }
        return squares > 0 ? abs(sum) / squares.squareRoot() : 0
    }

    /// Signs of eight images per byte, a set bit for +: [patterns, bytes]. When all patterns are taken, a pattern and
    /// its opposite count once, as both have the same statistic.
    private func signBytes(patterns: Int, bytes: Int, isExact: Bool) -> [UInt8] {
        var signs: [UInt8] = []
        signs.reserveCapacity(patterns * bytes)
        for pattern in 0..<patterns {
            let random = CounterRandom(seed: ~seed, stream: UInt64(pattern) + 1)
            var word: UInt64 = 0
            for byte in 0..<bytes {
                if byte % 8 == 0 { word = isExact ? UInt64(pattern) >> UInt64(8 * byte) : random[byte / 8] }
                signs.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return signs
    }

    /// How many of these patterns have a statistic as large as the observed one: the patch's own (`alone`), and the
    /// maximum of its own and all weaker patches' (`maximum`). Both [order].
    private static func count(
        _ columns: [[Float]], _ order: [Int], _ observed: [Double], signs: ArraySlice<UInt8>, bytes: Int
    ) -> (alone: [Int], maximum: [Int]) {
        let patterns = signs.count / bytes
        var largest = [Double](repeating: 0, count: patterns)
        var table = [Double](repeating: 0, count: bytes * 256)
        var alone: [Int] = [], maximum: [Int] = []
        for column in order {
            fill(&table, columns[column])
            // Statistics that differ only by rounding count as equal.
            let bar = observed[column] * (1 - 1e-9)
            var (own, most) = (0, 0)
            signs.withUnsafeBufferPointer { signs in
                table.withUnsafeBufferPointer { table in
                    largest.withUnsafeMutableBufferPointer { largest in
                        for pattern in 0..<patterns {
                            var sum = 0.0
                            for byte in 0..<bytes {
                                sum += table[byte << 8 + Int(signs[pattern * bytes + byte])]
                            }
                            let size = abs(sum)
                            if size >= bar { own += 1 }
                            if size > largest[pattern] { largest[pattern] = size }
                            if largest[pattern] >= bar { most += 1 }
                        }
                    }
                }
            }
            alone.append(own)
            maximum.append(most)
        }
        return (alone, maximum)
    }

    /// Sums of eight values at a time with every pattern of signs, divided by the root of the sum of all squares:
    /// [bytes, 256].
    private static func fill(_ table: inout [Double], _ values: [Float]) {
        let squares = values.reduce(0) { $0 + Double($1) * Double($1) }
        let unit = squares > 0 ? 1 / squares.squareRoot() : 0
        var members = [Double](repeating: 0, count: 8)
        for group in 0..<table.count / 256 {
            let first = group * 8
            var sum = 0.0
            for member in 0..<8 {
                members[member] = first + member < values.count ? Double(values[first + member]) * unit : 0
                sum += members[member]
            }
            table[group * 256] = -sum
            for bits in 1..<256 {
                table[group * 256 + bits] =
                    table[group * 256 + (bits & (bits - 1))] + 2 * members[bits.trailingZeroBitCount]
            }
        }
    }
}
