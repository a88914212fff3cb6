import Results

/// One patch over the images included.
///
/// An **effect** is metric(patched) - metric(base), where the base is the pass that is patched into: the corrupted
/// one for `restore`, the clean one for `noise`. So a denoising patch that helps has a positive effect on the
/// probability and a negative one on the KL divergence; a noising patch that hurts has a negative effect on the
/// probability. The **total effect** is metric(other pass) - metric(base), and effect / total effect is 1 in both
/// directions when the patch does everything. Total and indirect effect of a place follow Vig et al., Investigating
/// gender bias in language models using causal mediation analysis, 2020, and Meng et al., Locating and editing
/// factual associations in GPT (ROME), 2022; `noise` exchanges the roles of the passes.
package struct PatchStatistics: Sendable, Equatable {
    /// Index into the manifest's patches
    package var patch: Int
    package var record: PatchRecord
    package var intervention: Intervention
    /// The effect that the patch has by construction; nil if its effect depends on the weights
    package var construction: Construction?
    /// One for each `Metric`
    package var effects: [EffectStatistics]
    /// Share of images whose patched pass predicts the label
    package var accuracy: Double
    /// Two-sided, of "the mean effect on p is 0"; nan if not asked for, and for patches by construction
    package var pValue = Double.nan
    /// The same, adjusted over all patches of one corruption and direction
    package var pAdjusted = Double.nan
    /// The comparison with random places; nil if there are none of its extent
    package var control: ControlComparison?
    /// The prediction-powered mean effect on p; nil where the mean is the plain one
    package var powered: PredictionPowered.Mean?

    package subscript(metric: Metric) -> EffectStatistics { effects[metric.rawValue] }
    package var p: EffectStatistics { self[.p] }
    package var isSignificant: Bool { pAdjusted < 0.05 }
}

/// Images whose clean pass is right, or images whose clean pass is wrong.
package struct Population: Sendable, Equatable {
    package var cleanIsRight: Bool
    package var images: Int
    /// p(clean) - p(corrupted)
    package var total: EffectStatistics
    /// Effect on p of the patch that is strongest over all images; nil without patches
    package var strongest: EffectStatistics?
}

/// All patches of one direction but those by construction: the family over which p-values are adjusted.
package struct DirectionStatistics: Sendable, Equatable {
    package var direction: String
    package var intervention: Intervention
    /// Index into `CorruptionStatistics.patches` of the largest absolute mean effect on p
    package var strongest: Int?
    /// Patches in the family
    package var family: Int
    /// Nil for too few images or patches
    package var reliability: Reliability?
    /// The strongest patch on images whose clean pass is right and on the others; empty where all images are of one
    /// kind
    package var populations: [Population]
    /// The smallest value that p values can have; nan without them
    package var pFloor: Double
}

/// One corruption of a sweep.
package struct CorruptionStatistics: Sendable, Equatable {
    /// Index into the manifest's corruptions
    package var corruption: Int
    package var spec: String
    /// Images in the store, and those of them that `--keep` keeps
    package var seen: Int
    package var kept: Int
    /// Kept and complete images, which the statistics are over
    package var images: Int
    /// Those of `images` that have exact passes; the others have estimates, and mean effects are prediction-powered
    package var exactImages: Int
    package var accuracyClean: Double
    package var accuracyCorrupted: Double
    package var meanPClean: Double
    package var meanPCorrupted: Double
    /// clean - corrupted for each `Metric`; `recovered` is 1
    package var totals: [EffectStatistics]
    /// The share of the total effect on p that comes from the tenth of the images with the largest total effects; nan
    /// where the total may be zero
    package var topTenth: Double
    /// Share of images whose p is below 0.02 or above 0.98, where p moves little whatever happens to the logits
    package var saturatedClean: Double
    package var saturatedCorrupted: Double
    /// The sweep's own patches, as far as they have exact passes
    package var patches: [PatchStatistics]
    package var directions: [DirectionStatistics] = []
    /// The effects of random places; empty without `--control`
    package var controls: [ControlStatistics] = []
    /// Estimates of every patch, and each beside the exact effects; empty without `--estimate`
    package var estimates: [EstimateStatistics] = []
    package var screenings: [Screening] = []
    package var savings: Savings?

    package var isPowered: Bool { exactImages < images && !patches.isEmpty }
    package subscript(metric: Metric) -> EffectStatistics { totals[metric.rawValue] }
    package var totalP: EffectStatistics { self[.p] }
    /// False for stores of versions without log-odds
    package var hasLogOdds: Bool { self[.logOdds].mean.isFinite }
    package func direction(_ name: String) -> DirectionStatistics? { directions.first { $0.direction == name } }

    /// The patch with this index in the manifest; nil if it has no exact passes
    package func patch(_ index: Int) -> PatchStatistics? {
        // Ascending, and without gaps except in sweeps with estimates
        if patches.indices.contains(index), patches[index].patch == index { return patches[index] }
        return patches.first { $0.patch == index }
    }

    package func strongest(_ direction: String) -> PatchStatistics? {
        self.direction(direction)?.strongest.map { patches[$0] }
    }

    /// Whether a p-value of a patch is the smallest that its test can give
    package func isFloor(_ p: Double, _ direction: String) -> Bool {
        self.direction(direction).map { p <= $0.pFloor * (1 + 1e-9) } ?? false
    }
}

