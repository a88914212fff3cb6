import Foundation
import Results

/// The method and the metric of a column of estimates: `ig5_log_odds` is `ig5` of log_odds.
package struct EstimateName: Sendable, Hashable {
    /// The name in the store and the export
    package var column: String
    package var method: String
    /// log_odds | logit_diff | logit | p
    package var metric: String

    package init(_ column: String) {
        self.column = column
        let parts = column.split(separator: "_", maxSplits: 1)
        method = parts.first.map(String.init) ?? column
        metric = parts.count > 1 ? String(parts[1]) : ""
    }

    /// The exact value of the metric in a pass; nan for a metric that passes do not have
    func value(_ pass: PassMetrics) -> Double {
        switch metric {
        case "log_odds": Double(pass.logOdds)
        case "logit_diff": Double(pass.logitDiff)
        case "logit": Double(pass.logit)
        case "p": Double(pass.p)
        default: .nan
        }
    }
}

/// One estimate of every patch, averaged over images. An estimate is predicted from gradients; it is no measured
/// effect.
package struct EstimateStatistics: Sendable, Equatable {
    package var name: EstimateName
    /// The number of images that have it
    package var images: Int
    /// [patches of the manifest]
    package var mean: [Double]
    /// 95% intervals over images, Student's t; nan for fewer than `fewestImages`
    package var low: [Double], high: [Double]

    /// The sweep's own patches by absolute mean estimate, the largest first; ties are in the sweep's order
    package func order(_ manifest: Manifest) -> [Int] {
        manifest.ownPatches.indices.filter { mean[$0].isFinite }
            .sorted { (abs(mean[$0]), $1) > (abs(mean[$1]), $0) }
    }
}

/// Every estimate of a corruption over `images`, in one pass over the store for each. Memory does not grow with the
/// images.
package func estimateStatistics(
    of store: ResultsStore, corruption: Int, images: [ImageRecord]
) throws -> [EstimateStatistics] {
    let patches = store.manifest.patches.count
    return try store.manifest.estimates.map { name in
        var count = 0.0
        var mean = [Double](repeating: 0, count: patches), squares = mean
        try store.forEachEstimate(name, corruption: corruption, images: images) { _, values in
            count += 1
            // Welford's update
            for (index, value) in values.enumerated() {
                let off = Double(value) - mean[index]
                mean[index] += off / count
                squares[index] += off * (Double(value) - mean[index])
            }
        }
        if count == 0 { mean = mean.map { _ in .nan } }
        let half = squares.map { sum in
            count < Double(fewestImages)
                ? .nan : studentQuantile975(count - 1) * (sum / (count - 1) / count).squareRoot()
        }
        return EstimateStatistics(
            name: EstimateName(name), images: Int(count), mean: mean, low: zip(mean, half).map { $0 - $1 },
            high: zip(mean, half).map { $0 + $1 })
    }
}

extension CorruptionStatistics {
    /// Patches with exact passes, and those that have only estimates, whose effects are nan.
    package func withEstimates(_ manifest: Manifest) -> [PatchStatistics] {
        guard !estimates.isEmpty, patches.count < manifest.ownPatches.count else { return patches }
        let known = Dictionary(uniqueKeysWithValues: patches.map { ($0.patch, $0) })
        let interventions = Dictionary(
            unique(manifest.ownPatches.map(\.direction)).map { ($0, Intervention(manifest, direction: $0)) }
        ) { first, _ in first }
        return manifest.ownPatches.indices.map { index in
            if let patch = known[index] { return patch }
            let record = manifest.patches[index], intervention = interventions[record.direction] ?? .denoising
            return PatchStatistics(
                patch: index, record: record, intervention: intervention,
                construction: Construction(record, intervention, layers: manifest.layers, tokens: manifest.tokens),
                effects: Metric.allCases.map { _ in .none }, accuracy: .nan)
        }
    }
}

/// Estimates of the patches with exact passes, in memory at 4 bytes a value. Effects are compared with them, and mean
/// effects are corrected by them.
struct Predictors {
    let names: [EstimateName]
    /// Indices into the manifest's patches, ascending
    let patches: [Int]
    let images: [ImageRecord]
    /// [names][images][patches]
    private var values: [[[Float]]] = []

    init(store: ResultsStore, corruption: Int, images: [ImageRecord], patches: [Int]) throws {
        names = store.manifest.estimates.map(EstimateName.init)
        (self.patches, self.images) = (patches, images)
        let isWhole = patches.count == store.manifest.patches.count
        for name in names {
            var rows = [[Float]](repeating: [], count: images.count)
            try store.forEachEstimate(name.column, corruption: corruption, images: images) { row, all in
                rows[row] = isWhole ? all : patches.map { all[$0] }
            }
            values.append(rows)
        }
    }

    /// One image's estimate of one patch.
    /// - Parameter column: index into `patches`
    func callAsFunction(_ name: Int, image: Int, column: Int) -> Double {
        let row = values[name][image]
        return row.isEmpty ? .nan : Double(row[column])
    }

    /// The estimate that predicts effects on a metric; nil if there is none.
    func source(_ metric: Metric) -> Source? {
        let wanted = ["p", "log_odds", "logit_diff", "kl"][metric.rawValue]
        if let index = names.firstIndex(where: { $0.metric == wanted }) { return Source(name: index, isLogOdds: false) }
        guard metric == .p, let index = names.firstIndex(where: { $0.metric == "log_odds" }) else { return nil }
        return Source(name: index, isLogOdds: true)
    }

    struct Source {
        /// Index into `names`
        var name: Int
        /// Whether the estimate is of log-odds and becomes one of p: sigmoid(log-odds + estimate) - p, both of the
        /// receiving pass
        var isLogOdds: Bool

        func value(_ estimate: Double, _ receiver: PassMetrics) -> Double {
            guard isLogOdds else { return estimate }
            let odds = Double(receiver.logOdds)
            return 1 / (1 + exp(-odds - estimate)) - 1 / (1 + exp(-odds))
        }
    }
}
