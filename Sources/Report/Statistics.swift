import Dispatch
import Results

/// What the images say of one quantity: an effect, or the total effect, of one metric.
package struct EffectStatistics: Sendable, Equatable {
    package var mean: Double
    /// 95% BCa bootstrap interval of the mean, over images; nan for one image, which says nothing of others
    package var low: Double
    package var high: Double
    package var median: Double
    /// Share of images whose effect is above 0
    package var sharePositive: Double
    /// Mean effect / mean total effect: 1 where the patch alone does what the whole exchange of the passes does
    package var recovered: Double
    /// Its interval, numerator and denominator resampled together; nan where the total effect may be zero
    package var recoveredLow = Double.nan
    package var recoveredHigh = Double.nan

    package var excludesZero: Bool { low > 0 || high < 0 }
}

/// One patch over the images that count.
///
/// An **effect** is metric(patched) - metric(base), where the base is the pass that is patched into: the corrupted
/// one for `restore`, the clean one for `noise`. So a restoring patch that helps has a positive effect on the
/// probability and a negative one on the KL divergence; a noising patch that hurts has a negative effect on the
/// probability. The **total effect** is metric(other pass) - metric(base), and effect / total effect is 1 in both
/// directions when the patch does everything. Total and indirect effect of a place follow Vig et al., Investigating
/// gender bias in language models using causal mediation analysis, 2020, and Meng et al., Locating and editing
/// factual associations in GPT (ROME), 2022; `noise` exchanges the roles of the passes.
package struct PatchStatistics: Sendable, Equatable {
    /// Index into the manifest's patches
    package var patch: Int
    package var record: PatchRecord
    /// Of the target's probability
    package var p: EffectStatistics
    /// Of logit[target] - logit[foil]
    package var logitDiff: EffectStatistics
    /// Of KL(clean || pass), nats
    package var kl: EffectStatistics
    /// Share of images whose patched pass predicts the label
    package var accuracy: Double
    /// Two-sided, of "the mean effect on p is 0"; nan where it was not asked for
    package var pValue = Double.nan
    /// The same with Holm's correction over the patches of one corruption, direction, site and window
    package var pHolm = Double.nan
    /// Beside random places; nil where there are none of its extent
    package var control: ControlComparison?

    package var isSignificant: Bool { pHolm < 0.05 }
}

/// One corruption of a sweep.
package struct CorruptionStatistics: Sendable, Equatable {
    /// Index into the manifest's corruptions
    package var corruption: Int
    package var spec: String
    /// In the store, and kept by `--keep`
    package var seen: Int
    package var kept: Int
    /// Kept and complete: what the statistics are of
    package var images: Int
    package var accuracyClean: Double
    package var accuracyCorrupted: Double
    package var meanPClean: Double
    package var meanPCorrupted: Double
    /// clean - corrupted; `recovered` is 1
    package var totalP: EffectStatistics
    package var totalLogitDiff: EffectStatistics
    package var totalKL: EffectStatistics
    /// Of what the sweep was asked to patch
    package var patches: [PatchStatistics]
    /// What random places do; empty without `--control`
    package var controls: [ControlStatistics] = []
}

/// The statistics of every corruption and patch of a store. Patches are taken in blocks, so that memory stays at
/// about 100 MB however many there are.
///
/// - Parameters:
///   - bootstrap: its seed is the sweep's unless given
///   - significance: p-values too, which take a while where there are thousands of patches
package func statistics(
    of store: ResultsStore, bootstrap: Bootstrap? = nil, significance: Bool = true
) throws -> [CorruptionStatistics] {
    let bootstrap = bootstrap ?? Bootstrap(seed: store.manifest.seed)
    return try store.manifest.corruptions.indices.map { corruption in
        try statistics(of: store, corruption: corruption, bootstrap: bootstrap, significance: significance)
    }
}

/// p, logit_diff, kl
private let metrics = 3

