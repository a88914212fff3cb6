import Results

/// Effects on p of the places of one direction and extent: random places that the sweep drew for comparison or, for
/// patches of a single place, all places that it patched.
package struct ControlStatistics: Sendable, Equatable {
    package var direction: String
    /// As in `PatchRecord.extent`
    package var extent: String
    /// Whether the places were drawn at random, rather than being the sweep's own
    package var isDrawn: Bool
    package var places: Int
    /// The effect averaged over the places; the interval is over images, with the places fixed
    package var p: EffectStatistics
    /// The 95th percentile: the ceil(0.95 (places + 1))-th smallest of the places' mean effects, so a patch is beyond
    /// it if its p-value is at most 0.05; nan for fewer than 19 places. With direction `noise`, where effects are
    /// losses, the 5th percentile, counted from the largest.
    package var extremePercentile: Double
    /// The number of the sweep's patches of this direction and extent
    package var own: Int
}

/// A patch beside random places of its extent; for a single place, beside the sweep's other places of its extent.
package struct ControlComparison: Sendable, Equatable {
    /// The number of places compared with
    package var places: Int
    package var isDrawn: Bool
    /// Their mean effect on p
    package var mean: Double
    /// As in `ControlStatistics`, of these places
    package var extremePercentile: Double
    /// The patch's effect less the places' mean effect, paired over images
    package var difference: EffectStatistics
    /// One-sided: (1 + places whose mean effect is as large) / (1 + places), so never 0 (Phipson and Smyth 2010)
    package var pValue: Double
    /// The number of the sweep's patches of this direction and extent, over which the maximum is taken; 1 without drawn
    /// places
    package var own: Int
    /// The probability that the largest of `own` places, exchangeable with these, goes as far as the patch
    package var pMaximum: Double

    /// Whether the patch is beyond the maximum of drawn places. The sweep's own places do not count: one is always the
    /// largest
    package var isAbove: Bool { isDrawn && pMaximum <= 0.05 + 1e-12 }
    /// The number of random places that `isAbove` needs: 19 for each of the sweep's own patches
    package var needed: Int { Self.needed(own: own) }
    package static func needed(own: Int) -> Int { 19 * own }
}

/// The places that a sweep's patches are compared with, under one corruption; none without `--control`.
struct Controls {
    private struct Key: Hashable { var direction: String, extent: String }

    private struct Places {
        var members: [Int]
        var isDrawn: Bool
        /// The sum of their effects on p for every image [n]
        var sums: [Double]
        /// The mean effect of each member [members]
        var means: [Double] = []
    }

    private let patches: [PatchRecord]
    private let images: Int
    private var places: [Key: Places] = [:]
    private var order: [Key] = []
    /// The number of the sweep's patches of each key
    private var own: [Key: Int] = [:]

    init(store: ResultsStore, corruption: Int, images: [ImageRecord]) throws {
        patches = store.manifest.patches
        self.images = images.count
        guard store.manifest.control > 0, !images.isEmpty else { return }
        let own = store.manifest.ownPatches
        let drawn = Dictionary(grouping: patches.indices.filter { patches[$0].control }) { Self.key(patches[$0]) }
        let asked = Dictionary(grouping: own.indices) { Self.key(patches[$0]) }
        order = unique(own.map(Self.key))
        self.own = asked.mapValues(\.count)
        for key in order {
            let members = drawn[key] ?? asked[key] ?? []
            // A single place needs another to be compared with.
            guard members.count > (drawn[key] == nil ? 1 : 0) else { continue }
            places[key] = Places(
                members: members, isDrawn: drawn[key] != nil, sums: Array(repeating: 0, count: images.count))
        }
        let keys = patches.indices.map { index -> Key? in
            let key = Self.key(patches[index])
            guard patches[index].members == nil else { return nil }
            return places[key]?.isDrawn == patches[index].control ? key : nil
        }
        var sums = [Double](repeating: 0, count: patches.count)
        try store.forEachEffect(corruption: corruption, images: images, patches: patches.indices) {
            row, patch, patched in
            guard let key = keys[patch] else { return }
            let base = key.direction == "noise" ? images[row].clean : images[row].corrupted
            let effect = Double(patched.p) - Double(base.p)
            places[key]?.sums[row] += effect
            sums[patch] += effect
        }
        places = places.mapValues { known in
            var known = known
            known.means = known.members.map { sums[$0] / Double(images.count) }
            return known
        }
    }

    private static func key(_ patch: PatchRecord) -> Key { Key(direction: patch.direction, extent: patch.extent) }

    func statistics(_ bootstrap: Bootstrap) -> [ControlStatistics] {
        order.compactMap { key in
            guard let places = places[key] else { return nil }
            let count = Double(places.members.count)
            return ControlStatistics(
                direction: key.direction, extent: key.extent, isDrawn: places.isDrawn, places: places.members.count,
                p: summarise(places.sums.map { $0 / count }, rows: images, total: nil, columns: 1, bootstrap)[0],
                extremePercentile: Self.extremePercentile(places.means, key), own: own[key] ?? 0)
        }
    }

    /// - Parameter effect: the effect on an image (row) of a patch (column: its position in the block)
    /// - Returns: one for each patch of the block; nil without places to compare it with
    func compare(
        _ block: [Int], _ bootstrap: Bootstrap, effect: (_ row: Int, _ column: Int) -> Double
    ) -> [ControlComparison?] {
        var result = [ControlComparison?](repeating: nil, count: block.count)
        var differences: [[Double]] = [], columns: [Int] = []
        for (column, patch) in block.enumerated() {
            let key = Self.key(patches[patch])
            guard let places = places[key] else { continue }
            let others = zip(places.members, places.means).filter { $0.0 != patch }.map(\.1)
            guard !others.isEmpty else { continue }
            let effects = (0..<images).map { effect($0, column) }
            let count = Double(others.count)
            differences.append(
                zip(effects, places.sums).map { effect, sum in
                    effect - (places.isDrawn ? sum : sum - effect) / count
                })
            columns.append(column)
            let mean = effects.reduce(0, +) / Double(images), sign: Double = key.direction == "noise" ? -1 : 1
            let beyond = mean.isNaN ? others.count : others.count { sign * $0 >= sign * mean }
            let own = places.isDrawn ? self.own[key] ?? 1 : 1
            result[column] = ControlComparison(
                places: others.count, isDrawn: places.isDrawn, mean: others.reduce(0, +) / count,
                extremePercentile: Self.extremePercentile(others, key),
                difference: .none, pValue: mean.isNaN ? .nan : Double(1 + beyond) / (count + 1), own: own,
                pMaximum: mean.isNaN ? .nan : maximumRankP(own: own, random: others.count, beyond: beyond))
        }
        let rows = (0..<images).flatMap { row in differences.map { $0[row] } }
        let found = summarise(rows, rows: images, total: nil, columns: columns.count, bootstrap)
        for (column, difference) in zip(columns, found) { result[column]?.difference = difference }
        return result
    }

    private static func extremePercentile(_ means: [Double], _ key: Key) -> Double {
        let rank = means.count + 1 - (means.count + 1) / 20
        guard rank <= means.count, !means.contains(where: \.isNaN) else { return .nan }
        return means.sorted()[key.direction == "noise" ? means.count - rank : rank - 1]
    }
}
