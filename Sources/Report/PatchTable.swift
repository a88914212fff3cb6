import Results
import Statistics

/// The columns that name a patch's place, without those that are empty for all patches.
func placeColumns(_ patches: [PatchRecord]) -> [(String, (PatchRecord) -> String)] {
    [
        ("direction", \.direction), ("site", \.site), ("layer", \.layer), ("head", \.head), ("token", \.token),
        ("window", \.window),
    ].filter { place in patches.contains { !place.1($0).isEmpty } }
}

/// The table behind a figure: one row per patch, with every statistic.
///
/// - Parameter statistics: of the patches' corruption
func patchTable(_ patches: [PatchStatistics], _ statistics: CorruptionStatistics) -> Table {
    let places = placeColumns(patches.map(\.record))
    let isControlled = patches.contains { $0.control != nil }
    let hasShares = patches.contains { $0.p.recovered.isFinite }
    let isConstructed = patches.contains { $0.construction != nil }
    var columns = places.map { Table.Column($0.0) }
    columns += withLimits("Δp", "effect_p")
    columns += [Table.Column("median", "median_p"), Table.Column("share positive", "share_positive")]
    if hasShares { columns += withLimits("recovered", "recovered") }
    columns += [Table.Column("p-value", "p_value"), Table.Column("p-value (adjusted)", "p_adjusted")]
    if statistics.hasLogOdds { columns += withLimits("Δ log-odds", "effect_log_odds") }
    columns += withLimits("Δ logit diff", "effect_logit_diff") + withLimits("ΔKL", "effect_kl")
    columns.append(Table.Column("accuracy", "accuracy"))
    if isConstructed { columns.append(Table.Column("by construction", "by_construction")) }
    if isControlled { columns += controlColumns }
    let digits = max(4, decimals(for: patches.map(\.p.mean)))
    let rows = patches.map { patch -> [Table.Cell] in
        let direction = patch.record.direction
        var row = places.map { Table.Cell($0.1(patch.record)) } + cells(patch.p, digits)
        row += [.effect(patch.p.median, digits), .share(patch.p.sharePositive)]
        if hasShares { row += [patch.p.recovered, patch.p.recoveredLow, patch.p.recoveredHigh].map { .share($0) } }
        row += [patch.pValue, patch.pAdjusted].map { .p($0, isFloor: statistics.isFloor($0, direction)) }
        if statistics.hasLogOdds { row += cells(patch[.logOdds], digits) }
        row += cells(patch[.logitDiff], digits) + cells(patch[.kl], digits) + [.share(patch.accuracy)]
        if isConstructed {
            row.append(Table.Cell(shown: patch.construction?.text ?? "", data: patch.construction?.rawValue ?? ""))
        }
        if isControlled { row += controlCells(patch) }
        return row
    }
    return Table(columns: columns, rows: rows)
}
