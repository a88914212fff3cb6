import Results
import Statistics

/// Both directions side by side, and effects by group of images.
extension EffectFigures {
    /// Denoising beside noising, for the places that are patched in both directions.
    func directions() -> [Figure] {
        let pairs = DirectionPair.all(statistics)
        guard !pairs.isEmpty, statistics.totalP.excludesZero else { return [] }
        let shown = pairs.prefix(24)
        func series(_ name: String, _ colour: Int, _ patch: (DirectionPair) -> PatchStatistics) -> LineChart.Series {
            LineChart.Series(
                name: name, colour: colour,
                points: shown.map { pair in
                    let patch = patch(pair)
                    var point = LineChart.Point(recovered: patch.p)
                    point.isSignificant = patch.isSignificant
                    return point
                })
        }
        let panel = LineChart(
            title: "the \(shown.count) of \(pairs.count) that bring most back", xTitle: "rank by denoising",
            yTitle: "share of the total effect", labels: shown.indices.map { "\($0 + 1)" },
            places: shown.map { $0.denoising.record.short + ($0.isBackedUp ? ", backed up" : "") }, connected: false,
            series: [series("recovered, denoising", 0, \.denoising), series("lost, noising", 1, \.noising)],
            digits: 3, yRange: [0], percent: true, width: 560, height: 240
        ).panel
        let backedUp = pairs.count(where: \.isBackedUp)
        let note =
            backedUp == 0
            ? ""
            : "\(counted(backedUp, "place")) of \(pairs.count) \(backedUp == 1 ? "is" : "are") backed up: enough to bring some of "
                + "the answer back (interval above 0), yet not needed for it (the noising effect's interval is not below 0). "
        return [
            Figure(
                name: name("both-directions"), title: "Sufficient and necessary: both directions",
                caption: """
                    What each place brings back when its clean activations are patched into the corrupted pass, beside what is \
                    lost when its corrupted activations are patched into the clean pass, both as shares of the total effect on \
                    p. \(note)\(intervals)
                    """,
                panels: [panel],
                legend: [
                    LegendItem(mark: .line, series: 0, text: "recovered, denoising"),
                    LegendItem(mark: .line, series: 1, text: "lost, noising"),
                ] + LegendItem.significance, table: DirectionPair.table(pairs))
        ]
    }

    /// The total effect and the patches whose effects differ most between groups; nil if there are no groups.
    func groupFigure(_ found: GroupStatistics) -> Figure? {
        guard let total = found.rows.first, !total.values.isEmpty else { return nil }
        let patches = Array(found.rows.dropFirst())
        let shown = [total] + patches.sorted { groupSpread($0) > groupSpread($1) }.prefix(8)
        let values = Array(total.values.map(\.value).prefix(6))
        let names = shown.map { $0.name(manifest) }
        let series = values.enumerated().map { colour, value in
            LineChart.Series(
                name: value, colour: colour,
                points: shown.map { row in
                    row.values.first { $0.value == value }.map {
                        LineChart.Point(value: $0.effect.mean, low: $0.effect.low, high: $0.effect.high)
                    }
                })
        }
        let panel = LineChart(
            title: "total effect, then the patches that differ most", xTitle: "", yTitle: "mean Δp",
            labels: shown.indices.map { $0 == 0 ? "total" : "\($0)" }, places: names, connected: false, series: series,
            digits: decimals(for: shown.flatMap(\.values).map(\.effect.mean)), yRange: [0],
            width: max(340, 60 + 10 * Double(shown.count * values.count)), height: 240
        ).panel
        let rest = total.values.count - values.count
        let key = names.dropFirst().enumerated().map { "\($0 + 1) \($1)" }.joined(separator: ", ")
        return Figure(
            name: name("groups", found.column), title: "Effect on p by \(found.column)",
            caption: """
                Mean effects of the images of each group, each group resampled by itself. 1 to \(shown.count - 1): \
                \(key). The differences in the \
                table are to all other groups' images together; they are not corrected for how many patches and groups are \
                looked at, and those shown are the largest.\(rest > 0 ? " \(counted(rest, "more group")) in the table." : "")
                """,
            panels: [panel],
            legend: values.enumerated().map { LegendItem(mark: .line, series: $0, text: $1) },
            table: Self.groupTable(found, patches))
    }

    /// The total effect, then the patches, those that differ most first.
    private static func groupTable(_ found: GroupStatistics, _ patches: [GroupStatistics.Row]) -> Table {
        let ordered = Array(found.rows.prefix(1)) + patches.sorted { groupSpread($0) > groupSpread($1) }
        let records = patches.compactMap(\.record)
        let places = placeColumns(records)
        func mean(_ mean: GroupStatistics.Mean?) -> [Table.Cell] {
            guard let mean else { return Array(repeating: .missing, count: 3) }
            return [mean.mean, mean.low, mean.high].map { .effect($0, 4) }
        }
        return Table(
            columns: places.map { Table.Column($0.0) } + [Table.Column(found.column, "group"), Table.Column("n")]
                + withLimits("mean Δp", "effect_p") + withLimits("− the rest", "difference"),
            rows: ordered.flatMap { row in
                row.values.map { value in
                    var cells = places.map { place in
                        Table.Cell(row.record.map(place.1) ?? (place.0 == "site" ? "total" : ""))
                    }
                    cells += [Table.Cell(value.value), .count(value.n)] + mean(value.effect) + mean(value.difference)
                    return cells
                }
            })
    }
}
