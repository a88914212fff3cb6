import Foundation
import Results
import StoreTestSupport
import TestSupport
import Testing
@testable import Statistics

@Suite struct IntervalTests {
    @Test func theNormalDistributionAndItsInverse() {
        for x in stride(from: -6.0, through: 6, by: 0.25) {
            #expect(abs(normalCDF(x) - cumulative(x)) < 1e-9)
            #expect(abs(normalQuantile(normalCDF(x)) - x) < 1e-6 * max(1, abs(x)), "\(x)")
        }
        #expect(abs(normalQuantile(0.975) - 1.959963984540054) < 1e-12 && abs(normalQuantile(0.5)) < 1e-14)
        #expect(normalQuantile(1e-12).isFinite && normalQuantile(1 - 1e-12).isFinite)
        for (freedom, t) in [(1.0, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (16, 2.1199), (59, 2.00100)] {
            #expect(abs(studentQuantile975(freedom) - t) < (freedom == 3 ? 0.01 : 0.001), "\(freedom)")
        }
    }

    /// No spread, or all resamples on one side: percentiles without NaN. A single value has no interval.
    @Test func degenerate() {
        let same = Array(repeating: 0.1, count: 6)
        #expect(interval(of: same, mean: 0.1, resampled: [0.1, 0.1]) == (0.1, 0.1))
        let five = interval(of: [1, 2, 3, 4, 5], mean: 3, resampled: [2, 3, 4])
        #expect(five.low.isNaN && five.high.isNaN, "five images have no interval")
        #expect(interval(of: [1, 2, 3, 4, 5, 6], mean: 3.5, resampled: [2, 3, 4, 5]).low.isFinite)
        let oneSide = interval(of: [0, 1, 0, 1, 0, 1], mean: 0.5, resampled: [0.6, 0.7, 0.8])
        #expect(oneSide.low >= 0.6 && oneSide.high <= 0.8)
        #expect(interval(of: [1, 2, 3, 4, 5, 6], mean: 3.5, resampled: []).low.isNaN)
    }

    /// A patch with a fixed fraction of the total on every image has a share without uncertainty; one with an effect of
    /// its own has about the delta method's interval. Noising has the same shares.
    @Test func recoveredShares() throws {
        var random = SplitMix64.fresh()
        let places = ["restore", "noise"].flatMap { direction in (0..<2).map { patch($0, direction) } }
        let temporary = try TemporaryStore(testManifest(patches: places))
        var totals: [Double] = [], effects: [Double] = []
        for index in 0..<400 {
            func pass(_ p: Double) -> PassMetrics {
                PassMetrics(p: Float(p), logit: 0, logitDiff: 0, kl: 0, prediction: 0)
            }
            let total = Double(Int.random(in: 64...256, using: &random)) / 512
            let own = total * 0.5 + Double(Int.random(in: -32...32, using: &random)) / 512
            totals.append(total)
            effects.append(own)
            try temporary.store.append(
                images: [image(index, clean: pass(0.75), corrupted: pass(0.75 - total))],
                effects: [0.25 * total, own, -0.25 * total, -own].enumerated().map { number, effect in
                    let base = number < 2 ? 0.75 - total : 0.75
                    return EffectRecord(image: index, corruption: 0, patch: number, patched: pass(base + effect))
                })
        }
        let found = try statistics(of: temporary.store, significance: false)[0]
        let share = effects.reduce(0, +) / totals.reduce(0, +)
        let mean = totals.reduce(0, +) / 400
        let influence = zip(effects, totals).map { ($0 - share * $1) / mean }
        let error = (influence.reduce(0) { $0 + $1 * $1 } / 400 / 400).squareRoot()
        for number in [0, 2] {
            let p = found.patches[number].p
            #expect(
                [p.recovered, p.recoveredLow, p.recoveredHigh].allSatisfy { abs($0 - 0.25) < 1e-6 },
                "seed \(random.seed)")
        }
        for number in [1, 3] {
            let p = found.patches[number].p
            #expect(abs(p.recovered - share) < 1e-6)
            #expect(abs(p.recoveredLow - (share - 1.96 * error)) < 0.3 * error, "seed \(random.seed)")
            #expect(abs(p.recoveredHigh - (share + 1.96 * error)) < 0.3 * error, "seed \(random.seed)")
        }
        // Both totals are 0 here, and a share of 0 has no interval.
        #expect(found.patches.allSatisfy { $0[.kl].recoveredLow.isNaN && $0[.logitDiff].recoveredHigh.isNaN })
    }

    /// A long upper tail shifts the interval up compared with percentiles.
    @Test func followsTheSkew() {
        var random = SplitMix64(seed: 5)
        let values = (0..<80).map { _ in
            let u = Double.random(in: 0...1, using: &random)
            return u * u * u * u * u * u
        }
        let means = Bootstrap(resamples: 2000, seed: 1).means(values, rows: 80, columns: 1).sorted()
        let found = interval(of: values, mean: values.reduce(0, +) / 80, resampled: means)
        #expect(found.high > quantile(0.975, ofSorted: means))
    }
}
