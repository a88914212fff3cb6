import Results
import Statistics

/// The summary of a store for the terminal: the settings, the totals, and for every corruption, direction and site a
/// table of mean effects on the metric, with 95% intervals over images. Lines end with a newline.
///
/// - Parameters:
///   - colour: the colours that the terminal supports; `.none` where the output is no terminal
///   - width: columns to fill; tables need 60
package func summaryText(
    store: ResultsStore, choice: SummaryChoice = SummaryChoice(), colour: TerminalColour = .none, width: Int = 80
) throws -> String {
    try summaryText(
        store: store, statistics: statistics(of: store, significance: false), choice: choice, colour: colour,
        width: width)
}

/// The same from statistics that are already computed.
package func summaryText(
    store: ResultsStore, statistics: [CorruptionStatistics], choice: SummaryChoice = SummaryChoice(),
    colour: TerminalColour = .none, width: Int = 80
) throws -> String {
    var text = SummaryWriter(
        manifest: store.manifest, terminal: TerminalText(colour: colour), width: max(60, width), choice: choice)
    text.header(isFinished: try store.isFinished())
    let doses = choice.isList ? [] : DoseSeries.all(statistics, store.manifest)
    for series in doses { text.strengths(series) }
    let shown = doses.flatMap(\.doses).map(\.statistics.spec)
    let interactions = choice.isWhole ? try Statistics.interactions(of: store) : []
    for corruption in statistics where !shown.contains(corruption.spec) {
        text.totals(corruption)
        guard corruption.images > 0 else { continue }
        if choice.isList {
            text.ranked(corruption)
            continue
        }
        for group in SummaryGroup.all(corruption, store.manifest) where choice.holds(group.patches[0]) {
            text.group(group, of: corruption)
            if choice.metric == .p { text.controls(group, of: corruption) }
        }
        guard choice.isWhole else { continue }
        text.bothDirections(corruption)
        if let found = interactions.first(where: { $0.corruption == corruption.corruption }) {
            text.interactions(found)
        }
        text.reliability(corruption)
        text.estimates(corruption)
    }
    for corruption in statistics where shown.contains(corruption.spec) && !corruption.estimates.isEmpty {
        text.line()
        text.line(text.terminal.bold("corruption \(corruption.spec)"))
        text.estimates(corruption)
    }
    guard choice.isWhole else { return text.output }
    text.agreement(statistics)
    text.output += try groupText(store: store, by: store.groups(), colour: colour)
    text.savings(statistics)
    return text.output
}

struct SummaryWriter {
    let manifest: Manifest
    let terminal: TerminalText
    let width: Int
    var choice = SummaryChoice()
    var output = ""

    /// The effect that is shown
    func effect(_ patch: PatchStatistics) -> EffectStatistics { patch[choice.metric] }

    /// The patch with the largest absolute effect; patches by construction are excluded
    func strongest(_ patches: [PatchStatistics]) -> PatchStatistics? {
        patches.filter { effect($0).mean.isFinite && $0.construction == nil }
            .max { abs(effect($0).mean) < abs(effect($1).mean) }
    }

    mutating func line(_ text: String = "") {
        var text = text
        while text.last == " " { text.removeLast() }
        output += text + "\n"
    }

    mutating func named(_ name: String, _ value: String) { line("  " + padded(name, 14) + printable(value)) }

    mutating func header(isFinished: Bool) {
        func content(_ name: String, _ hash: String) -> String {
            hash.isEmpty ? name : "\(name) (\(hash.prefix(12)))"
        }
        named("model", content(manifest.model, manifest.modelHash))
        if let donor = manifest.donor { named("donor", content(donor, manifest.donorHash ?? "")) }
        named("data", content(manifest.data, manifest.dataHash))
        classes()
        if let skipped = manifest.skipped, skipped > 0 {
            named("left out", "\(skipped) images that could not be read")
        }
        for direction in unique(manifest.ownPatches.map(\.direction)) {
            let words = InterventionWords(manifest, direction: direction)
            named("patching", words.definition)
        }
        named("target", "\(manifest.target); p is its probability")
        if !manifest.device.isEmpty { named("device", manifest.device) }
        estimateHeader()
        if !isFinished { named("state", "not finished; sweep --resume continues it") }
    }

    /// How classes of the data whose names are not the labels' were matched.
    private mutating func classes() {
        guard let lines = manifest.classMatch, !lines.isEmpty else { return }
        let most = 5
        for (i, text) in lines.prefix(most).enumerated() { named(i == 0 ? "classes" : "", text) }
        if lines.count > most { named("", "and \(lines.count - most) more, in the manifest") }
    }

