import Foundation
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing

/// A game with known interactions: the effect of a set of places is the sum of its places' effects and of its pairs'
/// interactions.
@Suite struct InteractionsTests {
    private let places = 5
    private let images = 9

    /// [image][place] and [image][place][place]; multiples of 1/4096, which floats add exactly
    private func game(seed: UInt64) -> (single: [[Float]], pair: [[[Float]]]) {
        var random = SplitMix64(seed: seed)
        func draw() -> Float { Float(Int.random(in: -64...64, using: &random)) / 4096 }
        let single = (0..<images).map { _ in (0..<places).map { _ in draw() } }
        let pair = (0..<images).map { _ in (0..<places).map { _ in (0..<places).map { _ in draw() } } }
        return (single, pair)
    }

    private func store(
        _ direction: String, sets: [[Int]], pairs: Int?, shapley: Int?, seed: UInt64
    ) throws -> (TemporaryStore, single: [[Float]], pair: [[[Float]]]) {
        let (single, pair) = game(seed: seed)
        let own = (0..<places).map { patch($0, direction) }
        let together = sets.map { set -> PatchRecord in
            var record = patch(0, direction)
            (record.site, record.layer, record.window, record.members) = ("\(set)", "", "", set)
            return record
        }
        var manifest = testManifest(patches: own + together)
        (manifest.pairs, manifest.pairCount, manifest.shapley) = (pairs.map { _ in "all" }, pairs, shapley)
        let temporary = try TemporaryStore(manifest)
        func pass(_ p: Float) -> PassMetrics {
            PassMetrics(p: p, logit: p, logitDiff: p, kl: 0, prediction: 0, logOdds: 4 * p)
        }
        for row in 0..<images {
            func value(_ set: [Int]) -> Float {
                set.reduce(0) { $0 + single[row][$1] }
                    + set.flatMap { a in set.filter { $0 > a }.map { pair[row][a][$0] } }.reduce(0, +)
            }
            let base: Float = direction == "noise" ? 0.75 : 0.25
            try temporary.store.append(
                images: [image(row, clean: pass(0.75), corrupted: pass(0.25))],
                effects: ((0..<places).map { [$0] } + sets).enumerated().map { index, set in
                    EffectRecord(image: row, corruption: 0, patch: index, patched: pass(base + value(set)))
                })
        }
        try temporary.store.finish()
        return (temporary, single, pair)
    }

    /// Opens the store again from its file.
    private func reopened(_ temporary: TemporaryStore) throws -> ResultsStore {
        try ResultsStore.open(folder: temporary.store.folder)
    }

    @Test(arguments: ["restore", "noise"]) func pairsAreWhatTwoDoMore(direction: String) throws {
        let sets = (0..<places).flatMap { a in (a + 1..<places).map { [a, $0] } }
        let (temporary, _, pair) = try store(
            direction, sets: sets + [[0, 1, 2]], pairs: sets.count, shapley: nil, seed: .random(in: 0...(.max)))
        let found = try #require(try interactions(of: reopened(temporary)).first)
        #expect(found.shapley.isEmpty && found.pairs.count == sets.count && found.images == images)
        for item in found.pairs {
            let wanted = (0..<images).map { Double(pair[$0][item.a][item.b]) }.reduce(0, +) / Double(images)
            #expect(abs(item.p.mean - wanted) < 1e-6 && abs(item.logOdds.mean - 4 * wanted) < 1e-5)
            #expect(abs(item.together.mean - item.sum.mean - item.p.mean) < 1e-9)
            #expect(item.p.low <= item.p.mean && item.p.mean <= item.p.high && item.pAdjusted >= item.pValue)
        }
        #expect(zip(found.pairs, found.pairs.dropFirst()).allSatisfy { abs($0.p.mean) >= abs($1.p.mean) })
        // Neither the pairs nor their p-values affect the sweep's own patches.
        let statistics = try statistics(of: temporary.store)[0]
        #expect(statistics.patches.count == places && statistics.directions[0].family == places)
    }

    /// Exact for any orders if only pairs interact: every place gets its own effect and half of each interaction; the
    /// values add up to the effect of all places.
    @Test func shapleyValues() throws {
        let seed = UInt64.random(in: 0...(.max))
        let orders = shapleyOrders(places: places, orders: 6, seed: 7)
        #expect(orders.count == 6 && orders[1] == orders[0].reversed() && orders.allSatisfy { Set($0).count == places })
        let sets = unique(orders.flatMap { order in (2...places).map { order.prefix($0).sorted() } })
        let (temporary, single, pair) = try store("restore", sets: sets, pairs: nil, shapley: 6, seed: seed)
        let found = try #require(try interactions(of: reopened(temporary)).first)
        #expect(found.pairs.isEmpty)
        let shapley = try #require(found.shapley.first)
        for place in shapley.places {
            let own = place.patch
            let wanted =
                (0..<images).map { row in
                    Double(single[row][own])
                        + (0..<places).filter { $0 != own }.reduce(0.0) { sum, other in
                            sum + Double(pair[row][min(own, other)][max(own, other)]) / 2
                        }
                }.reduce(0, +) / Double(images)
            #expect(abs(place.p.mean - wanted) < 1e-6 && abs(place.logOdds.mean - 4 * wanted) < 1e-5)
            #expect(place.orderError < 1e-6 && place.p.low <= place.p.mean && place.p.mean <= place.p.high)
        }
        #expect(abs(shapley.places.reduce(0) { $0 + $1.p.mean } - shapley.all.mean) < 1e-9)
    }

    @Test func setsThatAreMissing() throws {
        let (temporary, _, _) = try store("restore", sets: [[0, 1]], pairs: nil, shapley: 2, seed: 1)
        #expect(throws: ResultsError.self) { try interactions(of: temporary.store) }
        let plain = try store("restore", sets: [], pairs: nil, shapley: nil, seed: 1).0
        #expect(try interactions(of: plain.store).isEmpty)
    }

    /// A manifest whose sets name no patches of its own is refused.
    @Test(arguments: [[[0, 5]], [[1, 0]], [[0]], [[-1, 2]]]) func setsThatCannotBe(sets: [[Int]]) throws {
        #expect(throws: ResultsError.self) {
            let (temporary, _, _) = try store("restore", sets: sets, pairs: 1, shapley: nil, seed: 1)
            _ = try reopened(temporary)
        }
    }
}
