import Results

/// The columns that say where patches are, those that are empty for all left out.
func placeColumns(_ patches: [PatchRecord]) -> [(String, (PatchRecord) -> String)] {
    [
        ("direction", \.direction), ("site", \.site), ("layer", \.layer), ("head", \.head), ("token", \.token),
        ("window", \.window),
    ].filter { place in patches.contains { !place.1($0).isEmpty } }
}

/// The table behind a figure: one row a patch, every statistic.
func patchTable(_ patches: [PatchStatistics]) -> Table {
    let places = placeColumns(patches.map(\.record))
    let isControlled = patches.contains { $0.control != nil }
    let columns =
        places.map(\.0) + withLimits("Δp") + ["median", "share positive"] + withLimits("recovered") + ["p-value (Holm)"]
        + withLimits("Δlogit diff") + withLimits("ΔKL") + ["accuracy"] + (isControlled ? controlColumns : [])
    let digits = max(4, decimals(for: patches.map(\.p.mean)))
    let rows = patches.map { patch -> [String] in
        func three(_ effect: EffectStatistics) -> [String] {
            [effect.mean, effect.low, effect.high].map { plus($0, digits) }
        }
        return places.map { $0.1(patch.record) } + three(patch.p)
            + [
                plus(patch.p.median, digits), shareText(patch.p.sharePositive), shareText(patch.p.recovered),
                shareText(patch.p.recoveredLow), shareText(patch.p.recoveredHigh), pText(patch.pHolm),
            ] + three(patch.logitDiff) + three(patch.kl) + [shareText(patch.accuracy)]
            + (isControlled ? controlCells(patch) : [])
    }
    return Table(columns: columns, rows: rows)
}

/// A statistic's column and those of its interval.
func withLimits(_ name: String) -> [String] { [name, "\(name) 95% low", "\(name) 95% high"] }
