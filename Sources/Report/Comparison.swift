import Results

/// Two sweeps, patch by patch, over the images they share: what changes from A to B.
package struct Comparison: Sendable {
    package struct Patch: Sendable {
        package var record: PatchRecord
        /// Mean effects on p
        package var effectA: Double
        package var effectB: Double
        /// Effect in B minus effect in A, paired over images; `recovered` means nothing here
        package var p: EffectStatistics
        package var logitDiff: EffectStatistics
        package var kl: EffectStatistics
        /// Two-sided, of "the mean difference on p is 0", and with Holm's correction over the direction, site and window
        package var pValue: Double
        package var pHolm: Double
    }
    package struct Corruption: Sendable {
        package var specA: String
        package var specB: String
        /// In both, complete
        package var shared: Int
        package var onlyA: Int
        package var onlyB: Int
        package var patches: [Patch]
    }
    package var corruptions: [Corruption]
    /// Patches that only one of the sweeps has
    package var patchesOnlyA: Int
    package var patchesOnlyB: Int
}

package enum ComparisonError: Error, Equatable, Sendable, CustomStringConvertible {
    case noSharedPatches(a: String, b: String)
    case noSharedCorruptions(a: String, b: String)
    case noSharedImages(a: String, b: String)

    package var description: String {
        switch self {
        case .noSharedPatches(let a, let b): "\(a) and \(b) have no patch in common"
        case .noSharedCorruptions(let a, let b): "\(a) and \(b) have no corruption in common"
        case .noSharedImages(let a, let b): "\(a) and \(b) have no image in common, so nothing can be paired"
        }
    }
}

/// Pairs images by id and patches by their columns, random places left out. Corruptions are paired by their text, or with each other where
/// both sweeps have one.
///
/// - Parameter bootstrap: its seed is A's unless given
/// - Throws: `ComparisonError` where nothing can be paired, `ResultsError`
package func compare(_ a: ResultsStore, _ b: ResultsStore, bootstrap: Bootstrap? = nil) throws -> Comparison {
    let bootstrap = bootstrap ?? Bootstrap(seed: a.manifest.seed)
    let (ownA, ownB) = (a.manifest.ownPatches, b.manifest.ownPatches)
    let indices = Dictionary(ownB.enumerated().map { ($1.place, $0) }, uniquingKeysWith: { first, _ in first })
    let pairs = ownA.enumerated().compactMap { index, record in indices[record.place].map { (a: index, b: $0) } }
    guard !pairs.isEmpty else { throw ComparisonError.noSharedPatches(a: a.folder, b: b.folder) }
    var corruptions: [(Int, Int)] = a.manifest.corruptions.enumerated().compactMap { index, spec in
        b.manifest.corruptions.firstIndex(of: spec).map { (index, $0) }
    }
    if corruptions.isEmpty, a.manifest.corruptions.count == 1, b.manifest.corruptions.count == 1 {
        corruptions = [(0, 0)]
    }
    guard !corruptions.isEmpty else { throw ComparisonError.noSharedCorruptions(a: a.folder, b: b.folder) }
    let found = try corruptions.map { try compare(a, $0.0, b, $0.1, pairs, bootstrap) }
    guard found.contains(where: { $0.shared > 0 }) else {
        throw ComparisonError.noSharedImages(a: a.folder, b: b.folder)
    }
    return Comparison(
        corruptions: found, patchesOnlyA: ownA.count - pairs.count, patchesOnlyB: ownB.count - pairs.count)
}

