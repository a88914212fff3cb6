import Foundation
import Results
import Testing

@testable import Report

@Suite struct StatisticsTests {
    /// Everything against plain loops over the same records.
    @Test func againstPlainLoops() throws {
        var random = SeededRandom()
        func pass() -> PassMetrics {
            PassMetrics(
                p: .random(in: 0...1, using: &random), logit: 0, logitDiff: .random(in: -5...5, using: &random),
                kl: .random(in: 0...2, using: &random), prediction: .random(in: 0..<2, using: &random))
        }
        // More patches than a block holds.
        let patches = (0..<301).map { patch($0, $0 % 3 == 0 ? "noise" : "restore") }
        let temporary = try TemporaryStore(testManifest(patches: patches))
        var images: [ImageRecord] = []
        var effects: [[PassMetrics]] = []
        for index in 0..<17 {
            var clean = pass()
            clean.kl = 0
            let record = image(index, clean: clean, corrupted: pass())
            let passes = patches.map { _ in pass() }
            try temporary.store.append(
                images: [record],
                effects: passes.enumerated().map {
                    EffectRecord(image: index, corruption: 0, patch: $0.offset, patched: $0.element)
                })
            images.append(record)
            effects.append(passes)
        }
        // Neither counts: left out by --keep, and not complete.
        try temporary.store.append(
            images: [
                image(17, clean: pass(), corrupted: pass(), kept: false), image(18, clean: pass(), corrupted: pass()),
            ],
            effects: [EffectRecord(image: 18, corruption: 0, patch: 1, patched: pass())])

        let bootstrap = Bootstrap(resamples: 200, seed: 3)
        let found = try statistics(of: temporary.store, bootstrap: bootstrap)[0]
        #expect(found.seen == 19 && found.kept == 18 && found.images == 17)
        let n = Double(images.count)
        #expect(found.accuracyClean == Double(images.count { $0.clean.prediction == 0 }) / n)
        #expect(found.accuracyCorrupted == Double(images.count { $0.corrupted.prediction == 0 }) / n)
        #expect(close(found.meanPClean, images.reduce(0) { $0 + Double($1.clean.p) } / n))
        #expect(close(found.meanPCorrupted, images.reduce(0) { $0 + Double($1.corrupted.p) } / n))

        let readers: [(PassMetrics) -> Double] = [{ Double($0.p) }, { Double($0.logitDiff) }, { Double($0.kl) }]
        for (metric, read) in readers.enumerated() {
            let total = [found.totalP, found.totalLogitDiff, found.totalKL][metric]
            let totals = images.map { read($0.clean) - read($0.corrupted) }
            check(total, totals, recovered: 1, bootstrap)
            for (index, patch) in found.patches.enumerated() {
                #expect(patch.patch == index && patch.record == patches[index])
                let noise = patches[index].direction == "noise"
                let values = images.indices.map {
                    read(effects[$0][index]) - read(noise ? images[$0].clean : images[$0].corrupted)
                }
                let meanTotal = totals.reduce(0, +) / n * (noise ? -1 : 1)
                check(
                    [patch.p, patch.logitDiff, patch.kl][metric], values,
                    recovered: values.reduce(0, +) / n / meanTotal, bootstrap)
                let correct = images.indices.count { effects[$0][index].prediction == 0 }
                #expect(patch.accuracy == Double(correct) / n)
            }
        }

        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * max(1, abs(b)) }
        func check(_ found: EffectStatistics, _ values: [Double], recovered: Double, _ bootstrap: Bootstrap) {
            let n = values.count
            let sorted = values.sorted()
            var means: [Double] = []
            for b in 0..<bootstrap.resamples {
                let draws = CounterRandom(seed: bootstrap.seed, stream: UInt64(b))
                var sum = 0.0
                for draw in 0..<n { sum += values[draws.below(n, at: draw)] }
                means.append(sum / Double(n))
            }
            means.sort()
            func percentile(_ q: Double) -> Double {
                let at = q * Double(means.count - 1)
                let lower = min(Int(at), means.count - 2)
                return means[lower] * (1 - (at - Double(lower))) + means[lower + 1] * (at - Double(lower))
            }
            // BCa step by step: the jackknife leaves every image out, the normal distribution is a sum.
            let mean = values.reduce(0, +) / Double(n)
            let left = values.map { (mean * Double(n) - $0) / Double(n - 1) }
            let centre = left.reduce(0, +) / Double(n)
            let second = left.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
            let third = left.reduce(0) { $0 + (centre - $1) * (centre - $1) * (centre - $1) }
            let acceleration = third / (6 * second * second.squareRoot())
            let bias = inverse(Double(means.count { $0 < mean }) / Double(means.count))
            let t17 = 2.119905299  // 97.5% of Student's t with 16 degrees of freedom
            func level(_ sign: Double) -> Double {
                let z = bias + sign * t17 * (17.0 / 16).squareRoot()
                return cumulative(bias + z / (1 - acceleration * z))
            }
            let expected = EffectStatistics(
                mean: values.reduce(0, +) / Double(n), low: percentile(level(-1)), high: percentile(level(1)),
                median: sorted[n / 2], sharePositive: Double(values.count { $0 > 0 }) / Double(n),
                recovered: recovered)
            #expect(
                close(found.mean, expected.mean) && abs(found.low - expected.low) < 1e-5
                    && abs(found.high - expected.high) < 1e-5 && found.median == expected.median
                    && found.sharePositive == expected.sharePositive
                    && close(found.recovered, expected.recovered),
                "\(found), not \(expected), seed \(random.seed)")
        }
    }

    /// A patch that does all the other pass would do recovers 1 in both directions.
    @Test func recoveredIsOneInBothDirections() throws {
        let temporary = try TemporaryStore(testManifest(patches: [patch(0), patch(0, "noise")]))
        let clean = PassMetrics(p: 0.9, logit: 3, logitDiff: 2, kl: 0, prediction: 0)
        let corrupted = PassMetrics(p: 0.2, logit: 1, logitDiff: -1, kl: 1.5, prediction: 1)
        for index in 0..<4 {
            try temporary.store.append(
                images: [image(index, clean: clean, corrupted: corrupted)],
                effects: [
                    EffectRecord(image: index, corruption: 0, patch: 0, patched: clean),
                    EffectRecord(image: index, corruption: 0, patch: 1, patched: corrupted),
                ])
        }
        let found = try statistics(of: temporary.store)[0]
        for patch in found.patches {
            for effect in [patch.p, patch.logitDiff, patch.kl] { #expect(abs(effect.recovered - 1) < 1e-12) }
        }
        #expect(found.patches[0].p.mean > 0 && found.patches[0].kl.mean < 0)
        #expect(found.patches[1].p.mean < 0 && found.patches[1].kl.mean > 0)
        #expect(found.patches[0].accuracy == 1 && found.patches[1].accuracy == 0)
    }

    @Test func noImagesAndNaN() throws {
        let temporary = try TemporaryStore(
            testManifest(patches: [patch(0), patch(1)], corruptions: ["none", "blur:1"]))
        #expect(try statistics(of: temporary.store).allSatisfy { $0.images == 0 && $0.patches[0].p.mean.isNaN })
        let pass = PassMetrics(p: 0.5, logit: 0, logitDiff: 0, kl: 0, prediction: 0)
        var broken = pass
        broken.p = .nan
        try temporary.store.append(
            images: [image(0, clean: pass, corrupted: pass)],
            effects: [
                EffectRecord(image: 0, corruption: 0, patch: 0, patched: broken),
                EffectRecord(image: 0, corruption: 0, patch: 1, patched: pass),
            ])
        let found = try statistics(of: temporary.store)[0]
        #expect(found.patches[0].p.mean.isNaN && found.patches[0].p.low.isNaN)
        #expect(found.patches[0].logitDiff.mean == 0)
        #expect(found.patches[1].p.mean == 0 && found.patches[1].p.recovered.isNaN)  // 0 of 0
        #expect(try summaryText(store: temporary.store).contains("nan"))
    }
}

