/// How reliably one patch is the strongest, from random halves of the images.
package struct Reliability: Sendable, Equatable {
    /// Mean correlation (Pearson) of the patches' mean effects on one half of the images with those on the other half
    package var correlation: Double
    /// Share of splits in which both halves have the same strongest patch
    package var sameStrongest: Double
    /// Share of halves whose strongest patch is the one that is strongest over all images
    package var agreesWithAll: Double
    /// Mean effect of a half's strongest patch on the other half, which did not choose it
    package var heldOut: Double
    package var splits: Int

    /// Two halves of the images agree on the strongest patch in at least half of the splits.
    package var standsOut: Bool { sameStrongest >= 0.5 }

    /// The fewest images that are split
    package static let fewest = 2 * fewestImages

    /// - Parameters:
    ///   - columns: effects [patches][images]
    ///   - splits: the number of random splits, which depend on the seed alone
    /// - Returns: nil for fewer than two patches or `fewest` images
    package init?(_ columns: [[Float]], splits: Int = 100, seed: UInt64) {
        let images = columns.first?.count ?? 0
        let columns = columns.filter { $0.allSatisfy(\.isFinite) }
        guard columns.count > 1, images >= Self.fewest else { return nil }
        @Sendable func strongest(_ means: [Double]) -> Int {
            means.indices.max { abs(means[$0]) < abs(means[$1]) } ?? 0
        }
        func mean(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) } / Double(images) }
        let all = strongest(columns.map(mean))
        let found = concurrentMap(splits) { split -> (r: Double, same: Bool, agrees: Int, heldOut: Double) in
            let random = CounterRandom(seed: seed ^ 0x5347_4C49_54, stream: UInt64(split))
            var order = Array(0..<images)
            for i in 0..<images / 2 { order.swapAt(i, i + random.below(images - i, at: i)) }
            let first = Array(order[..<(images / 2)]), second = Array(order[(images / 2)...])
            func means(_ rows: [Int]) -> [Double] {
                columns.map { column in
                    var sum = 0.0
                    for row in rows { sum += Double(column[row]) }
                    return sum / Double(rows.count)
                }
            }
            let (a, b) = (means(first), means(second))
            let (bestA, bestB) = (strongest(a), strongest(b))
            return (
                pearson(a, b), bestA == bestB, (bestA == all ? 1 : 0) + (bestB == all ? 1 : 0),
                (b[bestA] + a[bestB]) / 2
            )
        }
        let defined = found.map(\.r).filter(\.isFinite), count = Double(splits)
        correlation = defined.isEmpty ? .nan : defined.reduce(0, +) / Double(defined.count)
        sameStrongest = Double(found.count(where: \.same)) / count
        agreesWithAll = Double(found.reduce(0) { $0 + $1.agrees }) / (2 * count)
        heldOut = found.reduce(0) { $0 + $1.heldOut } / count
        self.splits = splits
    }
}

/// Pearson's correlation; nan where one side has no spread.
package func pearson(_ a: [Double], _ b: [Double]) -> Double {
    let n = Double(a.count), meanA = a.reduce(0, +) / n, meanB = b.reduce(0, +) / n
    var (ab, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
        ab += (x - meanA) * (y - meanB)
        aa += (x - meanA) * (x - meanA)
        bb += (y - meanB) * (y - meanB)
    }
    // Values that differ only by rounding have no correlation.
    func isSpread(_ squares: Double, about mean: Double) -> Bool { squares > 1e-12 * n * mean * mean }
    return isSpread(aa, about: meanA) && isSpread(bb, about: meanB) ? ab / (aa * bb).squareRoot() : .nan
}

/// Spearman's rank correlation, ties at their mean rank.
package func spearman(_ a: [Double], _ b: [Double]) -> Double { pearson(ranks(a), ranks(b)) }

private func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count), start = 0
    while start < order.count {
        var end = start
        while end + 1 < order.count, values[order[end + 1]] == values[order[start]] { end += 1 }
        for position in start...end { ranks[order[position]] = Double(start + end) / 2 }
        start = end + 1
    }
    return ranks
}

/// The share of a sum that the tenth of the images with the largest values of its sign carries; nan where the sum is 0
/// or not finite.
package func topTenthShare(_ values: [Double]) -> Double {
    let sum = values.reduce(0, +), sign: Double = sum < 0 ? -1 : 1
    guard sum != 0, sum.isFinite else { return .nan }
    let count = (values.count + 9) / 10
    return values.map { $0 * sign }.sorted(by: >).prefix(count).reduce(0, +) / abs(sum)
}

/// The probability that the largest of `own` exchangeable values is beyond all but at most `beyond` of `random` further
/// ones, from the exact distribution of a maximum's rank. For `own` = 1 it is (1 + beyond) / (1 + random).
package func maximumRankP(own: Int, random: Int, beyond: Int) -> Double {
    guard beyond < random else { return 1 }
    var none = 1.0
    for step in 0...beyond { none *= Double(random - step) / Double(random + own - step) }
    return 1 - none
}
