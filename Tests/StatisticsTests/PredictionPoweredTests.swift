import Foundation
import StoreTestSupport
import TestSupport
import Testing

@testable import Statistics

@Suite struct PredictionPoweredTests {
    private let bootstrap = Bootstrap(resamples: 2000, seed: 5)

    private func normal(_ random: inout SplitMix64) -> Double {
        normalQuantile(.random(in: 1e-12...1 - 1e-12, using: &random))
    }

    /// Mean, weight and correlation against plain sums.
    @Test func theRegressionEstimator() throws {
        var random = SplitMix64.fresh()
        let (n, m, columns) = (40, 300, 3)
        var y: [Double] = [], f: [Double] = [], others: [Double] = []
        for _ in 0..<n {
            for column in 0..<columns {
                f.append(normal(&random) * Double(column + 1) + 2)
                y.append(0.5 * f[f.count - 1] + normal(&random) - 4)
            }
        }
        for _ in 0..<m * columns { others.append(normal(&random) * Double(others.count % columns + 1) + 3) }
        let found = PredictionPowered(bootstrap).means(y, predictions: f, others: others, columns: columns)
        for column in 0..<columns {
            func of(_ values: [Double]) -> [Double] {
                stride(from: column, to: values.count, by: columns).map { values[$0] }
            }
            func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
            let (y, f, rest) = (of(y), of(f), of(others))
            let (meanY, meanF) = (mean(y), mean(f))
            let covariance = mean(zip(y, f).map { ($0 - meanY) * ($1 - meanF) })
            let variance = mean(f.map { ($0 - meanF) * ($0 - meanF) })
            let wanted = meanY + covariance / variance * (mean(f + rest) - meanF)
            #expect(close(found[column].mean, wanted), "seed \(random.seed)")
            #expect(close(found[column].weight, covariance / variance))
            #expect(close(found[column].correlation, pearson(y, f)))
            #expect(found[column].low < wanted && wanted < found[column].high)
            // A column gives the same result alone.
            let alone = PredictionPowered(bootstrap).means(y, predictions: f, others: rest, columns: 1)[0]
            #expect(alone.mean == found[column].mean && alone.low == found[column].low)
        }
    }

    /// Scale and offset of predictions do not matter, and good predictions make narrow intervals.
    @Test func predictionsOfAnyScale() {
        var random = SplitMix64(seed: 3)
        let all = (0..<400).map { _ in normal(&random) }
        let y = all[..<50].map { $0 + 0.1 * normal(&random) }
        func mean(_ predict: (Double) -> Double) -> PredictionPowered.Mean {
            PredictionPowered(bootstrap).means(
                y, predictions: all[..<50].map(predict), others: all[50...].map(predict), columns: 1)[0]
        }
        let (a, b) = (mean { $0 }, mean { 7 * $0 + 100 })
        #expect(close(a.mean, b.mean) && close(a.low, b.low) && close(a.high, b.high))
        #expect(close(a.weight, 7 * b.weight) && close(a.varianceRatio, b.varianceRatio))
        let plain = summarise(y, rows: 50, total: nil, columns: 1, bootstrap)[0]
        let shrunk = pow((a.high - a.low) / (plain.high - plain.low), 2)
        #expect(a.varianceRatio < 0.2 && abs(shrunk - a.varianceRatio) < 0.08, "\(shrunk), \(a.varianceRatio)")
        // Useless predictions change nothing.
        let useless = mean { _ in 3 }
        #expect(close(useless.mean, plain.mean) && useless.weight == 0 && useless.varianceRatio == 1)
        #expect(abs(useless.low - plain.low) < 0.02 && useless.correlation.isNaN)
    }

    /// The mean over these images is less uncertain, and certain if all were measured.
    @Test func theseImages() {
        var random = SplitMix64(seed: 4)
        let f = (0..<100).map { _ in normal(&random) }, y = f.map { $0 + normal(&random) }
        func mean(_ n: Int, _ target: PredictionPowered.Target) -> PredictionPowered.Mean {
            PredictionPowered(bootstrap, target: target).means(
                Array(y[..<n]), predictions: Array(f[..<n]), others: Array(f[n...]), columns: 1)[0]
        }
        for n in [20, 60, 90] {
            let (population, these) = (mean(n, .population), mean(n, .theseImages))
            #expect(close(population.mean, these.mean))
            #expect(these.high - these.low < population.high - population.low)
        }
        #expect(mean(100, .theseImages).high - mean(100, .theseImages).low < 1e-12)
        let plain = summarise(y, rows: 100, total: nil, columns: 1, bootstrap)[0], all = mean(100, .population)
        #expect(close(all.mean, plain.mean) && close(all.low, plain.low) && close(all.high, plain.high))
        #expect(all.varianceRatio == 1)
    }

