import Foundation
import Results

/// One corruption's effects on the target's probability by a group of images, e.g. for a study of bias.
package struct GroupStatistics: Sendable, Equatable {
    /// A mean with its 95% percentile bootstrap interval
    package struct Mean: Sendable, Equatable {
        package var mean: Double, low: Double, high: Double
    }

    package struct Value: Sendable, Equatable {
        package var value: String
        /// Images; an effect or difference that rests on a single one has no interval (nan)
        package var n: Int
        package var effect: Mean
        /// This group's mean - the mean of all other groups' images; the two are resampled independently. Nil where there
        /// is one group only.
        package var difference: Mean?
    }

    package struct Row: Sendable, Equatable {
        /// nil: the total effect, p(clean) - p(corrupted)
        package var record: PatchRecord?
        /// Groups in their order: numbers by value, else by code points
        package var values: [Value]

        var name: String { record?.text ?? "total effect" }
    }

    package var corruption: String
    package var column: String
    /// The total effect, then every patch
    package var rows: [Row]
}

/// Effects by group for every corruption, over images that are complete and in a group. A group resamples its own images
/// (unpaired), so groups of different sizes can be compared.
///
/// - Parameter bootstrap: its seed is the sweep's unless given
package func groupStatistics(
    of store: ResultsStore, by groups: ImageGroups, bootstrap: Bootstrap? = nil
) throws -> [GroupStatistics] {
    let bootstrap = bootstrap ?? Bootstrap(seed: store.manifest.seed)
    return try store.manifest.corruptions.enumerated().map { corruption, spec in
        let images = try store.completeImages(corruption: corruption).filter { groups.values[$0.image] != nil }
        let members = Members(images.map { groups.values[$0.image] ?? "" }, bootstrap: bootstrap)
        let totals = images.map { Double($0.clean.p) - Double($0.corrupted.p) }
        var rows = members.statistics(totals, columns: 1).map { GroupStatistics.Row(record: nil, values: $0) }
        let patches = store.manifest.ownPatches
        let perBlock = max(1, min(256, 4_000_000 / max(1, images.count)))
        for start in stride(from: 0, to: patches.count, by: perBlock) {
            let block = start..<min(start + perBlock, patches.count)
            var values = [Double](repeating: .nan, count: images.count * block.count)  // [images, block]
            try store.forEachEffect(corruption: corruption, images: images, patches: block) { row, column, patched in
                let base = patches[start + column].direction == "noise" ? images[row].clean : images[row].corrupted
                values[row * block.count + column] = Double(patched.p) - Double(base.p)
            }
            rows += zip(block, members.statistics(values, columns: block.count)).map {
                GroupStatistics.Row(record: patches[$0], values: $1)
            }
        }
        return GroupStatistics(corruption: spec, column: groups.column, rows: rows)
    }
}

/// Which rows are in which group, and their bootstrap.
private struct Members {
    let values: [String]
    let rows: [[Int]]  // of each value
    let bootstrap: Bootstrap

    /// - Parameter groups: of each row
    init(_ groups: [String], bootstrap: Bootstrap) {
        let members = Dictionary(grouping: groups.indices) { groups[$0] }
        values = members.keys.sorted { a, b in
            if let a = Double(a), let b = Double(b), a != b { return a < b }
            return a.utf8.lexicographicallyPrecedes(b.utf8)
        }
        rows = values.map { members[$0] ?? [] }
        self.bootstrap = bootstrap
    }

    /// - Parameter effects: [rows, columns]
    /// - Returns: [columns][groups]
    func statistics(_ effects: [Double], columns: Int) -> [[GroupStatistics.Value]] {
        var result = Array(repeating: [GroupStatistics.Value](), count: columns)
        // Two groups are each other's rest, and so are their resamples.
        let two = rows.count == 2 ? rows.enumerated().map { resampled(effects, columns, $1, stream: $0) } : nil
        for (index, value) in values.enumerated() {
            let own = two?[index] ?? resampled(effects, columns, rows[index], stream: index)
            let rest: Sample? =
                if rows.count < 2 { nil } else if let two { two[1 - index] } else {
                    resampled(
                        effects, columns, rows.indices.filter { $0 != index }.flatMap { rows[$0] },
                        stream: rows.count + index)
                }
            for column in 0..<columns {
                result[column].append(
                    GroupStatistics.Value(
                        value: value, n: rows[index].count,
                        effect: mean(own.means[column], own.rows > 1 ? own.resamples(column) : []),
                        difference: rest.map { rest in
                            mean(
                                own.means[column] - rest.means[column],
                                min(own.rows, rest.rows) > 1
                                    ? zip(own.resamples(column), rest.resamples(column)).map(-) : [])
                        }))
            }
        }
        return result
    }

    private struct Sample {
        var rows: Int
        var means: [Double]  // [columns]
        var all: [Double]  // [columns, resamples]
        func resamples(_ column: Int) -> ArraySlice<Double> {
            let count = all.count / max(means.count, 1)
            return all[column * count..<(column + 1) * count]
        }
    }

    private func resampled(_ effects: [Double], _ columns: Int, _ rows: [Int], stream: Int) -> Sample {
        let values = rows.flatMap { effects[$0 * columns..<($0 + 1) * columns] }
        var own = bootstrap
        // Groups of one size would otherwise draw the same rows.
        own.seed = CounterRandom(seed: bootstrap.seed, stream: .max)[stream]
        return Sample(
            rows: rows.count,
            means: (0..<columns).map { column in
                stride(from: column, to: values.count, by: columns).reduce(0) { $0 + values[$1] } / Double(rows.count)
            }, all: own.means(values, rows: rows.count, columns: columns))
    }

