import Results

/// Corruptions of one kind that differ in a number: `noise:0.5`, `noise:1` ...
struct DoseSeries {
    var kind: String
    var doses: [(dose: Double, statistics: CorruptionStatistics)]

    static func all(_ statistics: [CorruptionStatistics]) -> [DoseSeries] {
        let parsed = statistics.filter { $0.images > 0 }.compactMap { item -> (String, Double, CorruptionStatistics)? in
            let parts = item.spec.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let dose = Double(parts[1]), dose.isFinite else { return nil }
            return (String(parts[0]), dose, item)
        }
        return unique(parsed.map(\.0)).compactMap { kind in
            let doses = parsed.filter { $0.0 == kind }.map { (dose: $0.1, statistics: $0.2) }.sorted { $0.dose < $1.dose }
            return unique(doses.map(\.dose)).count > 1 && unique(doses.map(\.dose)).count == doses.count
                ? DoseSeries(kind: kind, doses: doses) : nil
        }
    }

    var figure: Figure {
        let labels = doses.map { dose in
            let text = "\(dose.dose)"
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        }
        func chart(_ title: String, _ series: [LineChart.Series], percent: Bool = false, digits: Int = 3) -> Panel {
            LineChart(
                title: title, xTitle: kind, labels: labels, positions: doses.map(\.dose), series: series, digits: digits,
                yRange: [0], percent: percent
            ).panel
        }
        // Of every direction, site and window the patch that is strongest over all doses.
        let patches = doses[0].statistics.patches
        let families = unique(patches.map { [$0.record.direction, $0.record.site, $0.record.window] }).prefix(5)
        let chosen = families.compactMap { family -> Int? in
            patches.indices.filter {
                [patches[$0].record.direction, patches[$0].record.site, patches[$0].record.window] == family
            }.max { strength($0) < strength($1) }
        }
        func lines(_ point: (PatchStatistics) -> LineChart.Point) -> [LineChart.Series] {
            chosen.enumerated().map { colour, patch in
                LineChart.Series(
                    name: patches[patch].record.text, colour: colour,
                    points: doses.map { point($0.statistics.patches[patch]) })
            }
        }
        let passes = [("clean", 0, \CorruptionStatistics.meanPClean, \CorruptionStatistics.accuracyClean),
            ("corrupted", 1, \.meanPCorrupted, \.accuracyCorrupted)]
        let panels = [
            chart("mean p of the target", passes.map { name, colour, p, _ in
                LineChart.Series(
                    name: name, colour: colour,
                    points: doses.map { .init(value: $0.statistics[keyPath: p]) })
            }),
            chart("accuracy", passes.map { name, colour, _, accuracy in
                LineChart.Series(
                    name: name, colour: colour, points: doses.map { .init(value: $0.statistics[keyPath: accuracy]) })
            }, percent: true),
            chart("effect on p of the strongest patches", lines { .init($0.p, solid: $0.isSignificant) }),
            chart("recovered share of the total", lines { .init(value: $0.p.recovered) }, percent: true),
        ]
        let rows = zip(labels, doses).flatMap { label, dose in
            chosen.map { index in
                let patch = dose.statistics.patches[index]
                return [label, patch.record.text] + [patch.p.mean, patch.p.low, patch.p.high].map { plus($0, 4) }
                    + [shareText(patch.p.recovered), pText(patch.pHolm), withInterval(dose.statistics.totalP, 4)]
                    + [dose.statistics.meanPClean, dose.statistics.meanPCorrupted].map { number($0, 4) }
                    + [shareText(dose.statistics.accuracyClean), shareText(dose.statistics.accuracyCorrupted)]
            }
        }
        return Figure(
            name: fileName(["dose-response", kind]), title: "Dose and response: \(kind)",
            caption: "The same sweep at \(doses.count) strengths of \(kind). Bands are 95% intervals.", panels: panels,
            legend: passes.map { LegendItem(mark: .line, series: $0.1, text: "\($0.0) pass (above)") }
                + chosen.enumerated().map { LegendItem(mark: .line, series: $0, text: "\(patches[$1].record.text) (below)") },
            table: Table(
                columns: [
                    kind, "patch", "Δp", "95% low", "95% high", "recovered", "p-value (Holm)", "total effect", "p clean",
                    "p corrupted", "accuracy clean", "accuracy corrupted",
                ], rows: rows))
    }

    private func strength(_ patch: Int) -> Double {
        doses.reduce(0) { sum, dose in
            let mean = dose.statistics.patches[patch].p.mean
            return sum + (mean.isFinite ? abs(mean) : 0)
        }
    }
}
