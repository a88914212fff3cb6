import Results
import Statistics

/// Figures of windows beside the sums of their layers, of other metrics and of classes.
extension EffectFigures {
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
                    [Table.Cell(sum.patch.record.layer), Table.Cell(window)]
                        + [sum.patch.p, sum.sum, sum.difference].flatMap { cells($0, 4) }
                }
            }
            return Figure(
                name: name("window-sums", interventionName(group.direction), group.site, group.detail),
                title: "Windows beside the sum of their layers: \(group.title)",
                caption: """
                    A window whose effect is larger, in size, than the sum of its layers patched one at a time does more \
                    together than apart: the amplification of sliding windows that Zhang and Nanda (2024) warn of. Where \
                    it is smaller, its layers are partly redundant. \(intervals)
                    """,
                panels: panels,
                legend: [
                    LegendItem(mark: .line, series: 0, text: "window"),
                    LegendItem(mark: .line, series: 1, text: "sum of its layers, each patched alone"),
                    LegendItem(mark: .dashed, series: 2, text: "window − sum"),
                ],
                table: Table(
                    columns: [Table.Column("layer"), Table.Column("window")] + withLimits("window Δp", "effect_p")
                        + withLimits("sum of layers", "sum_of_layers")
                        + withLimits("window − sum", "window_minus_sum"), rows: rows))
        }
    }

    // MARK: - Other metrics

    /// Probability, log-odds, logit difference and KL side by side, then median, share positive and recovered share.
    func metrics() -> [Figure] {
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
                panel("probability", "mean Δp") { .init(tested: $0) },
                panel("logit difference", "mean Δ logit difference") { .init($0[.logitDiff]) },
                panel("KL(clean ‖ pass)", "mean ΔKL, nats") { .init($0[.kl]) },
                panel("median effect on p", "median Δp") { .init(value: $0.p.median) },
                panel("positive effect on p", "share of images", percent: true) { .init(value: $0.p.sharePositive) },
            ]
            if statistics.hasLogOdds {
                panels.insert(panel("log-odds", "mean Δ log-odds, nats") { .init($0[.logOdds]) }, at: 1)
            }
            let hasShares = group.words.intervention.exchangesPasses && statistics.totalP.excludesZero
            let noShares =
                hasShares
                ? ""
                : group.words.intervention.exchangesPasses
                    ? " The total effect may be zero, so shares of it are left out." : " " + group.words.sharesNote
            if hasShares {
                panels.append(
                    panel("recovered share", "mean Δp / mean total", percent: true) { .init(recovered: $0.p) })
            }
            return Figure(
                name: name("metrics", interventionName(group.direction), group.site, group.detail),
                title: "Other metrics: \(group.title)",
                caption: """
                    Effects on the target's probability\(statistics.hasLogOdds ? ", on its log-odds" : ""), on \
                    logit[target] − logit[foil] and on KL(clean ‖ pass); a patch that moves a pass towards the clean one \
                    lowers its KL. Only the effect on p is tested, so only its panel has points. \(intervals)\
                    \(noShares)
                    """,
                panels: panels,
                legend: group.windows.enumerated().map {
                    LegendItem(mark: .line, series: $0 % 6, text: windowText($1))
                } + LegendItem.significance,
                table: patchTable(group.patches, statistics))
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
            // Totals much larger than the effects would flatten the curves.
            let showsTotal =
                group.words.intervention.exchangesPasses
                && largest(classes.map(\.total.mean)) < 2.5 * largest(range)
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
                    var row: [Table.Cell] = [
                        Table.Cell(className(item.label)), .count(item.images), Table.Cell(record.layer),
                        Table.Cell(record.window),
                    ]
                    row += cells(effect, 4) + [.effect(effect.median, 4), .share(effect.sharePositive)]
                    row += [
                        sign * item.total.mean, sign * (sign < 0 ? item.total.high : item.total.low),
                        sign * (sign < 0 ? item.total.low : item.total.high),
                    ].map { .effect($0, 4) }
                    return row
                }
            }
            return Figure(
                name: name("classes", interventionName(group.direction), group.site, group.detail),
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
                    columns: ["class", "n", "layer", "window"].map { Table.Column($0) } + withLimits("Δp", "effect_p")
                        + [Table.Column("median", "median_p"), Table.Column("share positive", "share_positive")]
                        + withLimits("total effect", "total_effect"),
                    rows: rows))
        }
    }
}
