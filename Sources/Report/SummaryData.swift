import Results
import Statistics

package enum SummaryFormat: String, CaseIterable, Sendable {
    case csv, json
}

/// The summary for other programs: one row per corruption and patch, with `summaryColumns` in that order, then
/// `estimateColumns`. JSON is an array of objects with null for values that are not finite.
package func summaryData(
    _ statistics: [CorruptionStatistics], manifest: Manifest, choice: SummaryChoice = SummaryChoice(),
    format: SummaryFormat
) -> String {
    var out = TableText(format == .csv ? .csv : .jsonl)
    out.header(summaryColumns + estimateColumns(manifest))
    for corruption in statistics {
        for patch in choice.patches(corruption.withEstimates(manifest)) {
            out.beginRow()
            out.field("corruption", corruption.spec, first: true)
            out.field("direction", patch.record.direction)
            out.field("site", patch.record.site)
            out.field("layer", patch.record.layer)
            out.field("head", patch.record.head)
            out.field("token", patch.record.token)
            out.field("window", patch.record.window)
            out.field("n", corruption.images)
            for (prefix, effect) in [("", patch.p), ("logit_diff_", patch[.logitDiff]), ("kl_", patch[.kl])] {
                for (name, value) in effect.columns { out.field(prefix + name, value) }
            }
            out.field("accuracy_patched", patch.accuracy)
            out.field("accuracy_clean", corruption.accuracyClean)
            out.field("accuracy_corrupted", corruption.accuracyCorrupted)
            out.field("total_effect", corruption.totalP.mean)
            out.field("total_ci_low", corruption.totalP.low)
            out.field("total_ci_high", corruption.totalP.high)
            out.field("p_value", patch.pValue)
            out.field("p_adjusted", patch.pAdjusted)
            let control = patch.control
            if let control { out.field("control_places", control.places) } else { out.field("control_places", "") }
            for (name, value) in [
                ("control_mean", control?.mean), ("control_p95", control?.extremePercentile),
                ("control_difference", control?.difference.mean),
                ("control_ci_low", control?.difference.low), ("control_ci_high", control?.difference.high),
                ("control_p_value", control?.pValue), ("control_p_maximum", control?.pMaximum),
            ] {
                if let value { out.field(name, value) } else { out.field(name, "") }
            }
            for (prefix, effect) in [("", patch.p), ("logit_diff_", patch[.logitDiff]), ("kl_", patch[.kl])] {
                out.field(prefix + "recovered_ci_low", effect.recoveredLow)
                out.field(prefix + "recovered_ci_high", effect.recoveredHigh)
            }
            for (name, value) in patch[.logOdds].columns { out.field("log_odds_" + name, value) }
            out.field("log_odds_recovered_ci_low", patch[.logOdds].recoveredLow)
            out.field("log_odds_recovered_ci_high", patch[.logOdds].recoveredHigh)
            out.field("intervention", patch.intervention.rawValue)
            out.field("by_construction", patch.construction?.rawValue ?? "")
            out.field("carriers", patch.p.carriers)
            out.estimates(patch, corruption)
            out.endRow()
        }
    }
    let text = String(decoding: out.bytes, as: UTF8.self)
    guard format == .json else { return text }
    let rows = text.split(separator: "\n")
    return rows.isEmpty ? "[]\n" : "[\n" + rows.joined(separator: ",\n") + "\n]\n"
}

/// The columns of `summaryData`.
package let summaryColumns: [String] = {
    let statistics = ["mean_effect", "ci_low", "ci_high", "median", "share_positive", "recovered"]
    var columns = ["corruption", "direction", "site", "layer", "head", "token", "window", "n"]
    for prefix in ["", "logit_diff_", "kl_"] { columns += statistics.map { prefix + $0 } }
    columns += [
        "accuracy_patched", "accuracy_clean", "accuracy_corrupted", "total_effect", "total_ci_low", "total_ci_high",
    ]
    columns += ["p_value", "p_adjusted"]
    // Empty where there are no places to compare the patch with
    return columns
        + ["places", "mean", "p95", "difference", "ci_low", "ci_high", "p_value", "p_maximum"].map { "control_" + $0 }
        + ["", "logit_diff_", "kl_"].flatMap { ["\($0)recovered_ci_low", "\($0)recovered_ci_high"] }
        + (statistics + ["recovered_ci_low", "recovered_ci_high"]).map { "log_odds_" + $0 }
        + ["intervention", "by_construction", "carriers"]
}()

extension EffectStatistics {
    fileprivate var columns: [(String, Double)] {
        [
            ("mean_effect", mean), ("ci_low", low), ("ci_high", high), ("median", median),
            ("share_positive", sharePositive), ("recovered", recovered),
        ]
    }
}
