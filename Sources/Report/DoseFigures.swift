import Results

/// Corruptions of one kind that differ in a number: `noise:0.5`, `noise:1` ...
struct DoseSeries {
    var kind: String
    typealias Dose = (dose: Double, statistics: CorruptionStatistics)
    var doses: [Dose]

    static func all(_ statistics: [CorruptionStatistics]) -> [DoseSeries] {
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
                ? DoseSeries(kind: kind, doses: doses) : nil
        }
    }

    /// What the corruption does to the passes, then for each direction what the strongest patches do.
    var figures: [Figure] { [passes] + unique(patches.map(\.record.direction)).map(effects) }

    /// As of the first dose; all doses have the same
    private var patches: [PatchStatistics] { doses[0].statistics.patches }
    private var labels: [String] {
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
            return [label, "\(s.images)"] + [s.meanPClean, s.meanPCorrupted].map { number($0, 4) }
                + [shareText(s.accuracyClean), shareText(s.accuracyCorrupted)]
                + [s.totalP.mean, s.totalP.low, s.totalP.high].map { plus($0, 4) }
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
                columns: [kind, "n", "p clean", "p corrupted", "accuracy clean", "accuracy corrupted"]
                    + withLimits("total effect"), rows: rows))
    }

    /// Of every site and window the patch that is strongest over all doses; at most one for each colour.
    private func effects(_ direction: String) -> Figure {
        let indices = patches.indices.filter { patches[$0].record.direction == direction }
        let families = unique(indices.map { [patches[$0].record.site, patches[$0].record.window] })
        let strongest = families.compactMap { family in
            indices.filter { [patches[$0].record.site, patches[$0].record.window] == family }
                .max { strength($0) < strength($1) }
        }
        // The strongest of many, in the sweep's order
        let chosen = strongest.sorted { strength($0) > strength($1) }.prefix(6).sorted()
        func lines(_ point: (Dose, Int) -> LineChart.Point) -> [LineChart.Series] {
            chosen.enumerated().map { colour, patch in
                LineChart.Series(
                    name: patches[patch].record.text, colour: colour, points: doses.map { point($0, patch) })
            }
        }
        let panels = [
            chart(
                "effect on p", "mean Δp",
                lines { dose, patch in
                    let patch = dose.statistics.patches[patch]
                    return .init(patch.p, solid: patch.isSignificant)
                }),
            chart(
                "recovered share", "mean Δp / mean total",
                lines { dose, patch in
                    dose.statistics.totalP.excludesZero
                        ? .init(recovered: dose.statistics.patches[patch].p) : .init(value: .nan)
                }, percent: true),
        ]
        let rows = zip(labels, doses).flatMap { label, dose in
            chosen.map { index in
                let patch = dose.statistics.patches[index]
                return [label, patch.record.text] + [patch.p.mean, patch.p.low, patch.p.high].map { plus($0, 4) }
                    + [patch.p.recovered, patch.p.recoveredLow, patch.p.recoveredHigh].map(shareText)
                    + [pText(patch.pHolm)]
            }
        }
        return Figure(
            name: fileName(["dose-response", kind, direction]),
            title: "Effect on p by strength of \(kind): \(direction)",
            caption: """
                Of every site and window the patch that is strongest over all strengths\
                \(chosen.count < strongest.count ? ", the \(chosen.count) strongest of \(strongest.count)" : ""). \
                Bands are 95% intervals over images. Shares are left out where the total effect may be zero.
                """,
            panels: panels,
            legend: chosen.enumerated().map { LegendItem(mark: .line, series: $0, text: patches[$1].record.text) } + [
                LegendItem(mark: .dot, series: 0, text: "p-value (Holm) < 0.05"),
                LegendItem(mark: .hollow, series: 0, text: "not significant"),
            ],
            table: Table(
                columns: [kind, "patch"] + withLimits("Δp") + withLimits("recovered") + ["p-value (Holm)"], rows: rows))
    }

    private func strength(_ patch: Int) -> Double {
        doses.reduce(0) { sum, dose in
            let mean = dose.statistics.patches[patch].p.mean
            return sum + (mean.isFinite ? abs(mean) : 0)
        }
    }
}
