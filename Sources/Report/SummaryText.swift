import Results

/// The summary of a store for the terminal: what was run, the totals, and for every corruption, direction and site a
/// table of mean effects on the target's probability, with 95% intervals over images. Lines end with a newline.
///
/// - Parameters:
///   - colour: what the terminal shows; the caller knows whether this goes to one
///   - width: columns to fill; tables need 60
package func summaryText(store: ResultsStore, colour: TerminalColour = .none, width: Int = 80) throws -> String {
    try summaryText(store: store, statistics: statistics(of: store, significance: false), colour: colour, width: width)
}

/// The same with statistics at hand.
package func summaryText(
    store: ResultsStore, statistics: [CorruptionStatistics], colour: TerminalColour = .none, width: Int = 80
) throws -> String {
    var text = SummaryWriter(terminal: TerminalText(colour: colour), width: max(60, width))
    text.header(store.manifest, isFinished: try store.isFinished())
    for corruption in statistics {
        text.totals(corruption, keep: store.manifest.keep)
        guard corruption.images > 0 else { continue }
        for group in groups(corruption.patches) {
            text.group(group, of: corruption)
            text.controls(group, of: corruption)
        }
    }
    text.output += try groupText(store: store, by: store.groups(), colour: colour)
    return text.output
}

/// Patches that are shown together.
private struct Group {
    enum Shape {
        /// Rows are layers, columns windows
        case layers
        /// Rows are layers, columns heads
        case heads
        /// The strongest ones
        case list
    }
    var title: String
    var shape: Shape
    var patches: [PatchStatistics]
}

private func groups(_ patches: [PatchStatistics]) -> [Group] {
    func split<Key: Hashable>(
        _ patches: [PatchStatistics], by key: (PatchRecord) -> Key
    ) -> [[PatchStatistics]] {
        unique(patches.map { key($0.record) }).map { wanted in patches.filter { key($0.record) == wanted } }
    }
    func name(_ parts: [String?]) -> String { parts.compactMap { $0 }.joined(separator: ", ") }
    func part(_ name: String, _ value: String) -> String? { value.isEmpty ? nil : "\(name) \(value)" }

    return split(patches, by: PlaceGroup.site).flatMap { place -> [Group] in
        let site = "\(place[0].record.direction) \(place[0].record.site)"
        if unique(place.map(\.record.token)).count > 4 {
            return [Group(title: site, shape: .list, patches: place)]
        }
        if unique(place.map(\.record.head)).count > 1 {
            return split(place) { [$0.token, $0.window] }.map {
                let record = $0[0].record
                return Group(
                    title: name([site, part("token", record.token), part("window", record.window)]), shape: .heads,
                    patches: $0)
            }
        }
        return split(place) { [$0.head, $0.token] }.map {
            let record = $0[0].record
            return Group(
                title: name([site, part("head", record.head), part("token", record.token)]), shape: .layers,
                patches: $0)
        }
    }
}

/// The values that occur, in the order of their first occurrence.
func unique<Value: Hashable>(_ values: [Value]) -> [Value] {
    var seen: Set<Value> = []
    return values.filter { seen.insert($0).inserted }
}

private func strongest(_ patches: [PatchStatistics]) -> PatchStatistics? {
    patches.filter { $0.p.mean.isFinite }.max { abs($0.p.mean) < abs($1.p.mean) }
}

private struct SummaryWriter {
    let terminal: TerminalText
    let width: Int
    var output = ""

    mutating func line(_ text: String = "") {
        var text = text
        while text.last == " " { text.removeLast() }
        output += text + "\n"
    }

    mutating func named(_ name: String, _ value: String) { line("  " + padded(name, 14) + printable(value)) }

    mutating func header(_ manifest: Manifest, isFinished: Bool) {
        func content(_ name: String, _ hash: String) -> String {
            hash.isEmpty ? name : "\(name) (\(hash.prefix(12)))"
        }
        named("model", content(manifest.model, manifest.modelHash))
        if let donor = manifest.donor { named("donor", content(donor, manifest.donorHash ?? "")) }
        named("data", content(manifest.data, manifest.dataHash))
        named("target", "\(manifest.target); p is its probability")
        if !manifest.device.isEmpty { named("device", manifest.device) }
        if !isFinished { named("state", "not finished; sweep --resume goes on with it") }
    }

