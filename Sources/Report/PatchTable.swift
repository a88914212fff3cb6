import Results

/// The columns that say where patches are, those that are empty for all left out.
func placeColumns(_ patches: [PatchStatistics]) -> [(String, (PatchRecord) -> String)] {
    [
        ("direction", \.direction), ("site", \.site), ("layer", \.layer), ("head", \.head), ("token", \.token),
        ("window", \.window),
    ].filter { place in patches.contains { !place.1($0.record).isEmpty } }
}

/// The table behind a figure: one row a patch, every statistic.
func patchTable(_ patches: [PatchStatistics]) -> Table {
    let places = placeColumns(patches)
    let isControlled = patches.contains { $0.control != nil }
    let columns =
        places.map(\.0) + [
            "Δp", "95% low", "95% high", "median", "share positive", "recovered", "p-value (Holm)", "Δlogit diff", "95% low",
            "95% high", "ΔKL", "95% low", "95% high", "accuracy",
        ] + (isControlled ? controlColumns : [])
    let rows = patches.map { patch -> [String] in
        func three(_ effect: EffectStatistics) -> [String] {
            [effect.mean, effect.low, effect.high].map { plus($0, 4) }
        }
        return places.map { $0.1(patch.record) } + three(patch.p)
            + [
                plus(patch.p.median, 4), shareText(patch.p.sharePositive), shareText(patch.p.recovered),
                pText(patch.pHolm),
            ] + three(patch.logitDiff) + three(patch.kl) + [shareText(patch.accuracy)]
            + (isControlled ? controlCells(patch) : [])
    }
    return Table(columns: columns, rows: rows)
}