@Suite struct BootstrapTests {
    @Test func resamplesArePairedAndRepeatable() {
        var random = SeededRandom()
        let x = (0..<30).map { _ in Double.random(in: 0...1, using: &random) }
        let y = (0..<30).map { _ in Double.random(in: 0...1, using: &random) }
        let bootstrap = Bootstrap(resamples: 120, seed: random.seed)
        let one = bootstrap.means(x, rows: 30, columns: 1)
        let both = bootstrap.means(zip(x, y).flatMap { [$0, $1] }, rows: 30, columns: 2)
        #expect(Array(both[..<120]) == one)
        #expect(Array(both[120...]) == bootstrap.means(y, rows: 30, columns: 1))
        // Fewer resamples are the first of more.
        #expect(Bootstrap(resamples: 70, seed: random.seed).means(x, rows: 30, columns: 1) == Array(one[..<70]))
        #expect(Bootstrap(resamples: 120, seed: random.seed &+ 1).means(x, rows: 30, columns: 1) != one)
    }

    /// The draws are even over rows, resamples and places.
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

    /// 95% intervals cover the true mean of simulated sweeps of 60 images, mildly and strongly skewed ones.
    /// docs/results.md has the numbers for 1000 simulations, made by raising `sweeps` and `resamples`.
    @Test(arguments: [2, 8]) func coverage(power: Int) {
        let environment = ProcessInfo.processInfo.environment
        let full = environment["VITPATCH_COVERAGE"] != nil
        let images = environment["VITPATCH_COVERAGE"].flatMap(Int.init) ?? 60
        let (sweeps, resamples) = full ? (1000, 2000) : (500, 500)
        var random = SeededRandom(seed: 20_250_101)
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

    /// No spread, resamples all on one side: percentiles, and no nan. One value says nothing of others.
    @Test func degenerate() {
        #expect(interval(of: [0.1, 0.1, 0.1], mean: 0.1, resampled: [0.1, 0.1]) == (0.1, 0.1))
        let one = interval(of: [3], mean: 3, resampled: [3, 3, 3])
        #expect(one.low.isNaN && one.high.isNaN)
        let oneSide = interval(of: [0, 1], mean: 0.5, resampled: [0.6, 0.7, 0.8])
        #expect(oneSide.low >= 0.6 && oneSide.high <= 0.8)
        #expect(interval(of: [1, 2], mean: 1.5, resampled: []).low.isNaN)
    }

    /// Of a patch that does a fixed part of the total on every image the share is known for sure, whatever the images; one
    /// that does something of its own has about the interval of the delta method. Noising has the same shares.
    @Test func recoveredShares() throws {
        var random = SeededRandom()
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
        // Both totals are 0 here, and a share of nothing has no interval.
        #expect(found.patches.allSatisfy { $0.kl.recoveredLow.isNaN && $0.logitDiff.recoveredHigh.isNaN })
    }

    /// A long upper tail moves the interval up against percentiles.
    @Test func followsTheSkew() {
        var random = SeededRandom(seed: 5)
        let values = (0..<80).map { _ in
            let u = Double.random(in: 0...1, using: &random)
            return u * u * u * u * u * u
        }
        let means = Bootstrap(resamples: 2000, seed: 1).means(values, rows: 80, columns: 1).sorted()
        let found = interval(of: values, mean: values.reduce(0, +) / 80, resampled: means)
        #expect(found.high > quantile(0.975, ofSorted: means))
    }
}

@Suite struct SignificanceTests {
    /// All signs, one by one.
    @Test func exactAgainstEverySign() {
        var random = SeededRandom()
        for n in [1, 2, 7, 8, 9, 12] {
            let values = (0..<n).map { _ in Double.random(in: -1...2, using: &random) }
            let observed = abs(values.reduce(0, +))
            var large = 0
            for signs in 0..<(1 << n) {
                var sum = 0.0
                for i in 0..<n { sum += signs >> i & 1 == 1 ? values[i] : -values[i] }
                if abs(sum) >= observed - 1e-9 { large += 1 }
            }
            let p = SignFlipTest(draws: 10_000, seed: 1).p(values)
            #expect(abs(p - Double(large) / Double(1 << n)) < 1e-12, "\(n), seed \(random.seed)")
        }
    }

