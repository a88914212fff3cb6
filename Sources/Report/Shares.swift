/// What part of the total effect a set of places brings back.
package struct RecoveredShare: Codable, Sendable, Equatable {
    /// Mean effect
    package var effect: Double
    /// Mean effect / mean total effect
    package var share: Double
    /// 95% percentile bootstrap interval of the share, effect and total of an image drawn together; nan of a single image
    package var low: Double
    package var high: Double
}

/// The share of one set over images.
/// - Parameters:
///   - effects: [images], in the total's direction
///   - totals: [images]
package func recoveredShare(effects: [Double], totals: [Double], bootstrap: Bootstrap) -> RecoveredShare {
    precondition(effects.count == totals.count)
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    let rows = zip(effects, totals).flatMap { [$0, $1] }
    let means = bootstrap.means(rows, rows: effects.count, columns: 2)
    // A single image has no spread to tell an interval from.
    let resamples = effects.count > 1 ? means.count / 2 : 0
    let shares = (0..<resamples).map { means[$0] / means[resamples + $0] }.filter { !$0.isNaN }.sorted()
    return RecoveredShare(
        effect: mean(effects), share: mean(effects) / mean(totals), low: quantile(0.025, ofSorted: shares),
        high: quantile(0.975, ofSorted: shares))
}

/// Random orders of 0..<count (Fisher and Yates from the front, so the first k are a random choice of k).
package func randomOrders(count: Int, orders: Int, seed: UInt64) -> [[Int]] {
    (0..<orders).map { stream in
        let random = CounterRandom(seed: seed, stream: UInt64(stream))
        var order = Array(0..<count)
        for i in order.indices { order.swapAt(i, i + random.below(count - i, at: i)) }
        return order
    }
}
