import Results

/// The paired differences of two sweeps, B - A, patch by patch, over the images that they share.
package struct Comparison: Sendable {
    package struct Patch: Sendable {
        package var record: PatchRecord
        /// Mean effects on p
        package var effectA: Double
        package var effectB: Double
        /// For each `Metric`, the effect in B minus the effect in A, paired over images; `recovered` has no meaning
        /// here
        package var differences: [EffectStatistics]
        /// Two-sided, of "the mean difference on p is 0": unadjusted, and adjusted over all patches of the direction
        package var pValue: Double
        package var pAdjusted: Double

        package subscript(metric: Metric) -> EffectStatistics { differences[metric.rawValue] }
        package var p: EffectStatistics { self[.p] }
    }
    package struct Corruption: Sendable {
        package var specA: String
        package var specB: String
        /// Images that are complete in both
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

package enum ComparisonError: Error, Equatable, Sendable {
    case noSharedPatches(a: String, b: String)
    case noSharedCorruptions(a: String, b: String)
    case noSharedImages(a: String, b: String)
}

/// Pairs images by id and patches by their columns, without random places. Corruptions are paired by their SPEC text;
/// if no text is shared and each sweep has one corruption, the two are paired.
///
/// - Parameter bootstrap: its seed is A's unless given
/// - Throws: `ComparisonError` where nothing can be paired, `ResultsError`
package func compare(_ a: ResultsStore, _ b: ResultsStore, bootstrap: Bootstrap? = nil) throws -> Comparison {
    let bootstrap = bootstrap ?? Bootstrap(seed: a.manifest.seed)
    // Patches that have only estimates have no effects to compare.
    let (ownA, ownB) = (try a.ownExactPatches(), try b.ownExactPatches())
    let indices = Dictionary(
        ownB.map { (b.manifest.patches[$0].place, $0) }, uniquingKeysWith: { first, _ in first })
    let pairs = ownA.compactMap { index in indices[a.manifest.patches[index].place].map { (a: index, b: $0) } }
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
    let metrics = Metric.allCases.count
    var onP: [[Float]] = []  // [pairs][n]
    for pair in pairs {
        let effectsA = try effects(a, corruptionA, imagesA, pair.a),
            effectsB = try effects(b, corruptionB, imagesB, pair.b)
        let difference = zip(effectsB, effectsA).map { $0 - $1 }  // [n, metrics]
        func mean(_ values: [Double]) -> Double { (0..<n).reduce(0) { $0 + values[metrics * $1] } / Double(n) }
        onP.append((0..<n).map { Float(difference[metrics * $0]) })
        result.patches.append(
            Comparison.Patch(
                record: a.manifest.patches[pair.a], effectA: mean(effectsA), effectB: mean(effectsB),
                differences: summarise(difference, rows: n, total: nil, columns: metrics, bootstrap), pValue: .nan,
                pAdjusted: .nan))
    }
    for members in Dictionary(grouping: result.patches.indices, by: { result.patches[$0].record.direction }).values {
        let found = SignFlips(seed: bootstrap.seed).test(members.map { onP[$0] }, rows: n)
        for (position, member) in members.enumerated() {
            result.patches[member].pValue = found.p[position]
            result.patches[member].pAdjusted = found.adjusted[position]
        }
    }
    return result
}

/// Effects of one patch: [images, metrics].
private func effects(_ store: ResultsStore, _ corruption: Int, _ images: [ImageRecord], _ patch: Int) throws -> [Double]
{
    let noise = store.manifest.patches[patch].direction == "noise", metrics = Metric.allCases.count
    var values = [Double](repeating: .nan, count: images.count * metrics)
    try store.forEachEffect(corruption: corruption, images: images, patches: patch..<patch + 1) { row, _, patched in
        let effect = Metric.differences(patched, noise ? images[row].clean : images[row].corrupted)
        for metric in 0..<metrics { values[metrics * row + metric] = effect[metric] }
    }
    return values
}