/// The patch with the largest absolute mean effect on p; patches by construction are excluded.
package func strongest(_ patches: [PatchStatistics]) -> PatchStatistics? {
    patches.filter { $0.p.mean.isFinite && $0.construction == nil }.max { abs($0.p.mean) < abs($1.p.mean) }
}

/// The statistics of every corruption and patch of a store. Patches are read in blocks of about 100 MB; the effects on
/// p are kept besides, at 4 bytes for each image and patch.
///
/// - Parameters:
///   - bootstrap: its seed is the sweep's unless given
///   - significance: whether p-values are computed
package func statistics(
    of store: ResultsStore, bootstrap: Bootstrap? = nil, significance: Bool = true
) throws -> [CorruptionStatistics] {
    let bootstrap = bootstrap ?? Bootstrap(seed: store.manifest.seed)
    return try store.manifest.corruptions.indices.map { corruption in
        try statistics(of: store, corruption: corruption, bootstrap: bootstrap, significance: significance)
    }
}

private func statistics(
    of store: ResultsStore, corruption: Int, bootstrap: Bootstrap, significance: Bool
) throws -> CorruptionStatistics {
    let counts = try store.counts(corruption: corruption)
    let exact = try store.exactPatches()
    let images = try store.completeImages(corruption: corruption)
    // Without exact passes, or with those of some images, totals are over all images that have estimates.
    let isPart = store.manifest.exactImages != nil || exact?.isEmpty == true
    let all = isPart ? try store.estimatedImages(corruption: corruption) : images
    let n = images.count, metrics = Metric.allCases.count
    func mean(_ value: (ImageRecord) -> Double) -> Double { all.reduce(0) { $0 + value($1) } / Double(all.count) }
    func saturated(_ p: Float) -> Double { p < 0.02 || p > 0.98 ? 1 : 0 }

    let totals = images.flatMap { Metric.differences($0.clean, $0.corrupted) }  // [n, metrics]
    let shared = SharedTotals(totals, rows: n, metrics: metrics, bootstrap)
    let overAll =
        all.count == n
        ? shared
        : SharedTotals(
            all.flatMap { Metric.differences($0.clean, $0.corrupted) }, rows: all.count, metrics: metrics, bootstrap)
    let places = try store.ownExactPatches()
    let own = places.map { store.manifest.patches[$0] }
    var comparison = try EstimateComparison(
        store: store, corruption: corruption, images: images, all: all, totals: overAll, patches: places, exact: exact,
        bootstrap)
    let controls = try Controls(store: store, corruption: corruption, images: images)
    let interventions = Dictionary(
        unique(own.map(\.direction)).map { ($0, Intervention(store.manifest, direction: $0)) }
    ) { first, _ in first }

    var patches: [PatchStatistics] = []
    var onP: [[Float]] = []  // [patches][n]
    let perBlock = max(1, min(256, 4_000_000 / max(1, n * metrics)))
    for start in stride(from: 0, to: own.count, by: perBlock) {
        let block = start..<min(start + perBlock, own.count)
        let noise = own[block].map { $0.direction == "noise" }
        let columns = Dictionary(uniqueKeysWithValues: block.map { (places[$0], $0 - start) })
        let range = places[start]..<places[block.upperBound - 1] + 1
        // A missing effect stays nan; complete images have all effects.
        var values = [Double](repeating: .nan, count: n * block.count * metrics)  // [n, block, metrics]
        var correct = [Int](repeating: 0, count: block.count)
        try store.forEachEffect(corruption: corruption, images: images, patches: range) { row, offset, patched in
            guard let column = columns[range.lowerBound + offset] else { return }
            let effect = Metric.differences(patched, noise[column] ? images[row].clean : images[row].corrupted)
            for metric in 0..<metrics { values[(row * block.count + column) * metrics + metric] = effect[metric] }
            if patched.prediction == images[row].label { correct[column] += 1 }
            comparison?.add(row: row, position: start + column, patched: patched, isNoise: noise[column])
        }
        let effects = summarise(
            values, rows: n, total: (shared, signs: noise.map { $0 ? -1 : 1 }), columns: block.count * metrics,
            bootstrap)
        let powered = comparison?.powered(values, block: block, isNoise: noise)
        let compared = controls.compare(block.map { places[$0] }, bootstrap) { row, column in
            values[(row * block.count + column) * metrics]
        }
        for (column, index) in block.enumerated() {
            let intervention = interventions[own[index].direction] ?? .denoising
            var found = Array(effects[column * metrics..<(column + 1) * metrics])
            for (metric, means) in powered ?? [:] { found[metric.rawValue].replaceMean(by: means[column]) }
            if !intervention.exchangesPasses {
                for metric in found.indices {
                    found[metric].recovered = .nan
                    found[metric].recoveredLow = .nan
                    found[metric].recoveredHigh = .nan
                }
            }
            patches.append(
                PatchStatistics(
                    patch: places[index], record: own[index], intervention: intervention,
                    construction: Construction(
                        own[index], intervention, layers: store.manifest.layers, tokens: store.manifest.tokens),
                    effects: found, accuracy: Double(correct[column]) / Double(n), control: compared[column],
                    powered: powered?[.p]?[column]))
            onP.append((0..<n).map { Float(values[($0 * block.count + column) * metrics]) })
        }
    }
    let isRight = images.map { $0.clean.prediction == $0.label }
    var directions: [DirectionStatistics] = []
    for direction in unique(own.map(\.direction)) {
        let members = patches.indices.filter {
            patches[$0].record.direction == direction && patches[$0].construction == nil
        }
        let columns = members.map { onP[$0] }
        let strongest = members.filter { patches[$0].p.mean.isFinite }.max {
            abs(patches[$0].p.mean) < abs(patches[$1].p.mean)
        }
        var floor = Double.nan
        if significance {
            let found = SignFlips(seed: bootstrap.seed).test(columns, rows: n)
            floor = found.floor
            for (member, index) in members.enumerated() {
                patches[index].pValue = found.p[member]
                patches[index].pAdjusted = found.adjusted[member]
            }
        }
        directions.append(
            DirectionStatistics(
                direction: direction, intervention: interventions[direction] ?? .denoising, strongest: strongest,
                family: members.count, reliability: Reliability(columns, seed: bootstrap.seed),
                populations: populations(
                    isRight, totals: (0..<n).map { totals[$0 * metrics] },
                    strongest: strongest.map { onP[$0].map(Double.init) }, bootstrap), pFloor: floor))
    }
    let total = overAll.statistics[0]
    let isClear = TotalEffect(mean: total.mean, low: total.low, high: total.high).isClear
    var found = CorruptionStatistics(
        corruption: corruption, spec: store.manifest.corruptions[corruption], seen: counts.seen, kept: counts.kept,
        images: all.count, exactImages: n, accuracyClean: mean { $0.clean.prediction == $0.label ? 1 : 0 },
        accuracyCorrupted: mean { $0.corrupted.prediction == $0.label ? 1 : 0 },
        meanPClean: mean { Double($0.clean.p) }, meanPCorrupted: mean { Double($0.corrupted.p) },
        totals: overAll.statistics,
        topTenth: isClear ? topTenthShare(all.map { Double($0.clean.p) - Double($0.corrupted.p) }) : .nan,
        saturatedClean: mean { saturated($0.clean.p) }, saturatedCorrupted: mean { saturated($0.corrupted.p) },
        patches: patches, directions: directions, controls: controls.statistics(bootstrap))
    found.estimates = try estimateStatistics(of: store, corruption: corruption, images: all)
    found.screenings = comparison?.screenings() ?? []
    found.savings = comparison?.savings(patches)
    return found
}

extension ResultsStore {
    /// Indices of the sweep's own patches that have exact passes, ascending
    func ownExactPatches() throws -> [Int] {
        let chosen = try exactPatches().map { Set($0.map(\.patch)) }
        return manifest.ownPatches.indices.filter { chosen?.contains($0) ?? true }
    }
}

/// Images whose clean pass is right, then those whose clean pass is wrong; empty where all are of one kind.
private func populations(
    _ isRight: [Bool], totals: [Double], strongest: [Double]?, _ bootstrap: Bootstrap
) -> [Population] {
    guard isRight.contains(true), isRight.contains(false) else { return [] }
    return [true, false].map { right in
        let rows = isRight.indices.filter { isRight[$0] == right }
        func over(_ values: [Double]) -> EffectStatistics {
            summarise(rows.map { values[$0] }, rows: rows.count, total: nil, columns: 1, bootstrap)[0]
        }
        return Population(
            cleanIsRight: right, images: rows.count, total: over(totals), strongest: strongest.map(over))
    }
}
