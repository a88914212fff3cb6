import Results

/// Two places patched together, beside the sum of the two patched alone.
package struct PairStatistics: Sendable, Equatable {
    /// The two, and the patch of both: indices into the manifest's patches
    package var a: Int, b: Int, patch: Int
    /// Effects on p: of both together, and the sum of the two single effects
    package var together: EffectStatistics
    package var sum: EffectStatistics
    /// together - sum, on p and on log-odds, paired over images
    package var p: EffectStatistics
    package var logOdds: EffectStatistics
    /// Two-sided, of "the mean interaction on p is 0": unadjusted, and adjusted over all pairs of the corruption and
    /// direction
    package var pValue = Double.nan
    package var pAdjusted = Double.nan
    /// Whether pAdjusted is the smallest that its test can give
    package var isFloor = false
}

/// The contribution of each of a set of places to the effect of all of them: Shapley values (Shapley 1953), sampled
/// over orders (Castro, Gomez and Tejada 2009). Every second order reverses the one before (Mitchell et al. 2022),
/// which makes the values exact if there are no interactions of three or more places.
package struct ShapleyStatistics: Sendable, Equatable {
    package struct Place: Sendable, Equatable {
        /// Index into the manifest's patches
        package var patch: Int
        /// Effect on p when it is patched alone
        package var alone: EffectStatistics
        /// Mean gain on p and on log-odds when it is added to those before it; intervals are over images, with the
        /// orders fixed
        package var p: EffectStatistics
        package var logOdds: EffectStatistics
        /// Standard error of the value on p from the choice of orders, over all images
        package var orderError: Double
    }
    package var direction: String
    package var orders: Int
    package var places: [Place]
    /// The effect on p of all places together: the values' sum
    package var all: EffectStatistics
}

package struct Interactions: Sendable, Equatable {
    package var corruption: Int
    package var spec: String
    package var images: Int
    /// By direction, the largest absolute interactions on p first
    package var pairs: [PairStatistics]
    package var shapley: [ShapleyStatistics]
}

/// Orders of 0..<places; every second one reverses the one before. They depend on the seed alone.
package func shapleyOrders(places: Int, orders: Int, seed: UInt64) -> [[Int]] {
    randomOrders(count: places, orders: orders / 2, seed: seed ^ 0x5348_4150).flatMap { [$0, $0.reversed()] }
}

/// Pairs and Shapley values of every corruption with complete images; empty where the sweep has neither.
///
/// - Parameter bootstrap: its seed is the sweep's unless given
/// - Throws: `ResultsError`, also if a set of places that the orders need is missing
package func interactions(of store: ResultsStore, bootstrap: Bootstrap? = nil) throws -> [Interactions] {
    let manifest = store.manifest
    guard manifest.pairs != nil || manifest.shapley != nil else { return [] }
    let bootstrap = bootstrap ?? Bootstrap(seed: manifest.seed)
    return try manifest.corruptions.indices.compactMap { corruption in
        let images = try store.completeImages(corruption: corruption)
        if images.isEmpty { return nil }
        let sets = try SetEffects(store: store, corruption: corruption, images: images)
        return Interactions(
            corruption: corruption, spec: manifest.corruptions[corruption], images: images.count,
            pairs: manifest.pairs == nil ? [] : sets.pairs(bootstrap),
            shapley: try manifest.shapley.map { try sets.shapley(orders: $0, bootstrap) } ?? [])
    }
}

/// Effects on p and on log-odds of every own patch and set: [patches][images], empty for random places.
private struct SetEffects {
    let manifest: Manifest
    let images: Int
    private var p: [[Double]], logOdds: [[Double]]
    private let path: String

    init(store: ResultsStore, corruption: Int, images: [ImageRecord]) throws {
        manifest = store.manifest
        self.images = images.count
        path = store.path
        let none = [Double](repeating: .nan, count: images.count)
        var p = manifest.patches.map { $0.control ? [] : none }, logOdds = p
        let patches = manifest.patches
        try store.forEachEffect(corruption: corruption, images: images, patches: patches.indices) {
            row, patch, patched in
            guard !patches[patch].control else { return }
            let base = patches[patch].direction == "noise" ? images[row].clean : images[row].corrupted
            p[patch][row] = Double(patched.p) - Double(base.p)
            logOdds[patch][row] = Double(patched.logOdds) - Double(base.logOdds)
        }
        (self.p, self.logOdds) = (p, logOdds)
    }