private func compare(
    _ a: ResultsStore, _ corruptionA: Int, _ b: ResultsStore, _ corruptionB: Int, _ pairs: [(a: Int, b: Int)],
    _ bootstrap: Bootstrap
) throws -> Comparison.Corruption {
    let allA = try a.completeImages(corruption: corruptionA), allB = try b.completeImages(corruption: corruptionB)
    let byID = Dictionary(allB.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let imagesA = allA.filter { byID[$0.id] != nil }
    let imagesB = imagesA.compactMap { byID[$0.id] }
    let n = imagesA.count
    var result = Comparison.Corruption(
        specA: a.manifest.corruptions[corruptionA], specB: b.manifest.corruptions[corruptionB], shared: n,
        onlyA: allA.count - n, onlyB: allB.count - n, patches: [])
    guard n > 0 else { return result }
    let families = Dictionary(grouping: pairs.indices) { family(a.manifest.patches[pairs[$0].a]) }
    for pair in pairs {
        let record = a.manifest.patches[pair.a]
        let effectsA = try effects(a, corruptionA, imagesA, pair.a),
            effectsB = try effects(b, corruptionB, imagesB, pair.b)
        let difference = zip(effectsB, effectsA).map { $0 - $1 }  // [n, 3]
        let found = summarise(difference, rows: n, total: nil, columns: 3, bootstrap)
        func mean(_ values: [Double]) -> Double { (0..<n).reduce(0) { $0 + values[3 * $1] } / Double(n) }
        let draws = SignFlipTest.draws(family: families[family(record)]?.count ?? 1)
        let p = SignFlipTest(draws: draws, seed: bootstrap.seed).p((0..<n).map { difference[3 * $0] })
        result.patches.append(
            Comparison.Patch(
                record: record, effectA: mean(effectsA), effectB: mean(effectsB), p: found[0], logitDiff: found[1],
                kl: found[2], pValue: p, pHolm: .nan))
    }
    for members in families.values {
        for (member, p) in zip(members, holm(members.map { result.patches[$0].pValue })) {
            result.patches[member].pHolm = p
        }
    }
    return result
}

/// Effects of one patch on p, logit difference and KL: [images, 3].
private func effects(_ store: ResultsStore, _ corruption: Int, _ images: [ImageRecord], _ patch: Int) throws -> [Double]
{
    let noise = store.manifest.patches[patch].direction == "noise"
    var values = [Double](repeating: .nan, count: images.count * 3)
    try store.forEachEffect(corruption: corruption, images: images, patches: patch..<patch + 1) { row, _, patched in
        let base = noise ? images[row].clean : images[row].corrupted
        values[3 * row] = Double(patched.p) - Double(base.p)
        values[3 * row + 1] = Double(patched.logitDiff) - Double(base.logitDiff)
        values[3 * row + 2] = Double(patched.kl) - Double(base.kl)
    }
    return values
}

// MARK: - As text and data

/// One row per patch; the strongest differences alone where there are many.
///
/// - Parameter limit: most rows per corruption
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
            out += "  " + padded("95% interval", 2 * number + 4) + "  p (Holm)\n"
            for patch in shown where [patch.record.direction, patch.record.site] == place {
                out += zip(columns, widths).map { paddedLeft($0.1(patch.record), $1) }.joined()
                for value in [patch.effectA, patch.effectB] { out += paddedLeft(signed(value, digits), number + 2) }
                let difference = paddedLeft(signed(patch.p.mean, digits), number + 2)
                out += patch.pHolm < 0.05 ? terminal.bold(difference) : difference
                out += "  " + terminal.dim(intervalText(patch.p.low, patch.p.high, digits, width: number))
                out += "  " + (patch.pHolm < 0.001 ? "<0.001" : fixed(patch.pHolm, 3)) + "\n"
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
    out.header(
        [
            "corruption_a", "corruption_b", "direction", "site", "layer", "head", "token", "window", "n",
            "mean_effect_a",
            "mean_effect_b",
        ] + ["", "logit_diff_", "kl_"].flatMap { prefix in statistics.map { prefix + $0 } } + ["p_value", "p_holm"])
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
            for effect in [patch.p, patch.logitDiff, patch.kl] {
                for value in [effect.mean, effect.low, effect.high, effect.median, effect.sharePositive] {
                    out.field("", value)
                }
            }
            out.field("p_value", patch.pValue)
            out.field("p_holm", patch.pHolm)
            out.endRow()
        }
    }
    return String(decoding: out.bytes, as: UTF8.self)
}
