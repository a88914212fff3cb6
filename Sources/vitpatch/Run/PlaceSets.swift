import ArgumentParser
import Foundation
import Results
import Spec
import Statistics

/// The places of a sweep that are patched together, for `--pairs` and `--shapley`.
struct PlaceSets {
    /// The most images on which the strongest places are found
    static let mostRankingImages = 100

    /// The manifest of a sweep of the places alone
    let manifest: Manifest
    let items: [SweepSpec.Item]
    let pairs: Pairs
    /// The number of orders for Shapley values; 0: none
    let orders: Int

    /// Indices of the places of each direction, without those by construction
    private var places: [[Int]] {
        unique(items.map(\.direction)).map { direction in
            let intervention = Intervention(manifest, direction: direction)
            return items.indices.filter {
                items[$0].direction == direction
                    && Construction(
                        manifest.patches[$0], intervention, layers: manifest.layers, tokens: manifest.tokens) == nil
            }
        }
    }

    /// The sets as patches, pairs first, and the number of pairs.
    ///
    /// - Parameters:
    ///   - stored: the manifest of the sweep that is resumed, whose choice of the strongest is kept
    ///   - strengths: of every place, for the choice of the strongest
    func items(stored: Manifest?, strengths: () throws -> [Double]) throws -> (items: [SweepSpec.Item], pairs: Int) {
        var sets: [[Int]] = []
        switch pairs {
        case .none: break
        case .all: for places in places { sets += try SweepSpec.pairs(of: places, among: items, pairs) }
        case .top(let count):
            if let stored {
                let known = stored.pairPatches.compactMap { stored.patches[$0].members }
                sets = known.allSatisfy { $0.allSatisfy(items.indices.contains) } ? known : []
                break
            }
            let strengths = try strengths()
            for places in places {
                let strongest = places.sorted { (strengths[$1], $0) < (strengths[$0], $1) }.prefix(count)
                sets += try SweepSpec.pairs(of: Array(strongest), among: items, pairs)
            }
        }
        let count = sets.count
        if orders > 0 {
            for places in places {
                sets += try SweepSpec.shapleySets(
                    of: places, among: items,
                    orders: shapleyOrders(places: places.count, orders: orders, seed: manifest.seed))
            }
        }
        return (unique(sets).map { SweepSpec.item(of: $0, among: items) }, count)
    }

    /// The absolute mean effect on p of every place, summed over corruptions, from a sweep of the places alone.
    ///
    /// - Parameter run: runs that sweep into a store that is removed afterwards
    func rank(images: Int, run: (SweepStore.Start) throws -> SweepTally.Outcome) throws -> [Double] {
        let folder = FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        Terminal.standardError(
            "--pairs \(pairs): \(items.count) places on \(images == 1 ? "1 image" : "\(images) images") to find the strongest\n"
        )
        let outcome = try run(.new(try NewStore(folder: folder, manifest: manifest)))
        if outcome.interrupted {
            Terminal.standardError("Interrupted before the first wave; nothing is kept.\n")
            throw ExitCode(130)
        }
        let store = try ResultsStore.open(folder: folder)
        let found = try statistics(of: store, bootstrap: Bootstrap(resamples: 1), significance: false)
        guard found.contains(where: { $0.images > 0 }) else {
            throw CommandError(
                "--keep \(manifest.keep) leaves none of the \(images) images that --pairs \(pairs) is to be chosen on")
        }
        return items.indices.map { place in
            found.filter { $0.images > 0 }.reduce(0) { sum, item in
                let mean = item.patches[place].p.mean
                return sum + (mean.isFinite ? abs(mean) : 0)
            }
        }
    }
}