    private func mean(_ mean: Double, _ resamples: some Sequence<Double>) -> GroupStatistics.Mean {
        let sorted = mean.isNaN ? [] : resamples.sorted()
        return GroupStatistics.Mean(
            mean: mean, low: quantile(0.025, ofSorted: sorted), high: quantile(0.975, ofSorted: sorted))
    }
}

// MARK: - For other programs

/// The columns of `groupData`
package let groupColumns = [
    "corruption", "group", "value", "direction", "site", "layer", "head", "token", "window", "n", "mean_effect",
    "ci_low",
    "ci_high", "difference", "difference_ci_low", "difference_ci_high",
]

/// One row per corruption, patch and group; the site of a total effect is `total`.
package func groupData(_ statistics: [GroupStatistics], format: SummaryFormat) -> String {
    var out = TableText(format == .csv ? .csv : .jsonl)
    out.header(groupColumns)
    for one in statistics {
        for row in one.rows {
            for value in row.values {
                out.beginRow()
                out.field("corruption", one.corruption, first: true)
                out.field("group", one.column)
                out.field("value", value.value)
                out.field("direction", row.record?.direction ?? "")
                out.field("site", row.record?.site ?? "total")
                out.field("layer", row.record?.layer ?? "")
                out.field("head", row.record?.head ?? "")
                out.field("token", row.record?.token ?? "")
                out.field("window", row.record?.window ?? "")
                out.field("n", value.n)
                for (prefix, mean) in [("mean_effect", value.effect), ("difference", value.difference)] {
                    let interval = prefix == "difference" ? "difference_" : ""
                    for (name, number) in [
                        (prefix, mean?.mean), (interval + "ci_low", mean?.low), (interval + "ci_high", mean?.high),
                    ] {
                        if let number { out.field(name, number) } else { out.field(name, "") }
                    }
                }
                out.endRow()
            }
        }
    }
    let text = String(decoding: out.bytes, as: UTF8.self)
    guard format == .json else { return text }
    return "[\n" + text.split(separator: "\n").joined(separator: ",\n") + "\n]\n"
}

// MARK: - For the terminal

/// Effects by group in words and tables: the total effect, and the patches whose effects differ most between groups.
/// Empty without groups.
package func groupText(store: ResultsStore, by groups: [ImageGroups], colour: TerminalColour = .none) throws -> String {
    let terminal = TerminalText(colour: colour)
    var text = ""
    func line(_ line: String = "") { text += line + "\n" }
    for group in groups {
        for statistics in try groupStatistics(of: store, by: group) {
            guard let total = statistics.rows.first, !total.values.isEmpty else { continue }
            let patches = statistics.rows.dropFirst()
            let shown = Array(patches.sorted { spread($0) > spread($1) }.prefix(total.values.count > 2 ? 5 : 10))
            line()
            line(
                terminal.bold(printable("by \(group.column), corruption \(statistics.corruption)"))
                    + terminal.dim(
                        "   mean effect on p [95% interval]; the \(shown.count) of \(patches.count) patches that differ most"
                    ))
            let digits = decimals(for: ([total] + shown).flatMap(\.values).map(\.effect.mean))
            for row in [total] + shown { rowLines(row, digits, terminal).forEach(line) }
        }
    }
    return text
}

/// How far a group is from the rest, at most.
private func spread(_ row: GroupStatistics.Row) -> Double {
    row.values.map { abs($0.difference?.mean ?? $0.effect.mean) }.filter { !$0.isNaN }.max() ?? -1
}

private func rowLines(_ row: GroupStatistics.Row, _ digits: Int, _ terminal: TerminalText) -> [String] {
    func number(_ mean: GroupStatistics.Mean) -> String {
        "\(signed(mean.mean, digits)) \(intervalText(mean.low, mean.high, digits))"
    }
    func excludesZero(_ mean: GroupStatistics.Mean) -> Bool { mean.low > 0 || mean.high < 0 }
    func difference(_ mean: GroupStatistics.Mean) -> String {
        let text = number(mean)
        return excludesZero(mean) ? terminal.bold(text) : text
    }
    // Of very many groups those that stand out.
    let most = 12
    var values = row.values.map { value in
        var shown = value
        shown.value = printable(value.value)
        return shown
    }
    if values.count > most {
        let chosen = values.indices.sorted {
            abs(values[$0].difference?.mean ?? 0) > abs(values[$1].difference?.mean ?? 0)
        }
        values = chosen.prefix(most).sorted().map { values[$0] }
    }
    let isPair = values.count == 2 && row.values.count == 2
    let pair = isPair ? "\(values[0].value) - \(values[1].value)" : ""
    let width = max(pair.count, values.map(\.value.count).max() ?? 0)
    let counts = values.map { "\($0.n)".count }.max() ?? 1
    var lines = ["  " + row.name]
    for value in values {
        var text =
            "    " + padded(value.value, width) + "  n " + paddedLeft("\(value.n)", counts) + "  "
            + number(value.effect)
        if !isPair, let rest = value.difference { text += terminal.dim("   - the rest ") + difference(rest) }
        lines.append(text)
    }
    if values.count < row.values.count { lines.append("    and \(row.values.count - values.count) more groups") }
    if isPair, let rest = values[0].difference {
        lines.append("    " + padded(pair, width) + "    " + padded("", counts) + "  " + difference(rest))
    }
    return lines
}