    /// 95% of intervals cover the truth; docs/methods.md has tables from more simulations.
    @Test func coverage() {
        let truth = 0.3
        let hits = concurrentMap(200) { simulation -> Bool in
            var random = SplitMix64(seed: UInt64(simulation) * 7919 + 1)
            let rows = (0..<300).map { _ -> (y: Double, f: Double) in
                let (a, b) = (normal(&random), normal(&random))
                return (truth + a, 3 * (0.9 * a + 0.19.squareRoot() * b) - 1)
            }
            let mean = PredictionPowered(Bootstrap(resamples: 500, seed: UInt64(simulation))).means(
                rows[..<30].map(\.y), predictions: rows[..<30].map(\.f), others: rows[30...].map(\.f), columns: 1)[0]
            return mean.low <= truth && truth <= mean.high
        }
        #expect((180...199).contains(hits.count { $0 }), "\(hits.count { $0 })")
    }

    @Test func degenerateInputs() {
        func mean(_ y: [Double], _ f: [Double], _ others: [Double]) -> PredictionPowered.Mean {
            PredictionPowered(bootstrap).means(y, predictions: f, others: others, columns: 1)[0]
        }
        // Too few images: a mean but no interval
        let few = mean([1, 2, 4, 3, 5], [1, 2, 3, 4, 5], [1, 9])
        #expect(few.mean.isFinite && few.low.isNaN && few.high.isNaN)
        // Equal effects on all images
        let same = mean(Array(repeating: 0.25, count: 8), (0..<8).map(Double.init), [1, 2, 3])
        #expect(same.mean == 0.25 && same.low == 0.25 && same.high == 0.25 && same.varianceRatio.isNaN)
        // Values that are not finite
        #expect(mean([.nan] + Array(repeating: 1, count: 7), Array(repeating: 1, count: 8), [1]).mean.isNaN)
        #expect(mean(Array(repeating: 1, count: 8), [.nan] + Array(repeating: 1, count: 7), [1]).mean.isNaN)
        #expect(mean(Array(repeating: 1, count: 8), Array(repeating: 1, count: 8), [.infinity]).mean.isNaN)
        #expect(mean([], [], [1]).mean.isNaN)
        #expect(PredictionPowered(bootstrap).means([], predictions: [], others: [], columns: 0).isEmpty)
        // Predictions that are nearly constant over the measured images get a bounded weight.
        let alike = mean(
            (0..<8).map { Double($0 % 3) }, (0..<8).map { 1e-9 * Double($0 % 3) }, (0..<100).map(Double.init))
        #expect(abs(alike.weight) < 1e-8 && abs(alike.mean - 7.0 / 8) < 1e-6)
    }

    /// Shares of a total effect over all images
    @Test func shares() {
        var random = SplitMix64(seed: 8)
        let total = (0..<300).map { _ in 2 + normal(&random) }
        let y = total[..<60].map { -0.5 * $0 + 0.1 * normal(&random) }
        let f = total.map { -0.4 * $0 + 0.05 * normal(&random) }
        func share(isClear: Bool) -> PredictionPowered.Mean {
            PredictionPowered(bootstrap).means(
                y, predictions: Array(f[..<60]), others: Array(f[60...]), columns: 1,
                totals: (
                    PredictionPowered.Totals(
                        measured: Array(total[..<60]), others: Array(total[60...]), isClear: isClear), signs: [-1]
                ))[0]
        }
        let found = share(isClear: true)
        #expect(close(found.share, -found.mean / (total.reduce(0, +) / 300)))
        #expect(found.shareLow < found.share && found.share < found.shareHigh)
        // Effect and total are correlated, so the share is more certain than either.
        #expect(found.shareHigh - found.shareLow < 0.04 && abs(found.share - 0.5) < 0.02)
        #expect(share(isClear: false).shareLow.isNaN)
    }
}
