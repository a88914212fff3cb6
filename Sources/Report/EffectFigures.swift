import Foundation
import Results

/// The figures of one corruption's effects. `tag` makes their names unique among corruptions.
struct EffectFigures {
    let statistics: CorruptionStatistics
    let groups: [PlaceGroup]
    let tag: String

    init(_ statistics: CorruptionStatistics, tag: String) {
        self.statistics = statistics
        groups = PlaceGroup.all(statistics.patches)
        self.tag = tag
    }

    private var layerGroups: [PlaceGroup] { groups.filter { if case .layers = $0.shape { true } else { false } } }
    var intervals: String { "Bands and bars are 95% intervals over \(counted(statistics.images, "image"))." }

    func name(_ parts: String...) -> String {
        fileName(parts + (tag.isEmpty ? [] : [tag]))
    }

    /// What a metric's difference is taken from.
    func base(_ direction: String) -> String { direction == "noise" ? "p clean" : "p corrupted" }

    private func layerLabels(_ group: PlaceGroup) -> [String] {
        group.layers.map { $0.isEmpty ? group.site : $0 }
    }

    // MARK: - Layers

    /// One figure per direction: single layers beside windows, one y axis for all.
    func layers() -> [Figure] {
        unique(layerGroups.map(\.direction)).flatMap { direction -> [Figure] in
            let groups = layerGroups.filter { $0.direction == direction }
            // A figure of very many panels is one per site.
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
        let showsTotal = total.isFinite && abs(total) < 2.5 * largest(range)
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
                                group.patch(layer: layer, window: window).map {
                                    LineChart.Point($0.p, solid: $0.isSignificant)
                                }
                            })
                    ], references: showsTotal ? [(total, .reference)] : [], digits: decimals(for: all.map(\.p.mean)),
                    yRange: range + [0])
                return chart.panel
            }
        }
        var legend = [
            LegendItem(mark: .dot, series: 0, text: "p-value (Holm) < 0.05"),
            LegendItem(mark: .hollow, series: 0, text: "not significant"),
        ]
        if showsTotal { legend.append(LegendItem(mark: .reference, series: 0, text: "total effect \(plus(total, 3))")) }
        return Figure(
            name: name("effect-by-layer", direction, part),
            title: "Effect on p by layer: \(direction)",
            caption: "Δp is p patched − \(base(direction)), by the centre of the patched window. \(intervals)",
            panels: panels,
            legend: legend, table: patchTable(all))
    }

    // MARK: - Windows beside sums

    func windowSums(_ perImage: PerImage) throws -> [Figure] {
        try layerGroups.compactMap { group in
            let windows = try perImage.windowSums(group)
            guard !windows.isEmpty else { return nil }
            let digits = decimals(for: group.patches.map(\.p.mean))
            let range = windows.flatMap {
                $0.sums.flatMap { [$0.patch.p.low, $0.patch.p.high, $0.sum.low, $0.sum.high] }
            }
            let panels = windows.map { window, sums in
                LineChart(
                    title: "\(group.site), \(windowText(window))", xTitle: group.axisTitle([window]), yTitle: "mean Δp",
                    labels: sums.map(\.patch.record.layer),
                    series: [
                        LineChart.Series(name: "window", colour: 0, points: sums.map { .init($0.patch.p) }),
                        LineChart.Series(name: "sum of its layers", colour: 1, points: sums.map { .init($0.sum) }),
                        LineChart.Series(
                            name: "window − sum", colour: 2, points: sums.map { .init($0.difference) }, dashed: true),
                    ], digits: digits, yRange: range + [0]
                ).panel
            }
            let rows = windows.flatMap { window, sums in
                sums.map { sum in
                    [sum.patch.record.layer, window]
                        + [sum.patch.p, sum.sum, sum.difference].flatMap {
                            [$0.mean, $0.low, $0.high].map { plus($0, 4) }
                        }
                }
            }
            return Figure(
                name: name("window-sums", group.direction, group.site, group.detail),
                title: "Windows beside the sum of their layers: \(group.title)",
                caption: """
                    A window above the sum of its layers patched one at a time does more together than apart: the \
                    amplification of sliding windows that Zhang and Nanda (2024) warn of. Below it, its layers carry in \
                    part the same. \(intervals)
                    """,
                panels: panels,
                legend: [
                    LegendItem(mark: .line, series: 0, text: "window"),
                    LegendItem(mark: .line, series: 1, text: "sum of its layers, each patched alone"),
                    LegendItem(mark: .dashed, series: 2, text: "window − sum"),
                ],
                table: Table(
                    columns: [
                        "layer", "window",
                    ] + ["window Δp", "sum of layers", "window − sum"].flatMap(withLimits), rows: rows))
        }
    }

    // MARK: - Heads and tokens

    func heads() -> [Figure] {
        groups.compactMap { group in
            guard case .heads = group.shape else { return nil }
            let layers = group.layers, heads = unique(group.patches.map(\.record.head))
            let map = HeatMap(title: "", limit: limit(group.patches))
            let cells = cellsByPlace(group, digits: decimals(for: group.patches.map(\.p.mean))) { [$0.layer, $0.head] }
            let panel = map.matrix(rows: layers, columns: heads, rowTitle: "layer", columnTitle: "head") {
                cells[[layers[$0], heads[$1]]]
            }
            return heatFigure(
                group, kind: "heads", what: "Effect on p by layer and head", panels: [panel], scale: group.patches)
        }
    }

    func tokens() -> [Figure] {
        groups.compactMap { group in
            guard case .tokens(let grid) = group.shape else { return nil }
            let layers = group.layers, tokens = unique(group.patches.map(\.record.token))
            // Deep in the network the CLS token holds nearly all, and would leave the patches without colour.
            let patches = grid == nil ? group.patches : group.patches.filter { $0.record.token != "0" }
            let map = { HeatMap(title: $0, limit: limit(patches)) }
            let digits = decimals(for: patches.map(\.p.mean))
            let cells = cellsByPlace(group, digits: digits) { [$0.layer, $0.token] }
            let panels: [Panel]
            if let grid {
                panels = layers.map { layer in
                    map(layer.isEmpty ? group.site : "layer \(layer)").tokens(grid: grid, digits: digits) {
                        cells[[layer, "\($0)"]]
                    }
                }
            } else {
                panels = [
                    map("").matrix(
                        rows: layers.map { $0.isEmpty ? group.site : $0 }, columns: tokens, rowTitle: "layer",
                        columnTitle: "token"
                    ) { cells[[layers[$0], tokens[$1]]] }
                ]
            }
            return heatFigure(
                group, kind: "tokens",
                what: grid == nil ? "Effect on p by layer and token" : "Effect on p by image patch",
                panels: panels, scale: patches,
                note: grid == nil
                    ? "" : " Colours are scaled to the image patches; CLS beyond them has the last colour.")
        }
    }

    private func limit(_ patches: [PatchStatistics]) -> Double { largest(patches.map(\.p.mean)) }

    /// In size, of those that are numbers
    private func largest(_ values: [Double]) -> Double { values.filter(\.isFinite).map(abs).max() ?? 0 }

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
                tooltip: "\(place)\n\(withInterval(patch.p, digits))")
        }
        return cells
    }

    /// - Parameter scale: the patches whose strongest effect has the last colour
    private func heatFigure(
        _ group: PlaceGroup, kind: String, what: String, panels: [Panel], scale: [PatchStatistics], note: String = ""
    ) -> Figure {
        let significant = group.patches.contains(where: \.isSignificant)
        return Figure(
            name: name("effect-by-\(kind)", group.direction, group.site, group.detail),
            title: "\(what): \(group.title)",
            caption: "Mean of p patched − \(base(group.direction)) over \(counted(statistics.images, "image")); "
                + "blue is above 0, orange below."
                + (significant ? " Dots: p-value (Holm, over all \(group.patches.count) places) < 0.05." : "") + note,
            panels: panels,
            legend: significant ? [LegendItem(mark: .significant, series: 0, text: "p-value (Holm) < 0.05")] : [],
            colourLimit: limit(scale), colourTitle: "mean Δp", table: patchTable(group.patches))
    }

    /// The strongest places of groups that no map shows whole.
    func strongestPlaces() -> [Figure] {
        groups.compactMap { group in
            guard case .places = group.shape else { return nil }
            let chosen = group.patches.filter { $0.p.mean.isFinite }.sorted { abs($0.p.mean) > abs($1.p.mean) }.prefix(
                30)
            guard !chosen.isEmpty else { return nil }
            let chart = LineChart(
                title: "the strongest \(chosen.count) of \(group.patches.count)", xTitle: "rank", yTitle: "mean Δp",
                labels: chosen.indices.map { "\($0 + 1)" }, places: chosen.map(\.record.text), connected: false,
                series: [
                    LineChart.Series(name: "Δp", colour: 0, points: chosen.map { .init($0.p, solid: $0.isSignificant) })
                ], digits: decimals(for: chosen.map(\.p.mean)), yRange: [0])
            return Figure(
                name: name("strongest", group.direction, group.site), title: "Strongest places: \(group.title)",
                caption: "Δp is p patched − \(base(group.direction)). \(intervals)", panels: [chart.panel],
                table: patchTable(Array(chosen)))
        }
    }

    // MARK: - Other measures

    /// Probability, logit difference and KL side by side, then median, share positive and recovered share.
    func measures() -> [Figure] {
        layerGroups.filter { $0.layers.count > 1 }.map { group in
            func panel(
                _ title: String, _ yTitle: String, percent: Bool = false, _ value: (PatchStatistics) -> LineChart.Point
            ) -> Panel {
                let series = group.windows.enumerated().map { index, window in
                    LineChart.Series(
                        name: windowText(window), colour: index % 6,
                        points: group.layers.map { group.patch(layer: $0, window: window).map(value) })
                }
                let values = series.flatMap { $0.points.compactMap { $0?.value } }
                return LineChart(
                    title: title, xTitle: group.axisTitle(group.windows), yTitle: yTitle, labels: layerLabels(group),
                    connected: group.layersAreNumbers, series: series, digits: decimals(for: values), yRange: [0],
                    percent: percent, height: 196
                ).panel
            }
            var panels = [
                panel("probability", "mean Δp") { .init($0.p, solid: $0.isSignificant) },
                panel("logit difference", "mean Δ logit difference") { .init($0.logitDiff) },
                panel("KL(clean ‖ pass)", "mean ΔKL, nats") { .init($0.kl) },
                panel("median effect on p", "median Δp") { .init(value: $0.p.median) },
                panel("positive effect on p", "share of images", percent: true) { .init(value: $0.p.sharePositive) },
            ]
            if statistics.totalP.excludesZero {
                panels.append(
                    panel("recovered share", "mean Δp / mean total", percent: true) { .init(recovered: $0.p) })
            }
            return Figure(
                name: name("measures", group.direction, group.site, group.detail),
                title: "Other ways to measure it: \(group.title)",
                caption: """
                    Effects on the target's probability, on logit[target] − logit[foil] and on KL(clean ‖ pass); a patch \
                    that moves a pass towards the clean one lowers its KL. \(intervals)\
                    \(statistics.totalP.excludesZero ? "" : " The total effect may be zero, so shares of it are left out.")
                    """,
                panels: panels,
                legend: group.windows.enumerated().map {
                    LegendItem(mark: .line, series: $0 % 6, text: windowText($1))
                },
                table: patchTable(group.patches))
        }
    }

    // MARK: - Classes

    func classes(_ perImage: PerImage, names: [String]) throws -> [Figure] {
        try layerGroups.filter { $0.patches.count <= 400 && $0.layers.count > 1 }.compactMap { group in
            let patches = group.patches
            let classes = try perImage.byClass(patches.map(\.patch), most: 24)
            guard !classes.isEmpty else { return nil }
            let range: [Double] = classes.flatMap { item in item.effects.flatMap { [$0.low, $0.high] } } + [0]
            let sign: Double = group.direction == "noise" ? -1 : 1
            // Totals far beyond the effects would leave these flat.
            let showsTotal = largest(classes.map(\.total.mean)) < 2.5 * largest(range)
            let digits = decimals(for: range)
            func className(_ label: Int) -> String { names.indices.contains(label) ? names[label] : "class \(label)" }
            let panels = classes.map { item in
                LineChart(
                    title: "\(className(item.label)) (n = \(item.images))", xTitle: group.axisTitle(group.windows),
                    yTitle: "mean Δp", labels: layerLabels(group), connected: group.layersAreNumbers,
                    series: group.windows.enumerated().map { index, window in
                        LineChart.Series(
                            name: windowText(window), colour: index % 6,
                            points: group.layers.map { layer in
                                patches.firstIndex { $0.record.layer == layer && $0.record.window == window }
                                    .map { .init(item.effects[$0]) }
                            })
                    }, references: showsTotal ? [(sign * item.total.mean, .reference)] : [], digits: digits,
                    yRange: range + (showsTotal ? classes.map { sign * $0.total.mean } : []), width: 250, height: 168
                ).panel
            }
            let all = Set(perImage.images.map(\.label)).count
            let rows = classes.flatMap { item in
                patches.indices.map { index in
                    let record = patches[index].record, effect = item.effects[index]
                    return [className(item.label), "\(item.images)", record.layer, record.window]
                        + [effect.mean, effect.low, effect.high, effect.median].map { plus($0, 4) }
                        + [shareText(effect.sharePositive)]
                        + [
                            sign * item.total.mean, sign * (sign < 0 ? item.total.high : item.total.low),
                            sign * (sign < 0 ? item.total.low : item.total.high),
                        ].map { plus($0, 4) }
                }
            }
            return Figure(
                name: name("classes", group.direction, group.site, group.detail),
                title: "Effect on p by class: \(group.title)",
                caption:
                    "Mean of Δp = p patched − \(base(group.direction)) over the images of each class, one y axis for "
                    + "all; bands are 95% intervals over them."
                    + (!showsTotal
                        ? ""
                        : " The total effect is \(sign < 0 ? "p corrupted − p clean" : "p clean − p corrupted") of the class.")
                    + (all > classes.count ? " \(classes.count) of \(all) classes, those with most images." : ""),
                panels: panels,
                legend: group.windows.enumerated().map { LegendItem(mark: .line, series: $0 % 6, text: windowText($1)) }
                    + (showsTotal ? [LegendItem(mark: .reference, series: 0, text: "total effect of the class")] : []),
                table: Table(
                    columns: ["class", "n", "layer", "window"] + withLimits("Δp") + ["median", "share positive"]
                        + withLimits("total effect"),
                    rows: rows))
        }
    }
}

/// Windows as words; sets of layers have none.
func windowText(_ window: String) -> String {
    window.isEmpty ? "layer sets" : window == "1" ? "single layers" : "windows of \(window)"
}

/// Lower-case parts joined by hyphens, of letters, digits, `.` and `-` alone.
func fileName(_ parts: [String]) -> String {
    parts.filter { !$0.isEmpty }.map { part in
        String(
            part.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "_") ? $0 : "-" })
    }.joined(separator: "-")
}
