import StoreTestSupport
import TestSupport
import Testing

@testable import Statistics

@Suite struct SharesTests {
    @Test func intervalsAreOfPairedResamples() {
        var random = SplitMix64.fresh()
        let totals = (0..<40).map { _ in Double.random(in: 0.2...1, using: &random) }
        // If every image's effect is the same fraction of its total, so is every resample's.
        let same = recoveredShare(
            effects: totals.map { 0.25 * $0 }, totals: totals, bootstrap: Bootstrap(seed: random.seed))
        for value in [same.share, same.low, same.high] { #expect(abs(value - 0.25) < 1e-12, "seed \(random.seed)") }
        #expect(abs(same.effect - 0.25 * totals.reduce(0, +) / 40) < 1e-12)

        let effects = totals.map { $0 * Double.random(in: 0...1, using: &random) }
        let share = recoveredShare(effects: effects, totals: totals, bootstrap: Bootstrap(seed: random.seed))
        #expect(abs(share.share - effects.reduce(0, +) / totals.reduce(0, +)) < 1e-12)
        let drawn = (0..<4000).map { _ in
            var (effect, total) = (0.0, 0.0)
            for _ in 0..<40 {
                let i = Int.random(in: 0..<40, using: &random)
                effect += effects[i]
                total += totals[i]
            }
            return effect / total
        }.sorted()
        let width = drawn[3899] - drawn[100]
        #expect(
            abs(share.low - drawn[100]) < 0.2 * width && abs(share.high - drawn[3899]) < 0.2 * width,
            "seed \(random.seed)")
    }

    @Test func fewImagesHaveNoInterval() {
        for count in [1, 5] {
            let share = recoveredShare(
                effects: Array(repeating: 0.25, count: count), totals: Array(repeating: 0.5, count: count),
                bootstrap: Bootstrap(seed: 1))
            #expect(share.share == 0.5 && share.low.isNaN && share.high.isNaN)
        }
    }

    /// No share of a total whose interval covers 0.
    @Test func noShareOfNothing() {
        let totals = (0..<40).map { $0 % 2 == 0 ? 0.5 : -0.45 }
        let bootstrap = Bootstrap(seed: 1)
        let total = TotalEffect(totals, bootstrap: bootstrap)
        #expect(total.low < 0 && total.high > 0 && !total.isClear)
        let share = recoveredShare(effects: Array(repeating: 0.1, count: 40), totals: totals, bootstrap: bootstrap)
        #expect(share.share.isNaN && share.low.isNaN && abs(share.effect - 0.1) < 1e-12)
    }

    @Test func randomOrdersArePermutations() {
        let orders = randomOrders(count: 50, orders: 5, seed: 3)
        #expect(orders.count == 5 && orders.allSatisfy { $0.sorted() == Array(0..<50) })
        #expect(Set(orders).count == 5)
        #expect(randomOrders(count: 50, orders: 2, seed: 3) == Array(orders.prefix(2)))
        #expect(randomOrders(count: 50, orders: 1, seed: 4)[0] != orders[0])
        #expect(randomOrders(count: 0, orders: 2, seed: 0) == [[], []])
        // Every place comes first about equally often.
        var first = [0, 0, 0]
        for order in randomOrders(count: 3, orders: 3000, seed: .random(in: 0...(.max))) { first[order[0]] += 1 }
        #expect(first.allSatisfy { (850...1150).contains($0) })
    }
}
