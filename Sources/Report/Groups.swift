import Results
import Statistics

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

/// Effects by group as text: the total effect, and the patches whose effects differ most between groups. Empty without
/// groups.
package func groupText(store: ResultsStore, by groups: [ImageGroups], colour: TerminalColour = .none) throws -> String {
    let terminal = TerminalText(colour: colour)
    var text = ""
    func line(_ line: String = "") { text += line + "\n" }
    for group in groups {
        for statistics in try groupStatistics(of: store, by: group) {
            guard let total = statistics.rows.first, !total.values.isEmpty else { continue }
            let patches = statistics.rows.dropFirst()
            let shown = Array(
                patches.sorted { groupSpread($0) > groupSpread($1) }.prefix(total.values.count > 2 ? 5 : 10))
            line()
            line(
                terminal.bold(printable("by \(group.column), corruption \(statistics.corruption)"))
                    + terminal.dim(
                        "   mean effect on p [95% BCa interval]; the \(shown.count) of \(patches.count) patches that differ most"
                    ))
            let digits = decimals(for: ([total] + shown).flatMap(\.values).map(\.effect.mean))
            for row in [total] + shown { rowLines(row, digits, terminal, store.manifest).forEach(line) }
        }
    }
    return text
}

extension GroupStatistics.Row {
    /// `total effect`, `denoising z L0H2`
    func name(_ manifest: Manifest) -> String {
        record.map { "\(InterventionWords(manifest, direction: $0.direction).name) \($0.short)" } ?? "total effect"
    }
}

/// The largest absolute difference between a group and the rest.
func groupSpread(_ row: GroupStatistics.Row) -> Double {
    row.values.map { abs($0.difference?.mean ?? $0.effect.mean) }.filter { !$0.isNaN }.max() ?? -1
}

private func rowLines(_ row: GroupStatistics.Row, _ digits: Int, _ terminal: TerminalText, _ manifest: Manifest)
    -> [String]
{
    func number(_ mean: GroupStatistics.Mean) -> String {
        "\(signed(mean.mean, digits)) \(intervalText(mean.low, mean.high, digits))"
    }
    func difference(_ mean: GroupStatistics.Mean) -> String {
        let text = number(mean)
        return mean.excludesZero ? terminal.bold(text) : text
    }
    // Of many groups, only those that differ most from the rest are shown.
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
    var lines = ["  " + row.name(manifest)]
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