    mutating func totals(_ corruption: CorruptionStatistics, keep: String) {
        line()
        line(terminal.bold("corruption \(corruption.spec)"))
        var images = "\(corruption.images)"
        if keep != "all" { images += ", those that are \(keep) among \(corruption.seen)" }
        if corruption.images < corruption.kept {
            images += "; \(corruption.kept - corruption.images) more are not complete and not counted"
        }
        named("images", images)
        guard corruption.images > 0 else { return }
        named(
            "accuracy",
            "clean \(percent(corruption.accuracyClean))   "
                + "corrupted \(percent(corruption.accuracyCorrupted))")
        let restoring = corruption.patches.filter { $0.record.direction != "noise" }
        if let best = restoring.max(by: { $0.accuracy < $1.accuracy }) {
            named("", "best patched \(percent(best.accuracy)) (\(best.record.text))")
        }
        named(
            "mean p", "clean \(fixed(corruption.meanPClean, 3))   corrupted \(fixed(corruption.meanPCorrupted, 3))")
        named(
            "total effect",
            "p \(interval(corruption.totalP, 3))   logit diff \(interval(corruption.totalLogitDiff, 2))")
    }

    mutating func group(_ group: Group, of corruption: CorruptionStatistics) {
        let noise = group.patches[0].record.direction == "noise"
        line()
        line(
            "  " + terminal.bold(printable(group.title))
                + terminal.dim("   mean p patched - p \(noise ? "clean" : "corrupted"), [95% interval]"))
        let best = strongest(group.patches)
        switch group.shape {
        case .layers: layers(group.patches, best: best)
        case .heads:
            heads(group.patches, best: best)
            line()
            list(group.patches, limit: 5)
        case .list: list(group.patches, limit: 10)
        }
        guard let best else { return }
        // A share of a total effect that may well be zero says nothing.
        func recovered(_ effect: EffectStatistics, of total: EffectStatistics, _ name: String) -> String? {
            total.excludesZero ? "\(percent(effect.recovered)) of \(name)" : nil
        }
        let shares = [
            recovered(best.p, of: corruption.totalP, "p"),
            recovered(best.logitDiff, of: corruption.totalLogitDiff, "logit diff"),
        ].compactMap { $0 }
        line(
            terminal.dim(
                "  the strongest" + (shares.isEmpty ? ": " : " recovers \(shares.joined(separator: ", ")); ")
                    + "accuracy \(percent(best.accuracy))"))
    }

