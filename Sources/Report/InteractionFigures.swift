import Results
import Statistics

/// Places patched together: pairs beside the sum of the two, and Shapley values.
struct InteractionFigures {
    let found: Interactions
    let figures: EffectFigures

    private var manifest: Manifest { figures.manifest }
    private func record(_ patch: Int) -> PatchRecord { manifest.patches[patch] }
    private func direction(_ pair: PairStatistics) -> String { record(pair.a).direction }

    var all: [Figure] {
        unique(found.pairs.map(direction)).map { pairFigure($0) } + found.shapley.map(shapleyFigure)
    }

    // MARK: - Pairs

    private func pairFigure(_ direction: String) -> Figure {
        let pairs = found.pairs.filter { self.direction($0) == direction }
        let words = figures.words(direction)
        let shown = pairs.prefix(15)
        func series(_ name: String, _ colour: Int, _ value: (PairStatistics) -> LineChart.Point) -> LineChart.Series {
            LineChart.Series(name: name, colour: colour, points: shown.map(value))
        }
        var panels = [
            LineChart(
                title: shown.count == pairs.count
                    ? "\(counted(pairs.count, "pair"))" : "the \(shown.count) of \(pairs.count) that differ most",
                xTitle: "rank by size of the interaction", yTitle: "mean Δp",
                labels: shown.indices.map { "\($0 + 1)" },
                places: shown.map { "\(record($0.a).short) and \(record($0.b).short)" }, connected: false,
                series: [
                    series("together", 0) { .init($0.together) }, series("sum of the two", 1) { .init($0.sum) },
                    series("interaction", 2) {
                        .init(value: $0.p.mean, low: $0.p.low, high: $0.p.high, isSignificant: $0.pAdjusted < 0.05)
                    },
                ], digits: decimals(for: shown.map(\.p.mean)), yRange: [0],
                width: max(340, 60 + 22 * Double(shown.count)),
                height: 240
            ).panel
        ]
        func order(_ place: Int) -> (String, Int, Int, Int) {
            let patch = record(place)
            return (patch.site, Int(patch.layer) ?? 0, Int(patch.head) ?? 0, place)
        }
        let places = unique(pairs.flatMap { [$0.a, $0.b] }).sorted { order($0) < order($1) }
        let limit = figures.largest(pairs.map(\.p.mean))
        let hasMap = places.count <= 40
        if hasMap { panels.append(map(pairs, places, limit)) }
        let backedUp = pairs.count { $0.p.high < 0 && direction == "restore" || $0.p.low > 0 && direction == "noise" }
        return Figure(
            name: figures.name("pairs", figures.interventionName(direction)),
            title: "Pairs beside the sum of their two places: \(words.name)",
            caption:
                "The interaction is the effect on p of two places patched together less the sum of their effects alone. "
                + "An interaction away from 0 in the direction of the effects: the two do more together. "
                + "Towards 0: they are partly redundant, or p saturates, which log-odds, in the table, do not. "
                + (manifest.pairs?.hasPrefix("top:") == true
                    ? "The pairs are those of the places whose effects are largest on the first images (100 at most). "
                    : "")
                + (words.intervention.exchangesPasses && pairs.count > 1
                    ? "\(backedUp) of \(counted(pairs.count, "pair")) \(backedUp == 1 ? "does" : "do") less together by "
                        + "\(backedUp == 1 ? "its" : "their") interval. " : "")
                + "P-values are of the interaction on p, adjusted over all \(pairs.count). \(figures.intervals)",
            panels: panels,
            legend: [
                LegendItem(mark: .line, series: 0, text: "together"),
                LegendItem(mark: .line, series: 1, text: "sum of the two alone"),
                LegendItem(mark: .line, series: 2, text: "interaction"),
                LegendItem(mark: .dot, series: 2, text: "interaction: adjusted p-value < 0.05"),
                LegendItem(mark: .hollow, series: 2, text: "not significant"),
            ], colourLimit: hasMap ? limit : nil, colourTitle: "mean interaction on p", table: table(pairs))
    }

    private func map(_ pairs: [PairStatistics], _ places: [Int], _ limit: Double) -> Panel {
        var cells: [[Int]: HeatMap.Cell] = [:]
        let digits = decimals(for: [limit])
        for pair in pairs {
            cells[[pair.a, pair.b]] = HeatMap.Cell(
                value: pair.p.mean, significant: pair.pAdjusted < 0.05,
                tooltip: "\(record(pair.a).short) and \(record(pair.b).short)\n\(withInterval(pair.p, digits))")
        }
        // A site that all places share is not repeated.
        let sites = unique(places.map { record($0).site })
        func label(_ place: Int) -> String {
            let short = record(place).short
            return sites.count == 1 ? String(short.dropFirst(sites[0].count + 1)) : short
        }
        return HeatMap(title: "interaction", limit: limit).matrix(
            rows: places.map(label), columns: places.map(label), rowTitle: "",
            columnTitle: sites.count == 1 ? sites[0] : ""
        ) { row, column in cells[[places[row], places[column]].sorted()] }
    }

