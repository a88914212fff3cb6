import Foundation
import Results

/// What a column of estimates is, by its name: `ig5_log_odds` is `ig5` of log_odds.
package struct EstimateName: Sendable, Hashable {
    /// As in the store and the export
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

    /// What the same metric of a pass is; nan for a metric that passes do not have
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

/// One estimate of every patch, averaged over images. An estimate is no effect: it says what gradients foretell.
package struct EstimateStatistics: Sendable, Equatable {
    package var name: EstimateName
    /// Images that have it
    package var images: Int
    /// [patches of the manifest]
    package var mean: [Double]
    /// 95% intervals over images, Student's t; nan for fewer than `fewestImages`
    package var low: [Double], high: [Double]

    /// The sweep's own patches by the size of their mean estimate, the largest first; equals in the sweep's order
    package func order(_ manifest: Manifest) -> [Int] {
        manifest.ownPatches.indices.filter { mean[$0].isFinite }
            .sorted { (abs(mean[$0]), $1) > (abs(mean[$1]), $0) }
    }
}

/// Every estimate of a corruption over the images that have all of them. One pass over the store, in constant memory.
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
    /// Patches with exact passes, and those with estimates alone, whose effects are not known.
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

/// Estimates of the patches that have exact passes, in memory, 4 bytes a value: what effects are compared with and made
/// surer by.
struct Predictors {
    let names: [EstimateName]
    /// Of the manifest's patches, ascending
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
    /// - Parameter column: into `patches`
    func callAsFunction(_ name: Int, image: Int, column: Int) -> Double {
        let row = values[name][image]
        return row.isEmpty ? .nan : Double(row[column])
    }

    /// How effects on a metric are foretold; nil where nothing foretells them.
    func source(_ metric: Metric) -> Source? {
        let wanted = ["p", "log_odds", "logit_diff", "kl"][metric.rawValue]
        if let index = names.firstIndex(where: { $0.metric == wanted }) { return Source(name: index, isLogOdds: false) }
        guard metric == .p, let index = names.firstIndex(where: { $0.metric == "log_odds" }) else { return nil }
        return Source(name: index, isLogOdds: true)
    }

    struct Source {
        /// Into `names`
        var name: Int
        /// Of log-odds, from which one of p is made: sigmoid(log-odds + estimate) - p, from the receiving pass's
        var isLogOdds: Bool

        func value(_ estimate: Double, _ receiver: PassMetrics) -> Double {
            guard isLogOdds else { return estimate }
            let odds = Double(receiver.logOdds)
            return 1 / (1 + exp(-odds - estimate)) - 1 / (1 + exp(-odds))
        }
    }
}
