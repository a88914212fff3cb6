import Results
import Statistics

extension ComparisonError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noSharedPatches(let a, let b): "\(a) and \(b) have no patch in common"
        case .noSharedCorruptions(let a, let b): "\(a) and \(b) have no corruption in common"
        case .noSharedImages(let a, let b): "\(a) and \(b) have no image in common, so nothing can be paired"
        }
    }
}

// MARK: - As text and data

/// One row per patch; only the largest differences where there are many.
///
/// - Parameter limit: at most this many rows per corruption
package func comparisonText(
    _ comparison: Comparison, a: String, b: String, colour: TerminalColour = .none, limit: Int = 60
) -> String {
    let terminal = TerminalText(colour: colour)
    var out = "  A             \(a)\n  B             \(b)\n"
    for item in comparison.corruptions {
        let spec = item.specA == item.specB ? item.specA : "\(item.specA) (A), \(item.specB) (B)"
        out += "\n" + terminal.bold("corruption \(spec)") + "\n  images        \(item.shared) shared"
        if item.onlyA + item.onlyB > 0 { out += "; \(item.onlyA) only in A and \(item.onlyB) only in B are left out" }
        out += "\n"
        guard item.shared > 0 else { continue }
        var shown = item.patches
        if shown.count > limit {
            shown = Array(shown.filter { $0.p.mean.isFinite }.sorted { abs($0.p.mean) > abs($1.p.mean) }.prefix(limit))
            out +=
                "  patches       the \(shown.count) that differ most of \(item.patches.count); --format csv has all\n"
        }
        let digits = decimals(for: shown.flatMap { [$0.p.mean, $0.effectA, $0.effectB] })
        let number = digits + 3
        let columns = placeColumns(shown.map(\.record)).filter { !["direction", "site"].contains($0.0) }
        let widths = columns.map { column in max(column.0.count, shown.map { column.1($0.record).count }.max() ?? 0) + 2
        }
        for place in unique(shown.map { [$0.record.direction, $0.record.site] }) {
            out += "\n  " + terminal.bold(place.joined(separator: " ")) + terminal.dim("   mean effect on p") + "\n"
            out += zip(columns, widths).map { paddedLeft($0.0, $1) }.joined()
            out += paddedLeft("A", number + 2) + paddedLeft("B", number + 2) + paddedLeft("B - A", number + 2)
            out += "  " + padded("95% interval", 2 * number + 4) + "  p (adj.)\n"
            for patch in shown where [patch.record.direction, patch.record.site] == place {
                out += zip(columns, widths).map { paddedLeft($0.1(patch.record), $1) }.joined()
                for value in [patch.effectA, patch.effectB] { out += paddedLeft(signed(value, digits), number + 2) }
                let difference = paddedLeft(signed(patch.p.mean, digits), number + 2)
                out += patch.pAdjusted < 0.05 ? terminal.bold(difference) : difference
                out += "  " + terminal.dim(intervalText(patch.p.low, patch.p.high, digits, width: number))
                out += "  " + (patch.pAdjusted < 0.001 ? "<0.001" : fixed(patch.pAdjusted, 3)) + "\n"
            }
        }
    }
    if comparison.patchesOnlyA + comparison.patchesOnlyB > 0 {
        out +=
            "\n  \(comparison.patchesOnlyA) patches only in A and \(comparison.patchesOnlyB) only in B are left out\n"
    }
    return out
}

/// One row per corruption and patch, as CSV.
package func comparisonData(_ comparison: Comparison) -> String {
    var out = TableText(.csv)
    let statistics = ["difference", "ci_low", "ci_high", "median", "share_positive"]
    let metrics: [(prefix: String, metric: Metric)] = [
        ("", .p), ("logit_diff_", .logitDiff), ("kl_", .kl), ("log_odds_", .logOdds),
    ]
    out.header(
        [
            "corruption_a", "corruption_b", "direction", "site", "layer", "head", "token", "window", "n",
            "mean_effect_a",
            "mean_effect_b",
        ] + metrics.prefix(3).flatMap { metric in statistics.map { metric.prefix + $0 } } + ["p_value", "p_adjusted"]
            + statistics.map { "log_odds_" + $0 })
    for item in comparison.corruptions where item.shared > 0 {
        for patch in item.patches {
            out.beginRow()
            out.field("corruption_a", item.specA, first: true)
            out.field("corruption_b", item.specB)
            for value in [
                patch.record.direction, patch.record.site, patch.record.layer, patch.record.head, patch.record.token,
                patch.record.window,
            ] { out.field("", value) }
            out.field("n", item.shared)
            out.field("mean_effect_a", patch.effectA)
            out.field("mean_effect_b", patch.effectB)
            func write(_ metric: Metric) {
                let effect = patch[metric]
                for value in [effect.mean, effect.low, effect.high, effect.median, effect.sharePositive] {
                    out.field("", value)
                }
            }
            metrics.prefix(3).forEach { write($0.metric) }
            out.field("p_value", patch.pValue)
            out.field("p_adjusted", patch.pAdjusted)
            write(.logOdds)
            out.endRow()
        }
    }
    return String(decoding: out.bytes, as: UTF8.self)
}
