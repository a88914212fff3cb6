import Results
import Statistics

/// The figures of one corruption's effects. `tag` makes their names unique across corruptions.
struct EffectFigures {
    let statistics: CorruptionStatistics
    let manifest: Manifest
    let groups: [PlaceGroup]
    let tag: String
    /// Whether cells of maps open the images behind them
    let cellsOpen: Bool

    init(_ statistics: CorruptionStatistics, _ manifest: Manifest, tag: String, cellsOpen: Bool = false) {
        self.cellsOpen = cellsOpen
        self.statistics = statistics
        self.manifest = manifest
        groups = PlaceGroup.all(statistics, manifest)
        self.tag = tag
    }

    var layerGroups: [PlaceGroup] { groups.filter { if case .layers = $0.shape { true } else { false } } }
    var intervals: String {
        statistics.images < fewestImages
            ? "There are no intervals below \(fewestImages) images."
            : "Bands and bars are 95% intervals over \(counted(statistics.images, "image"))."
    }

    func name(_ parts: String...) -> String {
        fileName(parts + (tag.isEmpty ? [] : [tag]))
    }

    func words(_ direction: String) -> InterventionWords {
        InterventionWords(manifest, direction: direction, corruption: statistics.spec)
    }

    /// The base that effects on p are measured from
    func base(_ direction: String) -> String { words(direction).base }

    /// For file names
    func interventionName(_ direction: String) -> String { words(direction).intervention.fileName(direction) }

    func layerLabels(_ group: PlaceGroup) -> [String] {
        group.layers.map { $0.isEmpty ? group.site : $0 }
    }

    // MARK: - Layers

    /// One figure per direction: single layers beside windows, one y axis for all.
    func layers() -> [Figure] {
        unique(layerGroups.map(\.direction)).flatMap { direction -> [Figure] in
            let groups = layerGroups.filter { $0.direction == direction }
            // More than 12 panels are split into one figure per group.
            let panelCount = groups.reduce(0) { $0 + $1.windows.count }
            let parts = panelCount > 12 ? groups.map { [$0] } : [groups]
            return parts.enumerated().map { index, groups in
                layerFigure(groups, direction: direction, part: parts.count > 1 ? "\(index + 1)" : "")
            }
        }
    }

    private func layerFigure(_ groups: [PlaceGroup], direction: String, part: String) -> Figure {
        let all = groups.flatMap(\.patches)
        let range = all.flatMap { [$0.p.low, $0.p.high] }
        let total = (direction == "noise" ? -1 : 1) * statistics.totalP.mean
        let words = self.words(direction)
        let showsTotal =
            words.intervention.exchangesPasses && total.isFinite && abs(total) < 2.5 * largest(range)
        let panels = groups.enumerated().flatMap { colour, group in
            group.windows.map { window in
                let layers = group.layers.filter { group.patch(layer: $0, window: window) != nil }
                let chart = LineChart(
                    title: [group.site, group.detail, group.layers == [""] ? "" : windowText(window)]
                        .filter { !$0.isEmpty }.joined(separator: ", "),
                    xTitle: group.axisTitle([window]), yTitle: "mean Δp",
                    labels: layers.map { $0.isEmpty ? group.site : $0 },
                    connected: layers.count > 1 && layers.allSatisfy { Int($0) != nil },
                    series: [
                        LineChart.Series(
                            name: "Δp", colour: colour % 6,
                            points: layers.map { layer in
                                group.patch(layer: layer, window: window).map(LineChart.Point.init(tested:))
                            })
                    ], references: showsTotal ? [(total, .reference)] : [], digits: decimals(for: all.map(\.p.mean)),
                    yRange: range + [0])
                return chart.panel
            }
        }
        var legend = LegendItem.significance
        if showsTotal { legend.append(LegendItem(mark: .reference, series: 0, text: "total effect \(plus(total, 3))")) }
        return Figure(
            name: name("effect-by-layer", interventionName(direction), part),
            title: "Effect on p by layer: \(words.name)",
            caption: "Δp is p patched − \(words.base), by the "
                + (all.allSatisfy { $0.record.window == "1" } ? "patched layer. " : "centre of the patched window. ")
                + "\(intervals) "
                + "\(words.sharesNote)\(constructed(all))",
            panels: panels,
            legend: legend, table: patchTable(all, statistics))
    }

    // MARK: - Heads and tokens

    func heads() -> [Figure] {
        groups.compactMap { group in
            guard case .heads = group.shape else { return nil }
            let layers = group.layers, heads = unique(group.patches.map(\.record.head))
            let scale = sharedScale(group)
            let map = HeatMap(title: "", limit: limit(scale))
            let cells = cellsByPlace(group, digits: decimals(for: group.patches.map(\.p.mean))) { [$0.layer, $0.head] }
            let panel = map.matrix(
                rows: layers, columns: heads, rowTitle: "layer", columnTitle: "head",
                margins: layers.count > 1 && heads.count > 1
            ) {
                cells[[layers[$0], heads[$1]]]
            }
            return heatFigure(
                group, kind: "heads", what: "Effect on p by layer and head", panels: [panel], scale: scale,
                note: layers.count > 1 && heads.count > 1
                    ? " Bars are means over a layer's heads and over a head's layers, on one scale of their own." : "")
        }
    }

