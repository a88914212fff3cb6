import Results
import Statistics

/// A sweep's estimates on the page: separate from effects, with colours and marks of their own, and beside effects
/// where patches have both.
struct EstimateFigures {
    let statistics: CorruptionStatistics
    let manifest: Manifest
    let tag: String
    private(set) var figures: [Figure] = []
    /// Text in front of the figures
    private(set) var html = ""

    /// - Parameter room: bytes of the page left for pictures; those used are subtracted
    /// - Returns: nil if nothing is estimated
    init?(
        _ statistics: CorruptionStatistics, _ store: ResultsStore, _ images: ExampleImages?, tag: String,
        room: inout Int
    ) throws {
        guard statistics.estimates.contains(where: { $0.images > 0 }) else { return nil }
        (self.statistics, manifest, self.tag) = (statistics, store.manifest, tag)
        let groups = EstimateGroup.all(manifest)
        for (position, estimate) in statistics.estimates.enumerated() {
            let screening = statistics.screenings.first { $0.name == estimate.name }
            html += text(estimate, screening)
            if let screening, let figure = scatter(screening) { figures.append(figure) }
            for group in groups { figures += maps(estimate, group, screening) }
            // Single images only for the first estimate, which selects the patches for exact passes
            if position == 0 {
                for group in groups {
                    let single = try SingleImages(estimate, group, statistics, store)
                    if let figure = try single?.figure(self, images, room: &room) { figures.append(figure) }
                    html += try single?.neurons(images, room: &room) ?? ""
                }
            }
        }
    }

    func name(_ parts: String...) -> String { fileName(parts + [tag]) }

    func words(_ direction: String) -> InterventionWords {
        InterventionWords(manifest, direction: direction, corruption: statistics.spec)
    }

    // MARK: - In words

    private func text(_ estimate: EstimateStatistics, _ screening: Screening?) -> String {
        let title = EstimateWords.title(estimate.name)
        var out =
            "<h3>\(escaped(title))</h3><p>An estimate is not measured: it is \(escaped(EstimateWords.definition(estimate.name))), times the "
            + "difference between the patched-in and the receiving pass's activations, summed over the place. Means are over \(counted(estimate.images, "image")); exact passes: \(escaped(EstimateWords.exact(manifest))).</p>"
        guard let screening, screening.all.patches > 0 else { return out }
        if let warning = EstimateWords.warning(screening) {
            out += "<p class=\"warning\">Warning: \(escaped(warning)).</p>"
        }
        var sentences = [
            "Beside exact effects on \(EstimateWords.metric(screening.name)) of \(counted(screening.all.patches, "place")) over \(counted(screening.images, "image")): \(EstimateWords.agreement(screening.all)); over places and images r \(number(screening.all.pooled, 2))."
        ]
        if let recall = screening.recall {
            sentences.append(
                "\(recall.found) of the \(recall.exact) strongest exact effects are among the \(recall.estimated) largest estimates."
            )
        }
        if let missed = screening.missed {
            sentences += EstimateWords.missed(missed, metric: EstimateWords.metric(screening.name))
        }
        out += "<p>\(escaped(sentences.joined(separator: " ")))</p>"
        let table = agreementTable(screening)
        return out
            + (table.rows.count > 1
                ? "<details><summary>By site and layer</summary>\(table.html(limit: 300))</details>" : "")
    }

    private func agreementTable(_ screening: Screening) -> Table {
        Table(
            columns: [
                "patching", "site", "layer", "places", "r", "rank correlation", "same sign", "r over places and images",
            ].map { Table.Column($0) },
            rows: screening.groups.map { group in
                let agreement = group.agreement
                return [
                    Table.Cell(words(group.direction).name), Table.Cell(group.site), Table.Cell(group.layer ?? "all"),
                    .count(agreement.patches), .value(agreement.pearson, 2), .value(agreement.spearman, 2),
                    .share(agreement.sameSign), .value(agreement.pooled, 2),
                ]
            })
    }

    // MARK: - Beside effects

