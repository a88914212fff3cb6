import Dispatch

/// Statistics over images of one quantity: an effect on one metric, or its total effect.
package struct EffectStatistics: Sendable, Equatable {
    package var mean: Double
    /// 95% BCa bootstrap interval of the mean, over images; nan for fewer than `fewestImages`
    package var low: Double
    package var high: Double
    package var median: Double
    /// Share of images whose effect is above 0
    package var sharePositive: Double
    /// Mean effect / mean total effect: 1 if the patch alone has the effect of exchanging the whole passes; nan where
    /// there is no total to take a share of
    package var recovered: Double
    /// The interval of `recovered`, numerator and denominator resampled together; nan where the total effect may be
    /// zero
    package var recoveredLow = Double.nan
    package var recoveredHigh = Double.nan
    /// The effective number of images that carry the effect: (sum |x|)^2 / sum x^2, which is m if m images have the
    /// same effect and the others none; nan without an effect
    package var carriers = Double.nan

    package var excludesZero: Bool { low > 0 || high < 0 }
    package var hasInterval: Bool { low.isFinite && high.isFinite }

    package static let none = EffectStatistics(
        mean: .nan, low: .nan, high: .nan, median: .nan, sharePositive: .nan, recovered: .nan)
}

/// The total effects that effects are shares of.
package struct SharedTotals: Sendable {
    /// [rows, metrics]
    var values: [Double]
    /// [metrics]
    var statistics: [EffectStatistics]
    /// [metrics, resamples]
    var resampled: [Double]

    /// - Parameter values: [rows, metrics]
    package init(_ values: [Double], rows: Int, metrics: Int, _ bootstrap: Bootstrap) {
        self.values = values
        resampled = bootstrap.means(values, rows: rows, columns: metrics)
        statistics = summarise(values, rows: rows, total: nil, columns: metrics, bootstrap, means: resampled)
    }

    /// The mean of `effects` as a share of the mean total of `metric`, times `sign`, with its interval: BCa on the
    /// ratio.
    func share(
        of effects: [Double], mean: Double, resampled means: ArraySlice<Double>, metric: Int, sign: Double
    ) -> (share: Double, low: Double, high: Double) {
        let total = statistics[metric], share = sign * mean / total.mean
        guard total.excludesZero else { return (share, .nan, .nan) }
        let ratios = zip(means, resampled[metric * means.count..<(metric + 1) * means.count]).map { sign * $0 / $1 }
        guard ratios.allSatisfy(\.isFinite) else { return (share, .nan, .nan) }
        let influence = effects.enumerated().map { row, effect in
            (sign * effect - share * values[row * statistics.count + metric]) / total.mean
        }
        let (low, high) = interval(influence: [influence], estimate: share, resampled: ratios.sorted())
        return (share, low, high)
    }
}

/// - Parameters:
///   - values: [rows, columns]
///   - total: the totals that columns are shares of, and the sign of each patch; columns are patches by metrics,
///     metrics fastest. nil if the values are total effects themselves
///   - means: the columns' means in the bootstrap's resamples, where they are known; [columns, resamples]
/// - Returns: one for each column, all nan without rows or if a value of the column is nan
package func summarise(
    _ values: [Double], rows: Int, total: (SharedTotals, signs: [Double])?, columns: Int, _ bootstrap: Bootstrap,
    means known: [Double]? = nil
) -> [EffectStatistics] {
    guard rows > 0 else { return Array(repeating: .none, count: columns) }
    let means = known ?? bootstrap.means(values, rows: rows, columns: columns)
    return concurrentMap(columns) { column in
        let values = stride(from: column, to: values.count, by: columns).map { values[$0] }
        let mean = values.reduce(0, +) / Double(rows)
        if mean.isNaN { return .none }
        let resampled = means[column * bootstrap.resamples..<(column + 1) * bootstrap.resamples]
        let (low, high) = interval(of: values, mean: mean, resampled: resampled.sorted())
        let share = total.map { total, signs in
            let metrics = total.statistics.count
            return total.share(
                of: values, mean: mean, resampled: resampled, metric: column % metrics, sign: signs[column / metrics])
        }
        return EffectStatistics(
            mean: mean, low: low, high: high, median: quantile(0.5, ofSorted: values.sorted()),
            sharePositive: Double(values.count { $0 > 0 }) / Double(rows), recovered: share?.share ?? 1,
            recoveredLow: share?.low ?? 1, recoveredHigh: share?.high ?? 1, carriers: carriers(values))
    }
}

/// See `EffectStatistics.carriers`.
package func carriers(_ values: [Double]) -> Double {
    let sizes = values.reduce(0) { $0 + abs($1) }, squares = values.reduce(0) { $0 + $1 * $1 }
    return sizes * sizes / squares
}

/// The results of `body` for 0..<count in order, computed on all cores.
package func concurrentMap<T: Sendable>(_ count: Int, _ body: @Sendable (Int) -> T) -> [T] {
    [T](unsafeUninitializedCapacity: count) { buffer, initialized in
        nonisolated(unsafe) let out = buffer  // each task writes its own element
        DispatchQueue.concurrentPerform(iterations: count) { index in
            out.initializeElement(at: index, to: body(index))
        }
        initialized = count
    }
}

/// The distinct values, in the order of their first occurrence.
package func unique<Value: Hashable>(_ values: [Value]) -> [Value] {
    var seen: Set<Value> = []
    return values.filter { seen.insert($0).inserted }
}
