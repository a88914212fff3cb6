import Results
import Statistics

/// Patches that are shown together.
struct SummaryGroup {
    enum Shape {
        /// Rows are layers, columns windows
        case layers
        /// Rows are layers, columns heads
        case heads
        /// A list of the strongest patches
        case list
    }
    var title: String
    var words: InterventionWords
    var shape: Shape
    var patches: [PatchStatistics]

    /// A corruption's places by direction and site, then by what a table does not show: windows, heads, tokens.
    static func all(_ corruption: CorruptionStatistics, _ manifest: Manifest) -> [SummaryGroup] {
        func split<Key: Hashable>(
            _ patches: [PatchStatistics], by key: (PatchRecord) -> Key
        ) -> [[PatchStatistics]] {
            unique(patches.map { key($0.record) }).map { wanted in patches.filter { key($0.record) == wanted } }
        }
        return split(corruption.patches, by: PlaceGroup.site(among: corruption.patches)).flatMap {
            place -> [SummaryGroup] in
            let isNeurons = unique(place.map(\.record.site)).count > 1
            let words = InterventionWords(manifest, direction: place[0].record.direction, corruption: corruption.spec)
            func group(_ patches: [PatchStatistics], _ shape: SummaryGroup.Shape, _ parts: [(String, String)])
                -> SummaryGroup
            {
                let named = parts.filter { !$0.1.isEmpty && $0 != ("window", "1") }.map {
                    $0.0 == "token" ? tokenText($0.1) : "\($0.0) \($0.1)"
                }
                return SummaryGroup(
                    title: (["\(words.name) \(isNeurons ? place[0].record.baseSite : place[0].record.site)"] + named)
                        .joined(separator: ", "), words: words,
                    shape: shape, patches: patches)
            }
            if isNeurons || unique(place.map(\.record.token)).count > 4 { return [group(place, .list, [])] }
            if unique(place.map(\.record.head)).count > 1 {
                return split(place) { [$0.token, $0.window] }.map {
                    group($0, .heads, [("token", $0[0].record.token), ("window", $0[0].record.window)])
                }
            }
            return split(place) { [$0.head, $0.token] }.map {
                group($0, .layers, [("head", $0[0].record.head), ("token", $0[0].record.token)])
            }
        }
    }
}

extension SummaryWriter {
    mutating func group(_ group: SummaryGroup, of corruption: CorruptionStatistics) {
        line()
        line(
            "  " + terminal.bold(printable(group.title))
                + terminal.dim(
                    "   \(title(group.words))"
                        + (corruption.exactImages < fewestImages ? "" : ", [95% interval]")
                        + (corruption.isPowered ? ", prediction-powered" : "")))
        let best = strongest(group.patches)
        if group.patches.allSatisfy({ $0.construction == .everything }) {
            line("  every place is the other pass by construction: \(interval(effect(group.patches[0]), 3))")
            return
        }
        switch group.shape {
        case .layers: layers(group.patches, best: best)
        case .heads:
            heads(group.patches, best: best)
            line()
            list(group.patches, limit: 5)
        case .list: list(group.patches, limit: 10)
        }
        let constructed = group.patches.count { $0.construction != nil }
        if constructed > 0 {
            line(
                terminal.dim(
                    "  = \(counted(constructed, "place")) recover\(constructed == 1 ? "s" : "") everything or nothing by construction"
                ))
        }
        guard let best else { return }
        // A share of a total effect that may be zero has no meaning.
        func recovered(_ metric: Metric, _ name: String) -> String? {
            guard corruption[metric].excludesZero, best[metric].recovered.isFinite else { return nil }
            return "\(percent(best[metric].recovered)) of \(name)"
        }
        let shares = [recovered(.p, "p"), recovered(.logOdds, "log-odds"), recovered(.logitDiff, "logit diff")]
            .compactMap { $0 }
        line(
            terminal.dim(
                "  the strongest" + (shares.isEmpty ? ": " : " \(group.words.verb) \(shares.joined(separator: ", ")); ")
                    + "accuracy \(percent(best.accuracy))"))
        if let warning = SampleWords.warning(effect(best)) { line(terminal.dim("  warning: \(warning)")) }
    }

    /// The effects of places of the same extent.
    mutating func controls(_ group: SummaryGroup, of corruption: CorruptionStatistics) {
        let direction = group.patches[0].record.direction
        let extents = Set(group.patches.filter { $0.construction == nil }.map(\.record.extent))
        let controls = corruption.controls.filter {
            $0.direction == direction && extents.contains($0.extent)
        }
        guard !controls.isEmpty else { return }
        let digits = decimals(for: group.patches.map(\.p.mean))
        // The heading names the site already.
        let site = group.patches[0].record.site + " "
        let names = controls.map {
            ($0.isDrawn ? "random " : "all ")
                + ($0.extent.hasPrefix(site) ? $0.extent.dropFirst(site.count) : $0.extent[...])
        }
        let (name, mean) = (max(15, names.map(\.count).max() ?? 0), 3 * (digits + 3) + 5)
        line(
            terminal.dim(
                "  " + padded("places", name) + paddedLeft("n", 6) + "  " + padded("mean", mean)
                    + "  " + padded(percentileName(direction), 15)
                    + (controls.contains(where: \.isDrawn) ? "  beyond ▲" : "")))
        for (control, text) in zip(controls, names) {
            let patches = group.patches.filter { $0.record.extent == control.extent }
            line(
                "  " + padded(text, name) + paddedLeft("\(control.places)", 6)
                    + "  " + padded(interval(control.p, digits), mean) + "  "
                    + padded(control.extremePercentile.isNaN ? "-" : signed(control.extremePercentile, digits), 15)
                    + "  "
                    + (control.isDrawn ? control.beyond(patches) : ""))
        }
    }
}
