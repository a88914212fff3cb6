import Results
import Statistics

/// Corruptions of one kind at different strengths: `noise:0.5`, `noise:1` ...
struct DoseSeries {
    var kind: String
    typealias Dose = (dose: Double, statistics: CorruptionStatistics)
    var doses: [Dose]
    let manifest: Manifest
    /// Whether cells of maps open the images behind them
    var cellsOpen = false

    static func all(_ statistics: [CorruptionStatistics], _ manifest: Manifest) -> [DoseSeries] {
        let parsed = statistics.filter { $0.images > 0 }.compactMap { item -> (String, Double, CorruptionStatistics)? in
            let parts = item.spec.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let dose = Double(parts[1]), dose.isFinite else { return nil }
            return (String(parts[0]), dose, item)
        }
        return unique(parsed.map(\.0)).compactMap { kind in
            let doses = parsed.filter { $0.0 == kind }.map { (dose: $0.1, statistics: $0.2) }.sorted {
                $0.dose < $1.dose
            }
            return unique(doses.map(\.dose)).count > 1 && unique(doses.map(\.dose)).count == doses.count
                ? DoseSeries(kind: kind, doses: doses, manifest: manifest) : nil
        }
    }

    /// The effect of the corruption on the passes, then of the strongest patches by direction, then maps.
    var figures: [Figure] { [passes] + unique(patches.map(\.record.direction)).map(effects) + maps }

    /// The first dose's; all doses have the same patches.
    private var patches: [PatchStatistics] { doses[0].statistics.patches }
    var labels: [String] {
        doses.map { dose in
            let text = "\(dose.dose)"
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        }
    }

    private func chart(
        _ title: String, _ yTitle: String, _ series: [LineChart.Series], percent: Bool = false, signed: Bool = true
    ) -> Panel {
        LineChart(
            title: title, xTitle: ReportWords.dose(kind), yTitle: yTitle, labels: labels, positions: doses.map(\.dose),
            series: series, digits: decimals(for: series.flatMap { $0.points.compactMap { $0?.value } }), yRange: [0],
            percent: percent, signed: signed
        ).panel
    }

    private var passes: Figure {
        func series(_ name: String, _ colour: Int, _ value: (CorruptionStatistics) -> Double) -> LineChart.Series {
            LineChart.Series(name: name, colour: colour, points: doses.map { .init(value: value($0.statistics)) })
        }
        let panels = [
            chart(
                "probability of the target", "mean p",
                [series("clean", 0, \.meanPClean), series("corrupted", 1, \.meanPCorrupted)], signed: false),
            chart(
                "accuracy", "share of images",
                [series("clean", 0, \.accuracyClean), series("corrupted", 1, \.accuracyCorrupted)], percent: true),
            chart(
                "total effect", "mean p clean − p corrupted",
                [LineChart.Series(name: "total effect", colour: 2, points: doses.map { .init($0.statistics.totalP) })]),
        ]
        let rows = zip(labels, doses).map { label, dose in
            let s = dose.statistics
            var row: [Table.Cell] = [Table.Cell(label), .count(s.images)]
            row += [s.meanPClean, s.meanPCorrupted].map { .value($0, 4) }
            row += [s.accuracyClean, s.accuracyCorrupted].map { .share($0) }
            return row + cells(s.totalP, 4)
        }
        return Figure(
            name: fileName(["dose-response", kind]), title: "Passes by strength of \(kind)",
            caption: "The same sweep at \(doses.count) strengths. The band is the 95% interval over images.",
            panels: panels,
            legend: [
                LegendItem(mark: .line, series: 0, text: "clean pass"),
                LegendItem(mark: .line, series: 1, text: "corrupted pass"),
                LegendItem(mark: .line, series: 2, text: "their difference"),
            ],
            table: Table(
                columns: [
                    Table.Column(kind, "strength"), Table.Column("n"), Table.Column("p clean", "p_clean"),
                    Table.Column("p corrupted", "p_corrupted"), Table.Column("accuracy clean", "accuracy_clean"),
                    Table.Column("accuracy corrupted", "accuracy_corrupted"),
                ] + withLimits("total effect", "total_effect"), rows: rows))
    }

