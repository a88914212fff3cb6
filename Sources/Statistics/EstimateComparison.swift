import Results

/// How estimates narrow, or would narrow, the intervals of mean effects: medians over the ten strongest patches.
package struct Savings: Sendable, Equatable {
    /// The estimate that predicts the effects
    package var name: EstimateName
    package var metric: Metric
    /// Whether the mean effects shown are prediction-powered; if not, the figures are for exact passes on only
    /// `exactImages` of the images
    package var isUsed: Bool
    package var images: Int, exactImages: Int
    /// Correlation of estimate and effect over images
    package var correlation: Double
    /// Variance of the mean / that of the plain mean over the images with exact passes
    package var varianceRatio: Double
    /// The number of images with exact passes whose plain mean would have the same variance
    package var worth: Double { Double(exactImages) / varianceRatio }
}

/// Compares estimates with exact effects, which are added as they are read.
struct EstimateComparison {
    private let predictors: Predictors
    private let manifest: Manifest
    private let images: [ImageRecord]
    /// Images with estimates; the rows of `all` with exact passes, in the order of `images`; the rows of `all` without
    private let all: [ImageRecord], measured: [Int], others: [Int]
    private let totals: SharedTotals
    private let exact: [ExactPatch]?
    private let bootstrap: Bootstrap
    /// [names][patches]
    private var sums: [[PairSums]]
    /// Of the metric of `saving` [patches]
    private var savingSums: [PairSums]
    private let saving: (metric: Metric, source: Predictors.Source)?

    /// - Parameters:
    ///   - images: with exact passes
    ///   - all: with estimates, including `images`
    ///   - totals: over `all`
    ///   - patches: indices into the manifest's, ascending: those with exact passes
    /// - Returns: nil without estimates or patches to compare
    init?(
        store: ResultsStore, corruption: Int, images: [ImageRecord], all: [ImageRecord], totals: SharedTotals,
        patches: [Int], exact: [ExactPatch]?, _ bootstrap: Bootstrap
    ) throws {
        guard !store.manifest.estimates.isEmpty, !patches.isEmpty, !images.isEmpty else { return nil }
        manifest = store.manifest
        (self.images, self.all, self.totals, self.exact, self.bootstrap) = (images, all, totals, exact, bootstrap)
        predictors = try Predictors(store: store, corruption: corruption, images: all, patches: patches)
        let rows = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.image, $0) })
        measured = images.compactMap { rows[$0.image] }
        let isMeasured = Set(measured)
        others = all.indices.filter { !isMeasured.contains($0) }
        sums = Array(repeating: Array(repeating: PairSums(), count: patches.count), count: predictors.names.count)
        savingSums = Array(repeating: PairSums(), count: patches.count)
        saving =
            Metric.allCases.lazy.compactMap { [predictors] metric in
                predictors.source(metric).map { (metric, $0) }
            }.first
    }

    private func receiver(_ image: ImageRecord, isNoise: Bool) -> PassMetrics {
        isNoise ? image.clean : image.corrupted
    }

    /// Adds one effect.
    /// - Parameters:
    ///   - row: index into the images with exact passes
    ///   - position: index into the patches with exact passes
    mutating func add(row: Int, position: Int, patched: PassMetrics, isNoise: Bool) {
        let base = receiver(images[row], isNoise: isNoise)
        for (index, name) in predictors.names.enumerated() {
            sums[index][position].add(
                y: name.value(patched) - name.value(base),
                f: predictors(index, image: measured[row], column: position))
        }
        guard let saving else { return }
        let estimate = predictors(saving.source.name, image: measured[row], column: position)
        savingSums[position].add(
            y: saving.metric(patched) - saving.metric(base), f: saving.source.value(estimate, base))
    }

    /// Prediction-powered means of the metrics that estimates predict; empty if all images have exact passes.
    /// - Parameter values: [images, block, metrics]
    func powered(_ values: [Double], block: Range<Int>, isNoise: [Bool]) -> [Metric: [PredictionPowered.Mean]] {
        guard !others.isEmpty else { return [:] }
        let metrics = Metric.allCases.count
        var found: [Metric: [PredictionPowered.Mean]] = [:]
        for metric in Metric.allCases {
            guard let source = predictors.source(metric) else { continue }
            func predicted(_ rows: [Int]) -> [Double] {
                rows.flatMap { row in
                    block.enumerated().map { column, position in
                        source.value(
                            predictors(source.name, image: row, column: position),
                            receiver(all[row], isNoise: isNoise[column]))
                    }
                }
            }
            func total(_ row: Int) -> Double { totals.values[row * metrics + metric.rawValue] }
            found[metric] = PredictionPowered(bootstrap).means(
                stride(from: metric.rawValue, to: values.count, by: metrics).map { values[$0] },
                predictions: predicted(measured), others: predicted(others), columns: block.count,
                totals: (
                    PredictionPowered.Totals(
                        measured: measured.map(total), others: others.map(total),
                        isClear: totals.statistics[metric.rawValue].excludesZero),
                    signs: isNoise.map { $0 ? -1 : 1 }
                ))
        }
        return found
    }

    func screenings() -> [Screening] {
        zip(predictors.names, sums).map { name, sums in
            Screening(
                name, sums: sums, patches: predictors.patches, manifest: manifest, images: images.count, exact: exact)
        }
    }

    /// - Parameter patches: those with exact passes, in the order of `predictors.patches`
    func savings(_ patches: [PatchStatistics]) -> Savings? {
        guard let saving, images.count >= 2 * fewestImages else { return nil }
        let strongest = patches.indices.filter { patches[$0].construction == nil && patches[$0].p.mean.isFinite }
            .sorted { abs(patches[$0][saving.metric].mean) > abs(patches[$1][saving.metric].mean) }
            .prefix(10).map { savingSums[$0].correlation }.filter(\.isFinite)
        guard !strongest.isEmpty else { return nil }
        func median(_ values: [Double]) -> Double { quantile(0.5, ofSorted: values.sorted()) }
        let isUsed = !others.isEmpty
        // If all images have exact passes: what a tenth of them would have given
        let n = isUsed ? images.count : max(2 * fewestImages, images.count / 10)
        let ratio = strongest.map { r in
            (1 - r * r) * Double(n - 1) / Double(n - 2) + r * r * Double(n) / Double(all.count)
        }
        return Savings(
            name: predictors.names[saving.source.name], metric: saving.metric, isUsed: isUsed, images: all.count,
            exactImages: n, correlation: median(strongest), varianceRatio: min(1, median(ratio)))
    }
}

extension EffectStatistics {
    /// Replaces the mean, the share and their intervals; median and share positive stay those of the images with exact
    /// passes.
    mutating func replaceMean(by powered: PredictionPowered.Mean) {
        (mean, low, high) = (powered.mean, powered.low, powered.high)
        (recovered, recoveredLow, recoveredHigh) = (powered.share, powered.shareLow, powered.shareHigh)
    }
}