    /// What places of the same extent do.
    mutating func controls(_ group: Group, of corruption: CorruptionStatistics) {
        let direction = group.patches[0].record.direction
        let extents = Set(group.patches.map(\.record.extent))
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
                    + (controls.contains(where: \.isDrawn) ? "  above ▲" : "")))
        for (control, text) in zip(controls, names) {
            let patches = group.patches.filter { $0.record.extent == control.extent }
            let above =
                if !control.isDrawn { "" } else if control.places < ControlComparison.fewest { "too few" } else {
                    "\(patches.count { $0.control?.isAbove == true }) of \(patches.count)"
                }
            line(
                "  " + padded(text, name) + paddedLeft("\(control.places)", 6)
                    + "  " + padded(interval(control.p, digits), mean) + "  "
                    + padded(control.p95.isNaN ? "-" : signed(control.p95, digits), 15) + "  " + above)
        }
    }

    // MARK: - Tables

    /// Rows are layers, columns windows; as many windows side by side as fit.
    private mutating func layers(_ patches: [PatchStatistics], best: PatchStatistics?) {
        let digits = decimals(for: patches.lazy.map(\.p.mean))
        let number = digits + 3
        let fixedWidth = number + 1 + (2 * number + 4) + 1 + 2 + 2  // value, interval, mark, gap
        let layers = unique(patches.map(\.record.layer))
        let windows = unique(patches.map(\.record.window))
        let labels = max(5, layers.map(\.count).max() ?? 0)
        let room = width - 2 - labels - 2
        let perTable = max(1, min(windows.count, room / (fixedWidth + 5)))
        let barWidth = max(4, min(20, room / perTable - fixedWidth))
        let bars = BarScale(patches.map(\.p.mean), width: barWidth)
        for start in stride(from: 0, to: windows.count, by: perTable) {
            let shown = windows[start..<min(start + perTable, windows.count)]
            let cell = fixedWidth + barWidth
            func heading(_ window: String) -> String {
                window.isEmpty ? (windows.count > 1 ? "sets of layers" : "") : "window \(window)"
            }
            line("  " + paddedLeft("layer", labels) + "  " + shown.map { padded(heading($0), cell) }.joined())
            let inTable = Set(patches.filter { shown.contains($0.record.window) }.map(\.record.layer))
            for layer in layers where inTable.contains(layer) {
                var row = "  " + paddedLeft(layer.isEmpty ? "-" : layer, labels) + "  "
                for window in shown {
                    let patch = patches.first { $0.record.layer == layer && $0.record.window == window }
                    guard let patch else {
                        row += padded("", cell)
                        continue
                    }
                    let isBest = patch.patch == best?.patch
                    let value = paddedLeft(signed(patch.p.mean, digits), number)
                    let bar = bars.bar(patch.p.mean)
                    row += (isBest ? terminal.bold(value) : value) + " "
                    row += terminal.dim(range(patch.p, digits)) + " "
                    row += terminal.negative(bar.left) + terminal.positive(bar.right)
                    row += " \(isBest ? "◀" : " ")\(patch.control?.isAbove == true ? "▲" : " ") "
                }
                line(row)
            }
        }
    }

    /// A heat map: rows are layers, columns heads, without intervals and without the zero before the point.
    private mutating func heads(_ patches: [PatchStatistics], best: PatchStatistics?) {
        // One digit less than elsewhere: 12 heads then fit 80 columns.
        let digits = max(3, decimals(for: patches.lazy.map(\.p.mean)) - 1)
        func short(_ value: Double) -> String {
            let text = signed(value, digits)
            let tail = text.dropFirst()
            return tail.hasPrefix("0.") ? String(text.prefix(1) + tail.dropFirst()) : text
        }
        let layers = unique(patches.map(\.record.layer))
        let heads = unique(patches.map(\.record.head))
        var cell = max(digits + 2, heads.map(\.count).max() ?? 0) + 1
        let labels = max(5, layers.map(\.count).max() ?? 0)
        if (cell + 1) * heads.count <= width - 2 - labels - 1 { cell += 1 }  // air, where there is room
        let fitting = max(1, (width - 2 - labels - 1) / cell)
        let map = TerminalHeatMap(
            terminal: terminal, limit: patches.map(\.p.mean).filter(\.isFinite).map(abs).max() ?? 0)
        let tables = (heads.count + fitting - 1) / fitting
        let perTable = (heads.count + tables - 1) / tables  // about as many in each
        var byPlace: [[String]: PatchStatistics] = [:]
        for patch in patches { byPlace[[patch.record.layer, patch.record.head]] = patch }
        for start in stride(from: 0, to: heads.count, by: perTable) {
            let shown = heads[start..<min(start + perTable, heads.count)]
            line("  " + paddedLeft("", labels) + " " + paddedLeft("head", cell))
            line("  " + paddedLeft("layer", labels) + " " + shown.map { paddedLeft($0, cell) }.joined())
            for layer in layers {
                var row = "  " + paddedLeft(layer, labels) + " "
                for head in shown {
                    guard let patch = byPlace[[layer, head]] else {
                        row += padded("", cell)
                        continue
                    }
                    row += map.cell(
                        short(patch.p.mean), patch.p.mean, width: cell, isSoft: !patch.p.excludesZero,
                        isBold: patch.patch == best?.patch)
                }
                line(row)
            }
        }
        line("  " + paddedLeft("", labels) + " " + map.legend(digits: digits))
    }

    /// The strongest patches, by the size of their effect.
    private mutating func list(_ patches: [PatchStatistics], limit: Int) {
        let shown = patches.filter { $0.p.mean.isFinite }.sorted { abs($0.p.mean) > abs($1.p.mean) }.prefix(limit)
        let digits = decimals(for: shown.map(\.p.mean))
        let columns: [(name: String, value: (PatchRecord) -> String)] = [
            ("layer", \.layer), ("head", \.head), ("token", \.token), ("window", \.window),
        ].filter { column in shown.contains { !column.1($0.record).isEmpty } }
        func cells(_ value: (String, (PatchRecord) -> String), _ text: String) -> String {
            let widest = shown.map { value.1($0.record).count }.max() ?? 0
            return paddedLeft(text, max(value.0.count, widest) + 2)
        }
        let names = columns.map { cells($0, $0.name) }.joined()
        let used = names.count + 2 + 3 * (digits + 3) + 7
        let bars = BarScale(shown.map(\.p.mean), width: max(4, min(30, width - used)))
        line(names + "  strongest \(shown.count) of \(patches.count)")
        for patch in shown {
            let bar = bars.bar(patch.p.mean)
            line(
                columns.map { cells($0, $0.value(patch.record)) }.joined()
                    + "  \(paddedLeft(signed(patch.p.mean, digits), digits + 3)) "
                    + terminal.dim(range(patch.p, digits)) + " " + terminal.negative(bar.left)
                    + terminal.positive(bar.right))
        }
    }

    private func range(_ effect: EffectStatistics, _ digits: Int) -> String {
        intervalText(effect.low, effect.high, digits, width: digits + 3)
    }

    private func interval(_ effect: EffectStatistics, _ digits: Int) -> String {
        "\(signed(effect.mean, digits)) \(intervalText(effect.low, effect.high, digits))"
    }
}