    private func summary(_ columns: [[Double]], _ bootstrap: Bootstrap) -> [EffectStatistics] {
        let values = (0..<images).flatMap { row in columns.map { $0[row] } }
        return summarise(values, rows: images, total: nil, columns: columns.count, bootstrap)
    }

    func pairs(_ bootstrap: Bootstrap) -> [PairStatistics] {
        let all = Array(manifest.pairPatches)
        return unique(all.map { manifest.patches[$0].direction }).flatMap { direction -> [PairStatistics] in
            let chosen = all.filter { manifest.patches[$0].direction == direction }
            var beyond: [[Float]] = []
            var found = chosen.map { patch -> PairStatistics in
                let members = manifest.patches[patch].members ?? []
                func sum(_ values: [[Double]]) -> [Double] {
                    (0..<images).map { values[members[0]][$0] + values[members[1]][$0] }
                }
                func difference(_ values: [[Double]]) -> [Double] { zip(values[patch], sum(values)).map { $0 - $1 } }
                let own = difference(p)
                beyond.append(own.map(Float.init))
                let statistics = summary([p[patch], sum(p), own, difference(logOdds)], bootstrap)
                return PairStatistics(
                    a: members[0], b: members[1], patch: patch, together: statistics[0], sum: statistics[1],
                    p: statistics[2], logOdds: statistics[3])
            }
            let test = SignFlips(seed: bootstrap.seed).test(beyond, rows: images)
            for index in found.indices {
                (found[index].pValue, found[index].pAdjusted) = (test.p[index], test.adjusted[index])
                found[index].isFloor = test.adjusted[index] <= test.floor * (1 + 1e-9)
            }
            return found.sorted { (abs($1.p.mean), $0.patch) < (abs($0.p.mean), $1.patch) }
        }
    }

    func shapley(orders count: Int, _ bootstrap: Bootstrap) throws -> [ShapleyStatistics] {
        let own = Array(manifest.ownPatches)
        var bySet: [[Int]: Int] = [:]
        for (index, patch) in manifest.patches.enumerated() {
            if let members = patch.members { bySet[members] = index } else if patch.isOwn { bySet[[index]] = index }
        }
        return try unique(own.map(\.direction)).map { direction in
            let intervention = Intervention(manifest, direction: direction)
            let places = own.indices.filter {
                own[$0].direction == direction
                    && Construction(own[$0], intervention, layers: manifest.layers, tokens: manifest.tokens) == nil
            }
            let orders = shapleyOrders(places: places.count, orders: count, seed: manifest.seed)
            let none = [Double](repeating: 0, count: images)
            var values = (p: places.map { _ in none }, logOdds: places.map { _ in none })
            // Gains averaged over the images, and over an order and its reverse: [places][orders / 2]
            var gains = places.map { _ in [Double]() }
            var all: Int?
            for (position, order) in orders.enumerated() {
                var before = (p: none, logOdds: none)
                for (step, place) in order.enumerated() {
                    let set = order.prefix(step + 1).map { places[$0] }.sorted()
                    guard let patch = bySet[set] else {
                        throw ResultsError.corrupt(path: path, detail: "a set that its Shapley values need is missing")
                    }
                    if set.count == places.count { all = patch }
                    var gain = 0.0
                    for row in 0..<images {
                        let own = p[patch][row] - before.p[row]
                        values.p[place][row] += own / Double(orders.count)
                        values.logOdds[place][row] += (logOdds[patch][row] - before.logOdds[row]) / Double(orders.count)
                        gain += own / Double(images)
                    }
                    if position % 2 == 0 {
                        gains[place].append(gain / 2)
                    } else {
                        gains[place][gains[place].count - 1] += gain / 2
                    }
                    before = (p[patch], logOdds[patch])
                }
            }
            let statistics = summary(
                places.map { p[$0] } + values.p + values.logOdds + [all.map { p[$0] } ?? none], bootstrap)
            let k = places.count
            return ShapleyStatistics(
                direction: direction, orders: orders.count,
                places: places.indices.map {
                    .init(
                        patch: places[$0], alone: statistics[$0], p: statistics[k + $0],
                        logOdds: statistics[2 * k + $0], orderError: Self.standardError(gains[$0]))
                }, all: statistics[3 * k])
        }
    }

    /// The standard error of the mean; nan for a single value
    private static func standardError(_ values: [Double]) -> Double {
        let n = Double(values.count), mean = values.reduce(0, +) / n
        guard n > 1 else { return .nan }
        return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1) / n).squareRoot()
    }
}
