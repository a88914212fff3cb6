import Results
import Statistics

extension SummaryWriter {
    /// Rows are layers, columns windows; as many windows side by side as fit.
    mutating func layers(_ patches: [PatchStatistics], best: PatchStatistics?) {
        let digits = decimals(for: patches.map { effect($0).mean })
        let number = digits + 3
        let hasIntervals = patches.contains { effect($0).hasInterval }
        let fixedWidth = number + 1 + (hasIntervals ? 2 * number + 5 : 0) + 2 + 2  // value, interval, mark, gap
        let layers = unique(patches.map(\.record.layer))
        let windows = unique(patches.map(\.record.window))
        let labels = max(5, layers.map(\.count).max() ?? 0)
        let room = width - 2 - labels - 2
        let perTable = max(1, min(windows.count, room / (fixedWidth + 5)))
        let barWidth = max(4, min(20, room / perTable - fixedWidth))
        let bars = BarScale(patches.map { effect($0).mean }, width: barWidth)
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
                    let value = paddedLeft(signed(effect(patch).mean, digits), number)
                    let bar = bars.bar(effect(patch).mean)
                    row += (isBest ? terminal.bold(value) : value) + " "
                    if hasIntervals { row += terminal.dim(range(effect(patch), digits)) + " " }
                    row += terminal.negative(bar.left) + terminal.positive(bar.right)
                    let mark = patch.construction != nil ? "=" : isBest ? "◀" : " "
                    row += " \(mark)\(patch.control?.isAbove == true ? "▲" : " ") "
                }
                line(row)
            }
        }
    }

    /// A heat map: rows are layers, columns heads, without intervals and without the zero before the point.
    mutating func heads(_ patches: [PatchStatistics], best: PatchStatistics?) {
        // One digit less than elsewhere: 12 heads then fit 80 columns.
        let digits = max(3, decimals(for: patches.map { effect($0).mean }) - 1)
        func short(_ value: Double) -> String {
            let text = signed(value, digits)
            let tail = text.dropFirst()
            return tail.hasPrefix("0.") ? String(text.prefix(1) + tail.dropFirst()) : text
        }
        let layers = unique(patches.map(\.record.layer))
        let heads = unique(patches.map(\.record.head))
        var cell = max(digits + 2, heads.map(\.count).max() ?? 0) + 1
        let labels = max(5, layers.map(\.count).max() ?? 0)
        if (cell + 1) * heads.count <= width - 2 - labels - 1 { cell += 1 }  // a wider gap where there is room
        let fitting = max(1, (width - 2 - labels - 1) / cell)
        let map = TerminalHeatMap(
            terminal: terminal, limit: patches.map { effect($0).mean }.filter(\.isFinite).map(abs).max() ?? 0)
        let tables = (heads.count + fitting - 1) / fitting
        let perTable = (heads.count + tables - 1) / tables  // about the same number in each
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
                        short(effect(patch).mean), effect(patch).mean, width: cell, isSoft: !effect(patch).excludesZero,
                        isBold: patch.patch == best?.patch)
                }
                line(row)
            }
        }
        line("  " + paddedLeft("", labels) + " " + map.legend(digits: digits))
    }

    /// The strongest patches, by the size of their effect.
    mutating func list(_ patches: [PatchStatistics], limit: Int) {
        let shown = patches.filter { effect($0).mean.isFinite && $0.construction == nil }.sorted {
            abs(effect($0).mean) > abs(effect($1).mean)
        }.prefix(limit)
        let digits = decimals(for: shown.map { effect($0).mean })
        let columns: [(name: String, value: (PatchRecord) -> String)] = [
            ("neuron", \.neuron), ("layer", \.layer), ("head", \.head), ("token", \.token), ("window", \.window),
        ].filter { column in
            // The title names the site if all patches share it
            if column.0 == "neuron" { return unique(shown.map(\.record.site)).count > 1 }
            return shown.contains { !column.1($0.record).isEmpty && (column.0 != "window" || $0.record.window != "1") }
        }
        let hasIntervals = shown.contains { effect($0).hasInterval }
        func cells(_ value: (String, (PatchRecord) -> String), _ text: String) -> String {
            let widest = shown.map { value.1($0.record).count }.max() ?? 0
            return paddedLeft(text, max(value.0.count, widest) + 2)
        }
        let names = columns.map { cells($0, $0.name) }.joined()
        let used = names.count + 2 + 3 * (digits + 3) + 7
        let bars = BarScale(shown.map { effect($0).mean }, width: max(4, min(30, width - used)))
        line(names + "  strongest \(shown.count) of \(patches.count)")
        for patch in shown {
            let bar = bars.bar(effect(patch).mean)
            line(
                columns.map { cells($0, $0.value(patch.record)) }.joined()
                    + "  \(paddedLeft(signed(effect(patch).mean, digits), digits + 3)) "
                    + (hasIntervals ? terminal.dim(range(effect(patch), digits)) + " " : "")
                    + terminal.negative(bar.left)
                    + terminal.positive(bar.right))
        }
    }

    func range(_ effect: EffectStatistics, _ digits: Int) -> String {
        intervalText(effect.low, effect.high, digits, width: digits + 3)
    }

    func interval(_ effect: EffectStatistics, _ digits: Int) -> String {
        guard effect.hasInterval else { return signed(effect.mean, digits) }
        return "\(signed(effect.mean, digits)) \(intervalText(effect.low, effect.high, digits))"
    }

    // MARK: - Strengths

    /// A corruption at several strengths: the passes by strength, then one map of strengths by layers for every group
    /// that is compared by layer, and the strongest place of every strength.
    mutating func strengths(_ series: DoseSeries) {
        line()
        line(
            terminal.bold("corruption \(series.kind)")
                + terminal.dim("   \(series.doses.count) strengths of the same images"))
        let strength = max(8, series.labels.map(\.count).max() ?? 0)
        line(
            "  " + paddedLeft("strength", strength) + paddedLeft("images", 8) + paddedLeft("accuracy", 10)
                + paddedLeft("mean p", 8) + "  total effect on p")
        if let first = series.doses.first?.statistics {
            line(
                "  " + paddedLeft("clean", strength) + paddedLeft("\(first.images)", 8)
                    + paddedLeft(percent(first.accuracyClean), 10) + paddedLeft(fixed(first.meanPClean, 3), 8))
        }
        for (label, dose) in zip(series.labels, series.doses) {
            let s = dose.statistics
            line(
                "  " + paddedLeft(label, strength) + paddedLeft("\(s.images)", 8)
                    + paddedLeft(percent(s.accuracyCorrupted), 10) + paddedLeft(fixed(s.meanPCorrupted, 3), 8) + "  "
                    + interval(s.totalP, 3))
        }
        if let few = series.doses.map(\.statistics.images).min(), let warning = SampleWords.warning(images: few) {
            line("  warning: \(warning)")
        }
        for group in PlaceGroup.all(series.doses[0].statistics, manifest) where choice.holds(group.patches[0]) {
            strengthMap(series, group)
        }
        guard choice.isWhole else { return }
        line()
        line("  " + terminal.bold("strongest place"))
        for (label, dose) in zip(series.labels, series.doses) {
            for item in dose.statistics.directions {
                guard let best = dose.statistics.strongest(item.direction) else { continue }
                let words = InterventionWords(manifest, direction: item.direction)
                let sure =
                    item.reliability.map {
                        $0.standsOut
                            ? ", in both halves \(percent($0.sameStrongest))" : ", none stands out"
                    } ?? ""
                line(
                    "  \(paddedLeft(label, strength))  \(words.name) \(best.record.short) \(interval(best.p, 3))\(sure)"
                )
            }
        }
        line(terminal.dim("  every strength's tables: report, or summary --format csv"))
    }

    private mutating func strengthMap(_ series: DoseSeries, _ group: PlaceGroup) {
        guard case .layers = group.shape, group.layers.count > 1 else { return }
        for window in group.windows {
            let indices = group.layers.map { layer in group.patch(layer: layer, window: window)?.patch }
            let values = series.doses.map { dose in
                indices.map { $0.flatMap { dose.statistics.patch($0) } }
            }
            let all = values.joined().compactMap { $0 }.filter { $0.construction == nil }.map { effect($0).mean }
            let map = TerminalHeatMap(terminal: terminal, limit: all.filter(\.isFinite).map(abs).max() ?? 0)
            let digits = max(2, decimals(for: all) - 1)
            let labels = max(8, series.labels.map(\.count).max() ?? 0)
            let cell = min(max(digits + 3, group.layers.map(\.count).max() ?? 0) + 1, 12)
            let fitting = max(1, (width - 3 - labels) / cell)
            line()
            line(
                "  " + terminal.bold(group.title + (window.isEmpty || window == "1" ? "" : ", window \(window)"))
                    + terminal.dim("   \(title(group.words))"))
            for start in stride(from: 0, to: group.layers.count, by: fitting) {
                let shown = start..<min(start + fitting, group.layers.count)
                line(
                    "  " + paddedLeft("strength", labels) + " "
                        + shown.map { paddedLeft("L" + group.layers[$0], cell) }.joined())
                for (label, row) in zip(series.labels, values) {
                    var text = "  " + paddedLeft(label, labels) + " "
                    for column in shown {
                        guard let patch = row[column] else {
                            text += padded("", cell)
                            continue
                        }
                        text += map.cell(
                            short(effect(patch).mean, digits), effect(patch).mean, width: cell,
                            isSoft: !effect(patch).excludesZero,
                            isBold: false)
                    }
                    line(text)
                }
            }
        }
    }

    /// Without the zero before the point
    private func short(_ value: Double, _ digits: Int) -> String {
        let text = signed(value, digits)
        let tail = text.dropFirst()
        return tail.hasPrefix("0.") ? String(text.prefix(1) + tail.dropFirst()) : text
    }
}