    private func scatter(_ screening: Screening) -> Figure? {
        guard screening.pairs.count > 2 else { return nil }
        let directions = unique(screening.pairs.map { manifest.patches[$0.patch].direction })
        // Only the largest where there are too many to show
        let shown =
            screening.pairs.count > 1500
            ? Array(
                screening.pairs.sorted { abs($0.effect) + abs($0.estimate) > abs($1.effect) + abs($1.estimate) }.prefix(
                    1500))
            : screening.pairs
        let sites = unique(shown.map { manifest.patches[$0.patch].baseSite })
        let metric = EstimateWords.metric(screening.name), title = EstimateWords.title(screening.name)
        let digits = decimals(for: shown.flatMap { [$0.effect, $0.estimate] })
        let panels = directions.map { direction in
            ScatterChart(
                title: words(direction).name, xTitle: "mean estimate, \(title)", yTitle: "mean exact Δ \(metric)",
                points: shown.filter { manifest.patches[$0.patch].direction == direction }.map { pair in
                    let record = manifest.patches[pair.patch]
                    return .init(
                        x: pair.estimate, y: pair.effect,
                        tooltip:
                            "\(record.short)\nestimate \(plus(pair.estimate, digits)), exact \(plus(pair.effect, digits))",
                        colour: (sites.firstIndex(of: record.baseSite) ?? 0) % 6)
                }
            ).panel
        }
        let places = placeColumns(screening.pairs.map { manifest.patches[$0.patch] })
        return Figure(
            name: name("estimate-and-exact", screening.name.column),
            title: "Estimates beside exact effects: \(title)",
            caption:
                "Each point is a place: its mean estimate and its measured mean effect on \(metric) over \(counted(screening.images, "image")). On the dashed line both are the same. "
                + "\(EstimateWords.agreement(screening.all))."
                + (shown.count < screening.pairs.count
                    ? " The \(shown.count) largest of \(screening.pairs.count)." : ""),
            panels: panels,
            legend: sites.prefix(6).enumerated().map { LegendItem(mark: .hollow, series: $0 % 6, text: $1) },
            table: Table(
                columns: places.map { Table.Column($0.0) } + [
                    Table.Column("mean estimate", screening.name.column + "_mean"),
                    Table.Column("mean exact Δ \(metric)", "exact_" + screening.name.metric),
                ],
                rows: screening.pairs.map { pair in
                    places.map { Table.Cell($0.1(manifest.patches[pair.patch])) }
                        + [.effect(pair.estimate, digits), .effect(pair.effect, digits)]
                }))
    }

    // MARK: - Maps of means