private func statistics(
    of store: ResultsStore, corruption: Int, bootstrap: Bootstrap, significance: Bool
) throws -> CorruptionStatistics {
    let counts = try store.counts(corruption: corruption)
    let images = try store.completeImages(corruption: corruption)
    let n = images.count
    func mean(_ value: (ImageRecord) -> Double) -> Double { images.reduce(0) { $0 + value($1) } / Double(n) }

    var totals: [Double] = []  // [n, metrics]
    for image in images {
        totals += difference(image.clean, image.corrupted)
    }
    let total = summarise(totals, rows: n, total: nil, columns: metrics, bootstrap)
    let shared = SharedTotals(
        values: totals, statistics: total, resampled: bootstrap.means(totals, rows: n, columns: metrics))
    let own = store.manifest.ownPatches
    let families = Dictionary(grouping: own.indices) { family(own[$0]) }
    let controls = try Controls(store: store, corruption: corruption, images: images)

    var patches: [PatchStatistics] = []
    let perBlock = max(1, min(256, 4_000_000 / max(1, n * metrics)))
    for start in stride(from: 0, to: own.count, by: perBlock) {
        let block = start..<min(start + perBlock, own.count)
        let noise = own[block].map { $0.direction == "noise" }
        // An effect that is not there stays nan; complete images have them all.
        var values = [Double](repeating: .nan, count: n * block.count * metrics)  // [n, block, metrics]
        var correct = [Int](repeating: 0, count: block.count)
        try store.forEachEffect(corruption: corruption, images: images, patches: block) { row, column, patched in
            let effect = difference(patched, noise[column] ? images[row].clean : images[row].corrupted)
            for metric in 0..<metrics {
                values[(row * block.count + column) * metrics + metric] = effect[metric]
            }
            if patched.prediction == images[row].label { correct[column] += 1 }
        }
        let effects = summarise(
            values, rows: n, total: (shared, signs: noise.map { $0 ? -1 : 1 }), columns: block.count * metrics,
            bootstrap)
        var p = [Double](repeating: .nan, count: block.count)
        if significance {
            let (columns, effects) = (block.count, values)
            p = concurrentMap(columns) { column in
                let members = families[family(own[block.lowerBound + column])]?.count ?? 1
                return SignFlipTest(draws: SignFlipTest.draws(family: members), seed: bootstrap.seed).p(
                    (0..<n).map { effects[($0 * columns + column) * metrics] })
            }
        }
        let compared = controls.compare(block, bootstrap) { row, column in
            values[(row * block.count + column) * metrics]
        }
        for (column, patch) in block.enumerated() {
            patches.append(
                PatchStatistics(
                    patch: patch, record: own[patch], p: effects[column * metrics],
                    logitDiff: effects[column * metrics + 1], kl: effects[column * metrics + 2],
                    accuracy: Double(correct[column]) / Double(n), pValue: p[column], control: compared[column]))
        }
    }
    for members in families.values {
        for (member, p) in zip(members, holm(members.map { patches[$0].pValue })) { patches[member].pHolm = p }
    }
    return CorruptionStatistics(
        corruption: corruption, spec: store.manifest.corruptions[corruption], seen: counts.seen, kept: counts.kept,
        images: n, accuracyClean: mean { $0.clean.prediction == $0.label ? 1 : 0 },
        accuracyCorrupted: mean { $0.corrupted.prediction == $0.label ? 1 : 0 },
        meanPClean: mean { Double($0.clean.p) }, meanPCorrupted: mean { Double($0.corrupted.p) },
        totalP: total[0], totalLogitDiff: total[1], totalKL: total[2], patches: patches,
        controls: controls.statistics(bootstrap))
}

private func difference(_ a: PassMetrics, _ b: PassMetrics) -> [Double] {
    [Double(a.p) - Double(b.p), Double(a.logitDiff) - Double(b.logitDiff), Double(a.kl) - Double(b.kl)]
}

/// Patches that are corrected together.
func family(_ patch: PatchRecord) -> [String] { [patch.direction, patch.site, patch.window] }

/// The total effects that effects are shares of.
struct SharedTotals {
    /// [rows, metrics]
    var values: [Double]
    /// [metrics]
    var statistics: [EffectStatistics]
    /// [metrics, resamples]
    var resampled: [Double]

    /// The mean of `effects` as a share of the mean total of `metric`, times `sign`, with its interval: BCa on the ratio,
    /// whose influence values take the place of the rows (Efron and Tibshirani 1993, chapter 14).
    func share(
        of effects: [Double], mean: Double, resampled means: ArraySlice<Double>, metric: Int, sign: Double
    ) -> (share: Double, low: Double, high: Double) {
        let total = statistics[metric], share = sign * mean / total.mean
        guard total.excludesZero else { return (share, .nan, .nan) }
        let ratios = zip(means, resampled[metric * means.count..<(metric + 1) * means.count]).map { sign * $0 / $1 }
        guard ratios.allSatisfy(\.isFinite) else { return (share, .nan, .nan) }
        let influence = effects.enumerated().map { row, effect in
            share + (sign * effect - share * values[row * statistics.count + metric]) / total.mean
        }
        let (low, high) = interval(of: influence, mean: share, resampled: ratios.sorted())
        return (share, low, high)
    }
}

/// - Parameters:
///   - values: [rows, columns]
///   - total: what the columns are shares of, metric by metric in turn, and the sign for each round of metrics; nil where
///     the values are total effects themselves
/// - Returns: one for each column; all nan without rows, or where a value is nan
func summarise(
    _ values: [Double], rows: Int, total: (SharedTotals, signs: [Double])?, columns: Int, _ bootstrap: Bootstrap
) -> [EffectStatistics] {
    let none = EffectStatistics(
        mean: .nan, low: .nan, high: .nan, median: .nan, sharePositive: .nan, recovered: .nan)
    guard rows > 0 else { return Array(repeating: none, count: columns) }
    let means = bootstrap.means(values, rows: rows, columns: columns)
    return concurrentMap(columns) { column in
        let values = stride(from: column, to: values.count, by: columns).map { values[$0] }
        let mean = values.reduce(0, +) / Double(rows)
        if mean.isNaN { return none }
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
            recoveredLow: share?.low ?? 1, recoveredHigh: share?.high ?? 1)
    }
}

/// `body` of 0..<count, on all cores, in order.
private func concurrentMap<T: Sendable>(_ count: Int, _ body: @Sendable (Int) -> T) -> [T] {
    [T](unsafeUninitializedCapacity: count) { buffer, initialized in
        nonisolated(unsafe) let out = buffer  // each task writes its own element
        DispatchQueue.concurrentPerform(iterations: count) { index in
            out.initializeElement(at: index, to: body(index))
        }
        initialized = count
    }
}
