import Foundation
import Results
import StoreTestSupport
import TestSupport
import Testing
@testable import Statistics

@Suite struct BootstrapTests {
    @Test func resamplesArePairedAndRepeatable() {
        var random = SplitMix64.fresh()
        let x = (0..<30).map { _ in Double.random(in: 0...1, using: &random) }
        let y = (0..<30).map { _ in Double.random(in: 0...1, using: &random) }
        let bootstrap = Bootstrap(resamples: 120, seed: random.seed)
        let one = bootstrap.means(x, rows: 30, columns: 1)
        let both = bootstrap.means(zip(x, y).flatMap { [$0, $1] }, rows: 30, columns: 2)
        #expect(Array(both[..<120]) == one)
        #expect(Array(both[120...]) == bootstrap.means(y, rows: 30, columns: 1))
        // Fewer resamples are the first ones of more.
        #expect(Bootstrap(resamples: 70, seed: random.seed).means(x, rows: 30, columns: 1) == Array(one[..<70]))
        #expect(Bootstrap(resamples: 120, seed: random.seed &+ 1).means(x, rows: 30, columns: 1) != one)
    }

    /// The draws are uniform over rows, resamples and places.
    @Test func drawsAreUniform() {
        var counts = [Int](repeating: 0, count: 7)
        for stream in 0..<200 {
            let draws = CounterRandom(seed: 11, stream: UInt64(stream))
            for index in 0..<350 { counts[draws.below(7, at: index)] += 1 }
        }
        let expected = 200.0 * 350 / 7
        let chiSquare = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        #expect(chiSquare < 22.5)  // 6 degrees of freedom, p = 0.001; the seed is fixed
    }

    @Test func quantiles() {
        #expect(quantile(0.5, ofSorted: [1, 2, 4]) == 2)
        #expect(quantile(0.25, ofSorted: [1, 2, 4, 8]) == 1.75)
        #expect(quantile(0, ofSorted: [3, 5]) == 3 && quantile(1, ofSorted: [3, 5]) == 5)
        #expect(quantile(0.9, ofSorted: [3]) == 3)
        #expect(quantile(0.5, ofSorted: [Double]()).isNaN)
    }

    /// 95% intervals cover the true mean in simulated sweeps of 60 images, mildly and strongly skewed. docs/results.md
    /// has the numbers for 1000 simulations, made by raising `sweeps` and `resamples`.
    @Test(arguments: [2, 8]) func coverage(power: Int) {
        let environment = ProcessInfo.processInfo.environment
        let full = environment["VITPATCH_COVERAGE"] != nil
        let images = environment["VITPATCH_COVERAGE"].flatMap(Int.init) ?? 60
        let (sweeps, resamples) = full ? (1000, 2000) : (500, 500)
        var random = SplitMix64(seed: 20_250_101)
        var (covered, percentile) = (0, 0)
        for sweep in 0..<sweeps {
            let values = (0..<images).map { _ in
                let own = Double.random(in: 0...1, using: &random)
                let skewed = (0..<power).reduce(1.0) { product, _ in product * own }
                return power == 2 ? skewed + Double.random(in: -0.5...0.5, using: &random) : skewed
            }
            let bootstrap = Bootstrap(resamples: resamples, seed: UInt64(sweep))
            let means = bootstrap.means(values, rows: images, columns: 1).sorted()
            let found = interval(of: values, mean: values.reduce(0, +) / Double(images), resampled: means)
            let truth = 1 / Double(power + 1)
            if found.low <= truth, truth <= found.high { covered += 1 }
            if quantile(0.025, ofSorted: means) <= truth, truth <= quantile(0.975, ofSorted: means) { percentile += 1 }
        }
        let share = Double(covered) / Double(sweeps)
        if full {
            print("coverage u^\(power), \(images) images: \(share), percentile \(Double(percentile) / Double(sweeps))")
        }
        #expect((full ? 0.93...0.97 : 0.92...0.98).contains(share), "\(share)")
    }
}