    /// Drawn signs agree with all signs, and with Student's t where values are normal.
    @Test func drawsAgreeWithAllSigns() {
        var random = SeededRandom(seed: 3)
        let values = (0..<16).map { _ in Double.random(in: -1...1.6, using: &random) }
        let all = SignFlipTest(draws: 1 << 15, seed: 1).p(values)
        let drawn = SignFlipTest(draws: (1 << 15) - 1, seed: 1).p(values)
        #expect(all > 0.0005 && all < 0.5 && abs(drawn - all) < 0.35 * all, "\(all) \(drawn)")
    }

    @Test func edges() {
        let test = SignFlipTest(draws: 10_000, seed: 0)
        #expect(test.p([]).isNaN && test.p([1, .nan]).isNaN)
        #expect(test.p([0, 0, 0]) == 1 && test.p(Array(repeating: 0, count: 500)) == 1)
        #expect(test.p(Array(repeating: 0.1, count: 500)) == 1.0 / 10_001)
        #expect(test.p(Array(repeating: -0.1, count: 8)) == 1.0 / 128)
        #expect(SignFlipTest.draws(family: 12) == 20_000 && SignFlipTest.draws(family: 5000) == 200_000)
    }

    /// Under the null a test at 5% rejects 5% of the time, also for skewed effects around 0.
    @Test func holdsItsLevel() {
        var random = SeededRandom(seed: 99)
        var rejected = 0
        for _ in 0..<1000 {
            let values = (0..<60).map { _ in
                let u = Double.random(in: 0...1, using: &random)
                return u * u - 1.0 / 3
            }
            if SignFlipTest(draws: 2000, seed: random.next()).p(values) < 0.05 { rejected += 1 }
        }
        #expect((30...72).contains(rejected), "\(rejected)")
    }

