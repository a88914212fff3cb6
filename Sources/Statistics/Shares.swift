/// The share of the total effect that a set of places recovers.
package struct RecoveredShare: Codable, Sendable, Equatable {
    /// Mean effect
    package var effect: Double
    /// Mean effect / mean total effect; nan where the total effect may be zero, as its interval covers 0
    package var share: Double
    /// 95% BCa interval of the share, with an image's effect and total resampled together; nan for fewer than
    /// `fewestImages`
    package var low: Double
    package var high: Double
}

/// A mean total effect with its 95% interval; nan limits for fewer than `fewestImages`.
package struct TotalEffect: Codable, Sendable, Equatable {
    package var mean: Double
    package var low: Double
    package var high: Double

    /// Whether shares of it have a meaning: its interval excludes 0 or, with too few images for one, its mean is not 0.
    package var isClear: Bool { low.isNaN ? mean != 0 : low > 0 || high < 0 }

    /// - Parameter values: one for each image
    package init(_ values: [Double], bootstrap: Bootstrap) {
        let found = summarise(values, rows: values.count, total: nil, columns: 1, bootstrap)[0]
        (mean, low, high) = (found.mean, found.low, found.high)
    }

    package init(mean: Double, low: Double, high: Double) { (self.mean, self.low, self.high) = (mean, low, high) }
}

/// The share of one set over images.
/// - Parameters:
///   - effects: [images], in the total's direction
///   - totals: [images]
package func recoveredShare(effects: [Double], totals: [Double], bootstrap: Bootstrap) -> RecoveredShare {
    precondition(effects.count == totals.count)
    let rows = effects.count
    let shared = SharedTotals(totals, rows: rows, metrics: 1, bootstrap)
    let found = summarise(effects, rows: rows, total: (shared, [1]), columns: 1, bootstrap)[0]
    let total = TotalEffect(
        mean: shared.statistics[0].mean, low: shared.statistics[0].low, high: shared.statistics[0].high)
    return RecoveredShare(
        effect: found.mean, share: total.isClear ? found.recovered : .nan, low: found.recoveredLow,
        high: found.recoveredHigh)
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
