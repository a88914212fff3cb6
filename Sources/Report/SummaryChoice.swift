import Results
import Statistics

/// Selects what a summary shows, and in which order.
package struct SummaryChoice: Sendable {
    /// The metric of the effects
    package var metric: Metric
    /// Values of the `site` column; empty: all
    package var sites: [String]
    /// How many of the strongest places of every corruption and direction to list; nil: all, as tables
    package var top: Int?
    /// The list's order; nil: by size. Without `top` and `sort` there are tables, no list
    package var sort: SummarySort?

    package init(metric: Metric = .p, sites: [String] = [], top: Int? = nil, sort: SummarySort? = nil) {
        (self.metric, self.sites, self.top, self.sort) = (metric, sites, top, sort)
    }

    var isList: Bool { top != nil || sort != nil }
    /// Whether everything is shown, as without options
    var isWhole: Bool { metric == .p && sites.isEmpty && !isList }

    func holds(_ patch: PatchStatistics) -> Bool { sites.isEmpty || sites.contains(patch.record.site) }

    /// A corruption's selected patches: of every direction the `top` with the largest absolute effects, in the order of
    /// `sort`. Patches by construction are never among the `top`.
    func patches(_ corruption: CorruptionStatistics) -> [PatchStatistics] { patches(corruption.patches) }

    func patches(_ all: [PatchStatistics]) -> [PatchStatistics] {
        let found = all.filter(holds)
        guard isList else { return found }
        func key(_ patch: PatchStatistics) -> Double {
            switch sort ?? .size {
            case .size: abs(patch[metric].mean)
            case .effect: patch[metric].mean
            case .positive: patch[metric].sharePositive
            case .place: -Double(patch.patch)
            }
        }
        func ordered(_ patches: [PatchStatistics], by key: (PatchStatistics) -> Double) -> [PatchStatistics] {
            patches.sorted { (key($1), $0.patch) < (key($0), $1.patch) }
        }
        return unique(found.map(\.record.direction)).flatMap { direction -> [PatchStatistics] in
            let own = found.filter { $0.record.direction == direction && $0[metric].mean.isFinite }
            guard let top else { return ordered(own, by: key) }
            let strongest = ordered(own.filter { $0.construction == nil }) { abs($0[metric].mean) }.prefix(top)
            return ordered(Array(strongest), by: key)
        }
    }
}

package enum SummarySort: String, CaseIterable, Sendable {
    /// The largest absolute effects first
    case size
    /// The largest effects first, the most negative last
    case effect
    /// The largest share of images with an effect above 0 first
    case positive
    /// The sweep's own order
    case place
}

extension Metric {
    /// The spelling in `--metric` and in columns
    package var name: String {
        switch self {
        case .p: "p"
        case .logOdds: "log_odds"
        case .logitDiff: "logit_diff"
        case .kl: "kl"
        }
    }

    /// In words
    var title: String {
        switch self {
        case .p: "p"
        case .logOdds: "log-odds"
        case .logitDiff: "logit difference"
        case .kl: "KL(clean ‖ pass)"
        }
    }
}

extension SummaryWriter {
    /// The places that `choice` selects, one per line, by direction.
    mutating func ranked(_ corruption: CorruptionStatistics) {
        let patches = choice.patches(corruption)
        for direction in unique(patches.map(\.record.direction)) {
            let shown = patches.filter { $0.record.direction == direction }
            let all = corruption.patches.count { $0.record.direction == direction && choice.holds($0) }
            let words = InterventionWords(manifest, direction: direction, corruption: corruption.spec)
            let digits = decimals(for: shown.map { effect($0).mean })
            let place = max(5, shown.map(\.record.short.count).max() ?? 0)
            let hasIntervals = shown.contains { effect($0).hasInterval }
            let bars = BarScale(
                shown.map { effect($0).mean }, width: max(4, min(24, width - place - 3 * (digits + 4) - 22)))
            line()
            line(
                "  " + terminal.bold(words.name)
                    + terminal.dim(
                        "   \(title(words)); " + (choice.top == nil ? "" : "the strongest \(shown.count) of ")
                            + "\(counted(all, "place"))"))
            for patch in shown {
                let effect = effect(patch), bar = bars.bar(effect.mean)
                line(
                    "  " + padded(patch.record.short, place) + "  "
                        + paddedLeft(signed(effect.mean, digits), digits + 3)
                        + " " + (hasIntervals ? terminal.dim(range(effect, digits)) + " " : "")
                        + terminal.negative(bar.left) + terminal.positive(bar.right) + " "
                        + terminal.dim(paddedLeft("\(percent(effect.sharePositive)) positive", 15))
                        + (patch.construction == nil ? "" : " ="))
            }
        }
    }

    /// `mean p patched - p corrupted`
    func title(_ words: InterventionWords) -> String {
        choice.metric == .p
            ? "mean p patched - \(words.base)"
            : "mean \(choice.metric.title), patched - \(words.receivesClean ? "clean" : "corrupted")"
    }
}