    @Test func holmStepsDown() {
        #expect(holm([0.01, 0.04, 0.03, 0.005]) == [0.03, 0.06, 0.06, 0.02])
        #expect(holm([0.5, 0.9]) == [1, 1] && holm([]) == [])
        let found = holm([.nan, 0.02, 0.01])
        #expect(found[0].isNaN && found[1] == 0.02 && found[2] == 0.02)
    }

    /// A family is one corruption, direction, site and window.
    @Test func familiesOfAStore() throws {
        let patches = ["1", "3"].flatMap { window in (0..<4).map { patch($0, window: window) } }
        let temporary = try TemporaryStore(testManifest(patches: patches))
        var random = SeededRandom()
        for index in 0..<10 {
            func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 0, prediction: 0) }
            try temporary.store.append(
                images: [image(index, clean: pass(0.9), corrupted: pass(0.4))],
                effects: patches.indices.map {
                    EffectRecord(
                        image: index, corruption: 0, patch: $0,
                        patched: pass($0 == 1 ? 0.6 : .random(in: 0.2...0.6, using: &random)))
                })
        }
        let found = try statistics(of: temporary.store)[0].patches
        #expect(found[1].pValue == 1.0 / 512 && found[1].pHolm == 4.0 / 512 && found[1].isSignificant)
        for window in [0..<4, 4..<8] {
            #expect(found[window].map(\.pHolm) == holm(found[window].map(\.pValue)), "seed \(random.seed)")
        }
        #expect(try statistics(of: temporary.store, significance: false)[0].patches[1].pHolm.isNaN)
    }
}

/// The standard normal's distribution function by Simpson's rule.
private func cumulative(_ x: Double) -> Double {
    let steps = 400
    let h = abs(x) / Double(steps)
    func density(_ t: Double) -> Double { exp(-t * t / 2) / (2 * Double.pi).squareRoot() }
    var sum = density(0) + density(x)
    for step in 1..<steps { sum += (step % 2 == 1 ? 4 : 2) * density(Double(step) * h) }
    return 0.5 + (x < 0 ? -1 : 1) * sum * h / 3
}

private func inverse(_ p: Double) -> Double {
    var (low, high) = (-10.0, 10.0)
    for _ in 0..<80 {
        let middle = (low + high) / 2
        if cumulative(middle) < p { low = middle } else { high = middle }
    }
    return low
}