    func tokens() -> [Figure] {
        groups.compactMap { group in
            guard case .tokens(let grid) = group.shape else { return nil }
            let layers = group.layers, tokens = unique(group.patches.map(\.record.token))
            // In deep layers CLS has nearly all of the effect; on its scale the image patches would have no colour.
            let patches =
                grid == nil ? group.patches : group.patches.filter { group.layout.covered($0.record.token).patches }
            let map = { HeatMap(title: $0, limit: limit(patches)) }
            let digits = decimals(for: patches.map(\.p.mean))
            let cells = cellsByPlace(group, digits: digits) { [$0.layer, $0.token] }
            let panels: [Panel]
            if let grid {
                panels = layers.map { layer in
                    map(layer.isEmpty ? group.site : "layer \(layer)").tokens(
                        grid: grid, layout: group.layout, digits: digits
                    ) {
                        cells[[layer, "\($0)"]]
                    }
                }
            } else {
                panels = [
                    map("").matrix(
                        rows: layers.map { $0.isEmpty ? group.site : $0 }, columns: tokens, rowTitle: "layer",
                        columnTitle: "token", margins: layers.count > 1
                    ) { cells[[layers[$0], tokens[$1]]] }
                ]
            }
            return heatFigure(
                group, kind: "tokens",
                what: grid == nil ? "Effect on p by layer and token" : "Effect on p by image patch",
                panels: panels, scale: patches,
                note: grid == nil || group.layout.prefix.isEmpty
                    ? (grid == nil && layers.count > 1
                        ? " Bars are means over a layer's tokens and over a token's layers, on one scale of their own."
                        : "")
                    : " Colours are scaled to the image patches; values beyond the scale have its end colour."
            )
        }
    }

    /// Maps of the same site in both directions share one scale.
    private func sharedScale(_ group: PlaceGroup) -> [PatchStatistics] {
        groups.filter { other in
            if case .heads = other.shape { other.site == group.site && other.detail == group.detail } else { false }
        }.flatMap(\.patches)
    }

    /// Effects by construction do not set the scale, unless there are no others.
    private func limit(_ patches: [PatchStatistics]) -> Double {
        let found = patches.filter { $0.construction == nil }
        return largest((found.isEmpty ? patches : found).map(\.p.mean))
    }

    /// A sentence on patches whose effect holds by construction; empty if there are none
    func constructed(_ patches: [PatchStatistics]) -> String {
        let count = patches.count { $0.construction != nil }
        return count == 0
            ? ""
            : " \(counted(count, "place")) recover\(count == 1 ? "s" : "") everything or nothing by construction: without a point, not tested, "
                + "never the strongest."
    }

    /// The largest absolute value of the finite ones
    func largest(_ values: [Double]) -> Double { values.filter(\.isFinite).map(abs).max() ?? 0 }

    private func cellsByPlace(
        _ group: PlaceGroup, digits: Int, key: (PatchRecord) -> [String]
    ) -> [[String]: HeatMap.Cell] {
        var cells: [[String]: HeatMap.Cell] = [:]
        for patch in group.patches {
            let record = patch.record
            let place = [("layer", record.layer), ("head", record.head), ("token", record.token)]
                .filter { !$0.1.isEmpty }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
            cells[key(record)] = HeatMap.Cell(
                value: patch.p.mean, significant: patch.isSignificant,
                tooltip: "\(place)\n\(withInterval(patch.p, digits))"
                    + (patch.construction.map { "\n\($0.text)" } ?? ""),
                key: cellsOpen ? CellImages.key(statistics.corruption, patch.patch) : nil)
        }
        return cells
    }

    /// - Parameter scale: the patches whose largest absolute effect has the strongest colour
    private func heatFigure(
        _ group: PlaceGroup, kind: String, what: String, panels: [Panel], scale: [PatchStatistics], note: String = ""
    ) -> Figure {
        let significant = group.patches.contains(where: \.isSignificant)
        return Figure(
            name: name("effect-by-\(kind)", interventionName(group.direction), group.site, group.detail),
            title: "\(what): \(group.title)",
            caption: "Mean of p patched − \(base(group.direction)) over \(counted(statistics.images, "image")); "
                + "blue is above 0, orange below."
                + (significant ? " Dots: adjusted p-value < 0.05." : "") + note + constructed(group.patches),
            panels: panels,
            legend: significant
                ? [LegendItem(mark: .significant, series: 0, text: "effect on p: adjusted p-value < 0.05")] : [],
            colourLimit: limit(scale), colourTitle: "mean Δp", table: patchTable(group.patches, statistics))
    }

    /// The strongest places of groups that no map can show.
    func strongestPlaces() -> [Figure] {
        groups.compactMap { group in
            guard case .places = group.shape else { return nil }
            let chosen = group.patches.filter { $0.p.mean.isFinite && $0.construction == nil }
                .sorted { abs($0.p.mean) > abs($1.p.mean) }.prefix(30)
            guard !chosen.isEmpty else { return nil }
            let chart = LineChart(
                title: "the strongest \(chosen.count) of \(group.patches.count)", xTitle: "rank", yTitle: "mean Δp",
                labels: chosen.indices.map { "\($0 + 1)" }, places: chosen.map(\.record.short), connected: false,
                series: [
                    LineChart.Series(name: "Δp", colour: 0, points: chosen.map { .init(tested: $0) })
                ], digits: decimals(for: chosen.map(\.p.mean)), yRange: [0])
            return Figure(
                name: name("strongest", interventionName(group.direction), group.site),
                title: "Strongest places: \(group.title)",
                caption: "Δp is p patched − \(base(group.direction)). \(intervals)", panels: [chart.panel],
                legend: LegendItem.significance, table: patchTable(Array(chosen), statistics))
        }
    }
}

/// A window in words; sets of layers have no window.
func windowText(_ window: String) -> String {
    window.isEmpty ? "layer sets" : window == "1" ? "single layers" : "windows of \(window)"
}

/// Lower-case parts joined by hyphens; characters other than letters, digits, `.` and `_` become hyphens.
func fileName(_ parts: [String]) -> String {
    parts.filter { !$0.isEmpty }.map { part in
        String(
            part.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "_") ? $0 : "-" })
    }.joined(separator: "-")
}
