import Results
import Statistics

// Estimates, told apart from effects by their words and their bars.
extension SummaryWriter {
    /// The sweep's estimates, in the header
    mutating func estimateHeader() {
        guard !manifest.estimates.isEmpty else { return }
        for (index, name) in manifest.estimates.map(EstimateName.init).enumerated() {
            named(index == 0 ? "estimates" : "", "\(EstimateWords.title(name)), from \(EstimateWords.definition(name))")
        }
        named("exact passes", EstimateWords.exact(manifest))
        if let images = manifest.exactImages {
            named(
                "",
                "on \(images) images drawn at random; mean effects are prediction-powered for metrics that an estimate "
                    + "predicts")
        }
    }

    /// The largest values of every estimate, and its agreement with exact effects.
    mutating func estimates(_ corruption: CorruptionStatistics) {
        for estimate in corruption.estimates where estimate.images > 0 {
            let screening = corruption.screenings.first { $0.name == estimate.name }
            for (position, members) in directions().enumerated() {
                largest(estimate, members, screening, corruption, isTitled: position == 0)
            }
            if let screening { agreement(screening) }
        }
    }

    /// The sweep's own patches by direction
    private func directions() -> [[Int]] {
        let own = manifest.ownPatches
        let members = Dictionary(grouping: own.indices) { own[$0].direction }
        return unique(own.map(\.direction)).compactMap { members[$0] }
    }

    private mutating func largest(
        _ estimate: EstimateStatistics, _ members: [Int], _ screening: Screening?, _ corruption: CorruptionStatistics,
        isTitled: Bool
    ) {
        let shown = members.filter { estimate.mean[$0].isFinite }
            .sorted { (abs(estimate.mean[$0]), $1) > (abs(estimate.mean[$1]), $0) }.prefix(10)
        guard let first = shown.first else { return }
        let words = InterventionWords(
            manifest, direction: manifest.patches[first].direction, corruption: corruption.spec)
        line()
        line(
            "  " + terminal.bold("estimates: \(words.name), \(EstimateWords.title(estimate.name))")
                + terminal.dim("   mean over \(counted(estimate.images, "image")), not measured"))
        let exact = Dictionary(
            (screening?.pairs ?? []).map { ($0.patch, $0.effect) }, uniquingKeysWith: { first, _ in first })
        let digits = decimals(for: shown.map { estimate.mean[$0] })
        let names = shown.map { manifest.patches[$0].short }
        let width = max(5, names.map(\.count).max() ?? 0)
        let hasIntervals = estimate.low[first].isFinite, hasExact = shown.contains { exact[$0] != nil }
        let interval = hasIntervals ? 2 * (digits + 3) + 5 : 0
        let bars = BarScale(
            shown.map { estimate.mean[$0] },
            width: max(4, min(30, self.width - width - digits - 7 - interval - (hasExact ? digits + 8 : 0))))
        line(
            "  " + padded("largest \(shown.count) of \(members.count)", width + digits + 5 + interval)
                + (hasExact ? paddedLeft("exact", digits + 4) : ""))
        for (patch, name) in zip(shown, names) {
            let bar = bars.bar(estimate.mean[patch])
            let limits =
                hasIntervals
                ? " " + terminal.dim(intervalText(estimate.low[patch], estimate.high[patch], digits, width: digits + 3))
                : ""
            let measured = hasExact ? paddedLeft(exact[patch].map { signed($0, digits) } ?? "-", digits + 4) : ""
            line(
                "  " + padded(printable(name), width) + "  "
                    + paddedLeft(signed(estimate.mean[patch], digits), digits + 3) + limits + measured + " "
                    + Self.light(bar.left) + Self.light(bar.right))
        }
    }

    /// An estimate's bar, in a lighter shade than an effect's
    private static func light(_ bar: String) -> String {
        String(bar.map { $0 == " " ? " " : "░" })
    }

    /// A sentence, wrapped to the width
    private mutating func sentence(_ text: String) {
        var row = " "
        for word in text.split(separator: " ") {
            if row.count + 1 + word.count > width, row.contains(where: { $0 != " " }) {
                line(row)
                row = "   "
            }
            row += " " + word
        }
        line(row)
    }

    private mutating func agreement(_ screening: Screening) {
        let all = screening.all
        guard all.patches > 0 else { return }
        sentence(
            "beside exact effects on \(EstimateWords.metric(screening.name)), \(counted(all.patches, "place")), \(counted(screening.images, "image")): \(EstimateWords.agreement(all)); over places and images r \(fixed(all.pooled, 2))"
        )
        let sites = screening.groups.filter { $0.layer == nil }
        if sites.count > 1, sites.count <= 12 {
            for group in sites {
                let words = InterventionWords(manifest, direction: group.direction)
                line(
                    terminal.dim(
                        "    \(words.name) \(printable(group.site)), \(counted(group.agreement.patches, "place")): \(EstimateWords.agreement(group.agreement))"
                    ))
            }
        }
        if let recall = screening.recall {
            sentence(
                "\(recall.found) of the \(recall.exact) strongest exact effects are among the \(recall.estimated) largest estimates"
            )
        }
        if let missed = screening.missed {
            for sentence in EstimateWords.missed(missed, metric: EstimateWords.metric(screening.name)) {
                self.sentence(sentence)
            }
        }
        if let warning = EstimateWords.warning(screening) { sentence("warning: \(warning)") }
    }

    /// The last lines: the exact passes that estimates save or would have saved.
    mutating func savings(_ statistics: [CorruptionStatistics]) {
        let saving = statistics.compactMap { item in item.savings.map { (item.spec, $0) } }
        guard !saving.isEmpty else { return }
        line()
        for (spec, savings) in saving {
            let text = EstimateWords.savings(savings, corruption: spec)
            sentence(saving.count > 1 ? "\(printable(spec)): \(text)" : text)
        }
    }
}