    mutating func totals(_ corruption: CorruptionStatistics) {
        line()
        line(terminal.bold("corruption \(corruption.spec)"))
        images(corruption)
        guard corruption.images > 0 else { return }
        let isCorrupted = corruption.spec != "none"
        func both(_ clean: String, _ corrupted: String) -> String {
            "clean \(clean)" + (isCorrupted ? "   corrupted \(corrupted)" : "")
        }
        named("accuracy", both(percent(corruption.accuracyClean), percent(corruption.accuracyCorrupted)))
        let found = corruption.patches.filter { $0.construction == nil && $0.intervention == .denoising }
        if let best = found.max(by: { $0.accuracy < $1.accuracy }) {
            named("", "best patched \(percent(best.accuracy)) (\(best.record.short))")
        }
        named("mean p", both(fixed(corruption.meanPClean, 3), fixed(corruption.meanPCorrupted, 3)))
        guard isCorrupted else { return }
        let logOdds = corruption.hasLogOdds ? "   log-odds \(interval(corruption[.logOdds], 2))" : ""
        named("total effect", "p \(interval(corruption.totalP, 3))\(logOdds)")
        named("", "logit diff \(interval(corruption[.logitDiff], 2))")
        if corruption.topTenth.isFinite, corruption.images >= 10 {
            named("", "the tenth of the images with the largest carries \(percent(corruption.topTenth)) of it")
        }
        if let warning = SampleWords.warning(corruption.totalP) { named("", "warning: \(warning)") }
        for population in corruption.directions.first?.populations ?? [] {
            named(
                population.cleanIsRight ? "clean right" : "clean wrong",
                "\(counted(population.images, "image")), total effect on p \(interval(population.total, 3))")
        }
    }

    private mutating func images(_ corruption: CorruptionStatistics) {
        var images = "\(corruption.images)"
        if manifest.keep != "all" { images += ", those that are \(manifest.keep) among \(corruption.seen)" }
        if corruption.images < corruption.kept {
            images += "; \(corruption.kept - corruption.images) more are not complete and not included"
        }
        if corruption.isPowered { images += ", \(corruption.exactImages) of them with exact passes" }
        named("images", images)
        if let warning = SampleWords.warning(
            images: corruption.patches.isEmpty ? corruption.images : corruption.exactImages)
        {
            named("", "warning: \(warning)")
        }
    }

    /// Denoising beside noising: the places patched in both directions, those that recover most first.
    mutating func bothDirections(_ corruption: CorruptionStatistics) {
        let pairs = DirectionPair.all(corruption)
        guard !pairs.isEmpty, corruption.totalP.excludesZero else { return }
        let shown = pairs.prefix(5)
        let place = max(5, shown.map(\.denoising.record.short.count).max() ?? 0)
        line()
        line("  " + terminal.bold("both directions") + terminal.dim("   share of the total effect on p"))
        line("  " + padded("place", place) + "  " + paddedLeft("denoising", 10) + "  " + paddedLeft("noising", 10))
        for pair in shown {
            line(
                "  " + padded(pair.denoising.record.short, place) + "  "
                    + paddedLeft(percent(pair.denoising.p.recovered), 10) + "  "
                    + paddedLeft(percent(pair.noising.p.recovered), 10) + (pair.isBackedUp ? "  backed up" : ""))
        }
    }

    /// The reliability of the strongest place.
    mutating func reliability(_ corruption: CorruptionStatistics) {
        let known = corruption.directions.compactMap { item in item.reliability.map { (item, $0) } }
        guard !known.isEmpty else { return }
        line()
        line(
            "  " + terminal.bold("reliability of the strongest place")
                + terminal.dim("   \(known[0].1.splits) random halves of the images"))
        for (item, found) in known {
            let words = InterventionWords(manifest, direction: item.direction, corruption: corruption.spec)
            let best = item.strongest.map { corruption.patches[$0].record.short } ?? "-"
            line("  \(words.name): \(best)\(found.standsOut ? "" : " leads, but no single place stands out")")
            line(
                "    the same in both halves \(percent(found.sameStrongest)), profiles r \(fixed(found.correlation, 2)), "
                    + "held-out effect \(signed(found.heldOut, 3))")
        }
    }

    /// Rank agreement of the places between corruptions.
    mutating func agreement(_ statistics: [CorruptionStatistics]) {
        let pairs = RankAgreement.all(statistics)
        guard !pairs.isEmpty else { return }
        line()
        line(terminal.bold("corruptions compared") + terminal.dim("   rank correlation of places' mean effects on p"))
        for pair in pairs.prefix(10) {
            let words = InterventionWords(manifest, direction: pair.direction)
            line("  \(words.name), \(pair.a) and \(pair.b): \(signed(pair.correlation, 2))")
        }
    }
}