    /// For every site and window, the patch that is strongest over all doses; at most six, one per colour.
    private func effects(_ direction: String) -> Figure {
        let indices = patches.indices.filter {
            patches[$0].record.direction == direction && patches[$0].construction == nil
        }
        let families = unique(indices.map { [patches[$0].record.site, patches[$0].record.window] })
        let strongest = families.compactMap { family in
            indices.filter { [patches[$0].record.site, patches[$0].record.window] == family }
                .max { totalSize($0) < totalSize($1) }
        }
        // The strongest of many, in the sweep's order
        let chosen = strongest.sorted { totalSize($0) > totalSize($1) }.prefix(6).sorted()
        func lines(_ point: (Dose, Int) -> LineChart.Point) -> [LineChart.Series] {
            chosen.enumerated().map { colour, patch in
                LineChart.Series(
                    name: patches[patch].record.short, colour: colour, points: doses.map { point($0, patch) })
            }
        }
        var panels = [
            chart(
                "effect on p", "mean Δp",
                lines { dose, patch in
                    .init(tested: dose.statistics.patches[patch])
                })
        ]
        let words = InterventionWords(manifest, direction: direction)
        let hasShares = words.intervention.exchangesPasses
        if hasShares {
            panels.append(
                chart(
                    "recovered share", "mean Δp / mean total",
                    lines { dose, patch in
                        dose.statistics.totalP.excludesZero
                            ? .init(recovered: dose.statistics.patches[patch].p) : .init(value: .nan)
                    }, percent: true))
        }
        let rows = zip(labels, doses).flatMap { label, dose in
            chosen.map { index in
                let patch = dose.statistics.patches[index]
                var row: [Table.Cell] = [Table.Cell(label), Table.Cell(patch.record.short)] + cells(patch.p, 4)
                if hasShares {
                    row += [patch.p.recovered, patch.p.recoveredLow, patch.p.recoveredHigh].map { .share($0) }
                }
                return row + [.p(patch.pAdjusted, isFloor: dose.statistics.isFloor(patch.pAdjusted, direction))]
            }
        }
        return Figure(
            name: fileName(["dose-response", kind, words.intervention.fileName(direction)]),
            title: "Effect on p by strength of \(kind): \(words.name)",
            caption: """
                Of every site and window the patch that is strongest over all strengths\
                \(chosen.count < strongest.count ? ", the \(chosen.count) strongest of \(strongest.count)" : ""). \
                Bands are 95% intervals over images. \
                \(hasShares ? "Shares are left out where the total effect may be zero." : words.sharesNote)
                """,
            panels: panels,
            legend: chosen.enumerated().map { LegendItem(mark: .line, series: $0, text: patches[$1].record.short) }
                + LegendItem.significance,
            table: Table(
                columns: [Table.Column(kind, "strength"), Table.Column("patch")] + withLimits("Δp", "effect_p")
                    + (hasShares ? withLimits("recovered", "recovered") : [])
                    + [Table.Column("p-value (adjusted)", "p_adjusted")], rows: rows))
    }

    // MARK: - Strength by layer

    /// One map per window of every group that is compared by layer: rows are doses, columns are layers.
    private var maps: [Figure] {
        PlaceGroup.all(doses[0].statistics, manifest).compactMap { group in
            guard case .layers = group.shape, group.layers.count > 1 else { return nil }
            let shown = group.windows.filter { !$0.isEmpty }
            let effects = doses.map { dose in group.patches.map { dose.statistics.patch($0.patch) ?? $0 } }
            let limit =
                effects.joined().filter { $0.construction == nil }.map { abs($0.p.mean) }
                .filter(\.isFinite).max() ?? 0
            let digits = decimals(for: [limit])
            let panels = shown.map { window in
                HeatMap(title: shown.count > 1 ? windowText(window) : "", limit: limit).matrix(
                    rows: labels, columns: group.layers, rowTitle: ReportWords.dose(kind),
                    columnTitle: group.axisTitle([window])
                ) { row, column in
                    guard
                        let index = group.patches.firstIndex(where: {
                            $0.record.layer == group.layers[column] && $0.record.window == window
                        })
                    else { return nil }
                    let patch = effects[row][index]
                    return HeatMap.Cell(
                        value: patch.p.mean, significant: patch.isSignificant,
                        tooltip: "\(kind):\(labels[row]), \(patch.record.short)\n\(withInterval(patch.p, digits))",
                        key: cellsOpen
                            ? CellImages.key(doses[row].statistics.corruption, patch.patch) : nil)
                }
            }
            let rows = zip(labels, effects).flatMap { label, patches in
                patches.map { patch in
                    [Table.Cell(label), Table.Cell(patch.record.layer), Table.Cell(patch.record.window)]
                        + cells(patch.p, digits)
                        + [.p(patch.pAdjusted)]
                }
            }
            return Figure(
                name: fileName([
                    "dose-map", kind, group.words.intervention.fileName(group.direction), group.site, group.detail,
                ]),
                title: "Effect on p by strength of \(kind) and layer: \(group.title)",
                caption: "Mean of p patched − \(group.words.base); blue is above 0, orange below, one scale for all. "
                    + "Dots: adjusted p-value < 0.05.",
                panels: panels,
                legend: [LegendItem(mark: .significant, series: 0, text: "effect on p: adjusted p-value < 0.05")],
                colourLimit: limit, colourTitle: "mean Δp",
                table: Table(
                    columns: [Table.Column(kind, "strength"), Table.Column("layer"), Table.Column("window")]
                        + withLimits("Δp", "effect_p") + [Table.Column("p-value (adjusted)", "p_adjusted")], rows: rows)
            )
        }
    }

    private func totalSize(_ patch: Int) -> Double {
        doses.reduce(0) { sum, dose in
            let mean = dose.statistics.patches[patch].p.mean
            return sum + (mean.isFinite ? abs(mean) : 0)
        }
    }
}
