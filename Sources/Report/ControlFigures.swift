import Results
import Statistics

/// Figures of patches beside random places of the same extent.
extension EffectFigures {
    /// One figure for each group that has random places.
    func controls() -> [Figure] {
        groups.compactMap { group in
            let patches = group.patches.filter { $0.control?.isDrawn == true && $0.p.mean.isFinite }
            guard !patches.isEmpty else { return nil }
            let panels: [Panel]
            if case .layers = group.shape {
                panels = unique(patches.map(\.record.window)).map { window in
                    let shown = patches.filter { $0.record.window == window }
                    let hasLayers = !group.layers.allSatisfy(\.isEmpty)
                    return panel(
                        shown, title: group.site + (hasLayers ? ", \(windowText(window))" : ""),
                        xTitle: group.axisTitle([window]),
                        labels: shown.map { $0.record.layer.isEmpty ? group.site : $0.record.layer },
                        connected: shown.count > 1 && shown.allSatisfy { Int($0.record.layer) != nil })
                }
            } else {
                let shown = patches.sorted { abs($0.p.mean) > abs($1.p.mean) }.prefix(30)
                panels = [
                    panel(
                        Array(shown), title: "the strongest \(shown.count) of \(patches.count)", xTitle: "rank",
                        labels: shown.indices.map { "\($0 + 1)" }, connected: false)
                ]
            }
            return Figure(
                name: name("random-places", interventionName(group.direction), group.site, group.detail),
                title: "Beside random places: \(group.title)",
                caption: """
                    Δp is p patched − \(base(group.direction)), beside that of places of the same extent (number of \
                    layers, heads or tokens) drawn at random. Windows cut at the edge are compared with fewer layers. \
                    \(intervals)
                    """,
                panels: panels,
                legend: [
                    LegendItem(mark: .dot, series: 0, text: "beyond the maximum of as many random places, p ≤ 0.05"),
                    LegendItem(mark: .hollow, series: 0, text: "not beyond"),
                    LegendItem(mark: .line, series: 1, text: "mean of random places"),
                ]
                    + (patches.contains { $0.control?.extremePercentile.isFinite == true }
                        ? [
                            LegendItem(
                                mark: .dashed, series: 2,
                                text: "\(percentileName(group.direction)) of random places")
                        ] : []),
                table: Self.table(patches))
        }
    }

    private func panel(
        _ patches: [PatchStatistics], title: String, xTitle: String, labels: [String], connected: Bool
    ) -> Panel {
        let places = Dictionary(
            statistics.controls.map { ([$0.direction, $0.extent], $0) }, uniquingKeysWith: { first, _ in first })
        func place(_ patch: PatchStatistics) -> ControlStatistics? {
            places[[patch.record.direction, patch.record.extent]]
        }
        return LineChart(
            title: title, xTitle: xTitle, yTitle: "mean Δp", labels: labels,
            places: patches.map { "\($0.record.short): \($0.record.extent)" }, connected: connected,
            series: [
                LineChart.Series(
                    name: "patch", colour: 0,
                    points: patches.map {
                        .init(
                            value: $0.p.mean, low: $0.p.low, high: $0.p.high,
                            isSignificant: $0.control?.isAbove == true)
                    }),
                LineChart.Series(
                    name: "random places", colour: 1, points: patches.map { place($0).map { .init($0.p) } }),
                LineChart.Series(
                    name: percentileName(patches[0].record.direction), colour: 2,
                    points: patches.map { place($0).map { .init(value: $0.extremePercentile) } }, dashed: true),
            ], digits: decimals(for: patches.map(\.p.mean)), yRange: [0]
        ).panel
    }

    private static func table(_ patches: [PatchStatistics]) -> Table {
        let places = placeColumns(patches.map(\.record))
        return Table(
            columns: places.map { Table.Column($0.0) } + [Table.Column("extent"), Table.Column("Δp", "effect_p")]
                + controlColumns,
            rows: patches.map { patch in
                places.map { Table.Cell($0.1(patch.record)) }
                    + [Table.Cell(patch.record.extent), .effect(patch.p.mean, 4)] + controlCells(patch)
            })
    }
}

let controlColumns =
    [
        Table.Column("places", "control_places"), Table.Column("their mean", "control_mean"),
        Table.Column("their 95th percentile", "control_p95"),
    ] + withLimits("Δp − their mean", "control_difference")
    + [
        Table.Column("p-value (random places)", "control_p_value"),
        Table.Column("p-value (maximum of as many)", "control_p_maximum"),
    ]

/// The cells of `controlColumns`; dashes where there is nothing to compare with.
func controlCells(_ patch: PatchStatistics) -> [Table.Cell] {
    guard let control = patch.control else { return Array(repeating: .missing, count: controlColumns.count) }
    return [.count(control.places), .effect(control.mean, 4), .effect(control.extremePercentile, 4)]
        + cells(control.difference, 4)
        + [.p(control.pValue), .p(control.pMaximum)]
}

extension CorruptionStatistics {
    /// The page's table of random places; nil without `--control`.
    var controlTable: Table? {
        if controls.isEmpty { return nil }
        let directions = Set(controls.map(\.direction)), hasDirections = directions.count > 1
        let percentile = hasDirections ? "95th percentile (noising: 5th)" : directions.map(percentileName).joined()
        var columns = hasDirections ? [Table.Column("direction")] : []
        columns += [Table.Column("extent"), Table.Column("places", "kind"), Table.Column("number")]
        columns +=
            withLimits("mean Δp", "effect_p") + [Table.Column(percentile, "p95"), Table.Column("beyond", "beyond")]
        return Table(
            columns: columns,
            rows: controls.map { control in
                let own = patches.filter {
                    $0.record.direction == control.direction && $0.record.extent == control.extent
                }
                var row: [Table.Cell] = hasDirections ? [Table.Cell(control.direction)] : []
                row += [Table.Cell(control.extent), Table.Cell(control.isDrawn ? "random" : "the sweep's")]
                row += [.count(control.places)] + cells(control.p, 4) + [.effect(control.extremePercentile, 4)]
                row.append(control.isDrawn ? Table.Cell(control.beyond(own)) : .missing)
                return row
            })
    }
}

extension ControlStatistics {
    /// How many of the sweep's patches are beyond the random places; with too few of these, how many it takes.
    func beyond(_ own: [PatchStatistics]) -> String {
        let needed = ControlComparison.needed(own: own.count)
        return places < needed ? "takes \(needed)" : "\(own.count { $0.control?.isAbove == true }) of \(own.count)"
    }
}