    private func maps(_ estimate: EstimateStatistics, _ group: EstimateGroup, _ screening: Screening?) -> [Figure] {
        let members = group.members.filter { estimate.mean[$0].isFinite }
        guard !members.isEmpty else { return [] }
        let limit = members.lazy.filter { group.setsScale($0, manifest) }.map { abs(estimate.mean[$0]) }.max() ?? 0
        let digits = decimals(for: [limit])
        func cell(_ patch: Int?) -> HeatMap.Cell? {
            patch.map {
                HeatMap.Cell(
                    value: estimate.mean[$0], significant: false,
                    tooltip: "\(manifest.patches[$0].short)\nestimate \(plus(estimate.mean[$0], digits))")
            }
        }
        let map = { HeatMap(title: $0, limit: limit, isEstimate: true) }
        let panels: [Panel], what: String
        switch group.shape {
        case .heads:
            let byPlace = group.index(members, manifest) { [$0.layer, $0.head] }
            let layers = unique(members.map { manifest.patches[$0].layer })
            let heads = unique(members.map { manifest.patches[$0].head })
            panels = [
                map("").matrix(rows: layers, columns: heads, rowTitle: "layer", columnTitle: "head") {
                    cell(byPlace[[layers[$0], heads[$1]]])
                }
            ]
            what = "by layer and head"
        case .tokens(let grid, let layout):
            // The 12 strongest heads, or layers where there are no heads
            let byPlace = group.index(members, manifest) { [$0.layer, $0.head, $0.token] }
            panels = group.strongestPlanes(estimate, manifest, most: 12).map { plane in
                map(plane.title).tokens(grid: grid, layout: layout, digits: digits) {
                    cell(byPlace[[plane.layer, plane.head, "\($0)"]])
                }
            }
            what = group.hasHeads ? "by image patch, heads with the largest ones" : "by image patch"
        case .layers:
            let windows = unique(members.map { manifest.patches[$0].window })
            let layers = unique(members.map { manifest.patches[$0].layer })
            let byPlace = group.index(members, manifest) { [$0.layer, $0.window] }
            let chart = LineChart(
                title: group.site, xTitle: layers == [""] ? "site" : "layer", yTitle: "mean estimate",
                labels: layers.map { $0.isEmpty ? group.site : $0 }, connected: layers.count > 1,
                series: windows.enumerated().map { colour, window in
                    LineChart.Series(
                        name: windowText(window), colour: colour % 6,
                        points: layers.map { layer in
                            byPlace[[layer, window]].map {
                                .init(
                                    value: estimate.mean[$0], low: estimate.low[$0], high: estimate.high[$0],
                                    isSignificant: false)
                            }
                        }, dashed: true)
                }, digits: digits, yRange: [0])
            panels = [chart.panel]
            what = "by layer"
        case .list:
            let largest = members.sorted { abs(estimate.mean[$0]) > abs(estimate.mean[$1]) }.prefix(30)
            panels = [
                LineChart(
                    title: "the largest \(largest.count) of \(members.count)", xTitle: "rank", yTitle: "mean estimate",
                    labels: largest.indices.map { "\($0 + 1)" }, places: largest.map { manifest.patches[$0].short },
                    connected: false,
                    series: [
                        LineChart.Series(
                            name: "estimate", colour: 2,
                            points: largest.map {
                                .init(
                                    value: estimate.mean[$0], low: estimate.low[$0], high: estimate.high[$0],
                                    isSignificant: false)
                            })
                    ], digits: digits, yRange: [0]
                ).panel
            ]
            what = "by place"
        }
        let hasColours =
            if case .layers = group.shape { false } else if case .list = group.shape { false } else { true }
        let title = EstimateWords.title(estimate.name)
        return [
            Figure(
                name: name(
                    "estimate", estimate.name.column, words(group.direction).intervention.fileName(group.direction),
                    group.site, group.detail),
                title: "Estimates \(what): \(words(group.direction).name) \(group.site), \(title)",
                caption:
                    "Mean estimate of the change of \(EstimateWords.metric(estimate.name)) over \(counted(estimate.images, "image")), from \(EstimateWords.definition(estimate.name)); not measured."
                    + (hasColours
                        ? " Green is above 0, purple below."
                        : " Hollow points and dashed lines are estimates; bars and bands are 95% intervals over images."),
                panels: panels,
                colourLimit: hasColours ? limit : nil, colourTitle: "mean estimate, \(title)", isEstimate: true,
                table: table(estimate, members, screening, digits))
        ]
    }

    /// The largest first, at most 1000
    private func table(_ estimate: EstimateStatistics, _ members: [Int], _ screening: Screening?, _ digits: Int)
        -> Table
    {
        let exact = Dictionary((screening?.pairs ?? []).map { ($0.patch, $0.effect) }) { first, _ in first }
        let order = members.sorted { abs(estimate.mean[$0]) > abs(estimate.mean[$1]) }.prefix(1000)
        let places = placeColumns(order.map { manifest.patches[$0] })
        let metric = EstimateWords.metric(estimate.name), column = estimate.name.column
        return Table(
            columns: places.map { Table.Column($0.0) }
                + [
                    Table.Column("mean estimate", column + "_mean"),
                    Table.Column("95% low", column + "_ci_low"), Table.Column("95% high", column + "_ci_high"),
                    Table.Column("exact Δ \(metric)", "exact_" + estimate.name.metric),
                ],
            rows: order.map { patch in
                places.map { Table.Cell($0.1(manifest.patches[patch])) }
                    + [estimate.mean[patch], estimate.low[patch], estimate.high[patch]].map { .effect($0, digits) }
                    + [exact[patch].map { .effect($0, digits) } ?? .missing]
            })
    }
}