    private func table(_ pairs: [PairStatistics]) -> Table {
        Table(
            columns: [Table.Column("place", "a"), Table.Column("and", "b")] + withLimits("together Δp", "effect_p")
                + withLimits("sum of the two", "sum_of_two") + withLimits("interaction", "interaction_p")
                + [Table.Column("p-value", "p_value"), Table.Column("p-value (adjusted)", "p_adjusted")]
                + withLimits("interaction, log-odds", "interaction_log_odds"),
            rows: pairs.map { pair in
                [Table.Cell(record(pair.a).short), Table.Cell(record(pair.b).short)]
                    + [pair.together, pair.sum, pair.p].flatMap { cells($0, 4) }
                    + [.p(pair.pValue), .p(pair.pAdjusted, isFloor: pair.isFloor)] + cells(pair.logOdds, 4)
            })
    }

    // MARK: - Shapley values

    private func shapleyFigure(_ found: ShapleyStatistics) -> Figure {
        let words = figures.words(found.direction)
        let places = found.places.sorted { ($1.p.mean.magnitude, $0.patch) < ($0.p.mean.magnitude, $1.patch) }
        func series(_ name: String, _ colour: Int, _ value: (ShapleyStatistics.Place) -> EffectStatistics)
            -> LineChart.Series
        {
            LineChart.Series(name: name, colour: colour, points: places.map { .init(value($0)) })
        }
        let digits = decimals(for: places.map(\.p.mean))
        let error = places.map(\.orderError).filter(\.isFinite).max()
        return Figure(
            name: figures.name("shapley", figures.interventionName(found.direction)),
            title: "Shapley values of \(places.count) places: \(words.name)",
            caption:
                "The Shapley value of a place is its mean gain in p when it is patched after those before it, over all orders "
                + "of the places; the values add up to the effect of all together, \(withInterval(found.all, 3)). "
                + "They are of \(found.orders) orders, every second one the one before backwards; intervals are over images, with "
                + "these orders"
                + (error.map { "; other orders would move a value by about \(number($0, digits)) (standard error)" }
                    ?? "")
                + ". \(figures.intervals)",
            panels: [
                LineChart(
                    title: "Shapley values beside effects alone", xTitle: "rank by Shapley value", yTitle: "mean Δp",
                    labels: places.indices.map { "\($0 + 1)" }, places: places.map { record($0.patch).short },
                    connected: false, series: [series("alone", 1, \.alone), series("Shapley value", 0, \.p)],
                    digits: digits, yRange: [0], width: max(340, 60 + 18 * Double(places.count)), height: 240
                ).panel
            ],
            legend: [
                LegendItem(mark: .line, series: 1, text: "patched alone"),
                LegendItem(mark: .line, series: 0, text: "Shapley value"),
            ],
            table: Table(
                columns: [Table.Column("place")] + withLimits("alone Δp", "effect_p")
                    + withLimits("Shapley value", "shapley_p")
                    + [
                        Table.Column("standard error of the orders", "order_error"),
                        Table.Column("share of all", "share_of_all"),
                    ] + withLimits("Shapley value, log-odds", "shapley_log_odds"),
                rows: places.map { place in
                    [Table.Cell(record(place.patch).short)] + cells(place.alone, 4) + cells(place.p, 4)
                        + [
                            .value(place.orderError, 4),
                            found.all.excludesZero ? .share(place.p.mean / found.all.mean) : .missing,
                        ] + cells(place.logOdds, 4)
                }))
    }
}

extension SummaryWriter {
    /// Writes the pairs whose effects differ most from the sum of their two places', and Shapley values.
    mutating func interactions(_ found: Interactions) {
        func words(_ direction: String) -> String {
            InterventionWords(manifest, direction: direction, corruption: found.spec).name
        }
        func name(_ patch: Int) -> String { manifest.patches[patch].short }
        for direction in unique(found.pairs.map { manifest.patches[$0.a].direction }) {
            let pairs = found.pairs.filter { manifest.patches[$0.a].direction == direction }
            let shown = pairs.prefix(5), digits = decimals(for: shown.map(\.p.mean))
            let place = shown.map { name($0.a).count + name($0.b).count + 3 }.max() ?? 0
            line()
            line(
                "  " + terminal.bold("pairs, \(words(direction))")
                    + terminal.dim(
                        "   together - sum of the two alone, on p; the \(shown.count) of \(pairs.count) that differ most"
                    ))
            for pair in shown {
                let logOdds = pair.logOdds.mean.isFinite ? "   log-odds \(interval(pair.logOdds, 2))" : ""
                line(
                    "  \(padded("\(name(pair.a)) + \(name(pair.b))", place))  \(interval(pair.p, digits))\(terminal.dim(logOdds))"
                )
            }
        }
        for shapley in found.shapley {
            let places = shapley.places.sorted { ($1.p.mean.magnitude, $0.patch) < ($0.p.mean.magnitude, $1.patch) }
            let digits = decimals(for: places.map(\.p.mean))
            let place = max(5, places.map { name($0.patch).count }.max() ?? 0)
            line()
            line(
                "  " + terminal.bold("Shapley values, \(words(shapley.direction))")
                    + terminal.dim("   on p, \(shapley.orders) orders; all together \(interval(shapley.all, 3))"))
            for item in places.prefix(12) {
                let share =
                    shapley.all.excludesZero
                    ? "   \(paddedLeft(percent(item.p.mean / shapley.all.mean), 6)) of all" : ""
                line("  \(padded(name(item.patch), place))  \(interval(item.p, digits))\(terminal.dim(share))")
            }
            if places.count > 12 { line("  and \(places.count - 12) more, in the report") }
        }
    }
}
