import Foundation
import Results
import StoreTestSupport
import TestSupport
import Testing

@testable import Statistics

@Suite struct StatisticsTests {
    /// All statistics against plain loops over the same records.
    @Test func againstPlainLoops() throws {
        var random = SplitMix64.fresh()
        func pass() -> PassMetrics {
            PassMetrics(
                p: .random(in: 0...1, using: &random), logit: 0, logitDiff: .random(in: -5...5, using: &random),
                kl: .random(in: 0...2, using: &random),
                prediction: .random(in: 0..<2, using: &random))
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
        // Neither image counts: one is left out by --keep, one is incomplete.
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

        let readers: [(PassMetrics) -> Double] = [
            { Double($0.p) }, { Double($0.logOdds) }, { Double($0.logitDiff) }, { Double($0.kl) },
        ]
        for (metric, read) in readers.enumerated() where metric != Metric.logOdds.rawValue || found.hasLogOdds {
            let total = found.totals[metric]
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
                    patch.effects[metric], values,
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
            // BCa step by step: a plain leave-one-out jackknife, and the normal distribution by numerical integration.
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

    /// A patch with the full effect of the other pass recovers 1 in both directions.
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
            for effect in [patch.p, patch[.logitDiff], patch[.kl]] { #expect(abs(effect.recovered - 1) < 1e-12) }
        }
        #expect(found.patches[0].p.mean > 0 && found.patches[0][.kl].mean < 0)
        #expect(found.patches[1].p.mean < 0 && found.patches[1][.kl].mean > 0)
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
        #expect(found.patches[0][.logitDiff].mean == 0)
        #expect(found.patches[1].p.mean == 0 && found.patches[1].p.recovered.isNaN)  // 0 of 0
    }
}

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

@Suite struct SignFlipTests {
    private func flips(_ columns: [[Float]], draws: Int = 10_000, seed: UInt64 = 1) -> SignFlips.Result {
        SignFlips(draws: draws, seed: seed).test(columns, rows: columns.first?.count ?? 0)
    }

    /// All signs, one by one: each patch alone, and the step-down maximum.
    @Test func exactAgainstEverySign() {
        var random = SplitMix64.fresh()
        for n in [1, 2, 7, 8, 9, 12] {
            let columns = (0..<4).map { c in (0..<n).map { _ in Float.random(in: -1...Float(c + 1), using: &random) } }
            func statistic(_ column: [Float], _ signs: Int) -> Double {
                var sum = 0.0, squares = 0.0
                for i in 0..<n {
                    sum += signs >> i & 1 == 1 ? Double(column[i]) : -Double(column[i])
                    squares += Double(column[i]) * Double(column[i])
                }
                return abs(sum) / squares.squareRoot()
            }
            let all = (1 << n) - 1
            let observed = columns.map { statistic($0, all) }
            let found = flips(columns)
            #expect(found.floor == 1 / Double(1 << (n - 1)))
            var last = 0.0
            for column in columns.indices.sorted(by: { observed[$0] > observed[$1] }) {
                let weaker = columns.indices.filter { observed[$0] <= observed[column] }
                let alone = (0...all).count { statistic(columns[column], $0) >= observed[column] - 1e-9 }
                let most = (0...all).count { signs in
                    weaker.contains { statistic(columns[$0], signs) >= observed[column] - 1e-9 }
                }
                last = max(last, Double(most) / Double(1 << n))
                #expect(abs(found.p[column] - Double(alone) / Double(1 << n)) < 1e-12, "\(n), seed \(random.seed)")
                #expect(abs(found.adjusted[column] - last) < 1e-12, "\(n), seed \(random.seed)")
            }
        }
    }

    /// Randomly drawn signs agree with all signs.
    @Test func drawsAgreeWithAllSigns() {
        var random = SplitMix64(seed: 3)
        let columns = [(0..<14).map { _ in Float.random(in: -1...1.6, using: &random) }]
        let all = flips(columns, draws: 1 << 13), drawn = flips(columns, draws: (1 << 13) - 1)
        #expect(all.p[0] > 0.0005 && all.p[0] < 0.5 && abs(drawn.p[0] - all.p[0]) < 0.35 * all.p[0])
        #expect(drawn.floor == 1 / Double(1 << 13))
    }

    @Test func edges() {
        #expect(flips([]).p.isEmpty)
        #expect(flips([[1, .nan], [1, 1]]).p[0].isNaN && flips([[1, .nan], [1, 1]]).adjusted[1] == 0.5)
        #expect(flips([[0, 0, 0]]).p == [1] && flips([Array(repeating: 0, count: 100)], draws: 500).p == [1])
        let sure = flips([Array(repeating: 0.1, count: 100)], draws: 500)
        #expect(sure.p[0] == 1.0 / 501 && sure.adjusted[0] == sure.floor)
    }

    /// Patches that differ only in scale are one hypothesis, at no cost; independent ones cost nearly Bonferroni's
    /// factor.
    @Test func correlatedPatchesCountAsOne() {
        var random = SplitMix64(seed: 11)
        let one = (0..<40).map { _ in Float.random(in: -1...1.7, using: &random) }
        let copies = (1...30).map { size in one.map { $0 * Float(size) } }
        let same = flips(copies)
        #expect(same.adjusted.allSatisfy { $0 == same.p[0] })
        let strangers = [one] + (0..<30).map { _ in (0..<40).map { _ in Float.random(in: -1...1, using: &random) } }
        let found = flips(strangers)
        #expect(found.p[0] == same.p[0] && found.adjusted[0] > 2 * found.p[0])
    }

    /// The chance of any false rejection among 20 patches that share the images' noise is 5%.
    @Test func holdsTheFamilysLevel() {
        var random = SplitMix64(seed: 99)
        var rejected = 0
        for _ in 0..<400 {
            let shared = (0..<30).map { _ in Float.random(in: -1...1, using: &random) }
            let columns = (0..<20).map { _ in shared.map { $0 + Float.random(in: -1...1, using: &random) } }
            let found = SignFlips(draws: 199, seed: random.next()).test(columns, rows: 30)
            if found.adjusted.contains(where: { $0 <= 0.05 }) { rejected += 1 }
        }
        #expect((8...34).contains(rejected), "\(rejected) of 400")
    }

    /// One family per corruption and direction, without patches by construction.
    @Test func familiesOfAStore() throws {
        var patches = ["restore", "noise"].flatMap { direction in
            ["attn_out", "z"].flatMap { site in (0..<3).map { patch($0, direction, site: site) } }
        }
        patches.append(patch(1, site: "resid_post"))
        let temporary = try TemporaryStore(testManifest(patches: patches))
        var random = SplitMix64.fresh()
        var effects = [[Float]](repeating: [], count: patches.count)
        for index in 0..<10 {
            func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 0, prediction: 0) }
            let patched = patches.indices.map { Float($0 == 1 ? 0.6 : .random(in: 0.2...0.6, using: &random)) }
            for (number, p) in patched.enumerated() {
                effects[number].append(
                    Float(Double(p) - Double(Float(patches[number].direction == "noise" ? 0.9 : 0.4))))
            }
            try temporary.store.append(
                images: [image(index, clean: pass(0.9), corrupted: pass(0.4))],
                effects: patched.enumerated().map {
                    EffectRecord(image: index, corruption: 0, patch: $0, patched: pass($1))
                })
        }
        let found = try statistics(of: temporary.store)[0]
        for (direction, members) in [("restore", Array(0..<6)), ("noise", Array(6..<12))] {
            let wanted = SignFlips(seed: 7).test(members.map { effects[$0] }, rows: 10)
            #expect(members.map { found.patches[$0].pAdjusted } == wanted.adjusted, "seed \(random.seed)")
            #expect(found.direction(direction)?.family == 6 && found.direction(direction)?.pFloor == 1.0 / 512)
        }
        #expect(found.patches[12].construction == .everything && found.patches[12].pValue.isNaN)
        #expect(found.patches[1].pValue == 1.0 / 512 && found.isFloor(found.patches[1].pValue, "restore"))
        #expect(try statistics(of: temporary.store, significance: false)[0].patches[1].pAdjusted.isNaN)
    }
}

@Suite struct ReliabilityTests {
    /// A patch far ahead of the others wins in every half; equal ones are a lottery.
    @Test func sureAndUnsure() throws {
        var random = SplitMix64(seed: 4)
        func columns(_ lead: Float) -> [[Float]] {
            (0..<8).map { c in (0..<60).map { _ in Float.random(in: -1...1, using: &random) + (c == 3 ? lead : 0.2) } }
        }
        let sure = try #require(Reliability(columns(3), seed: 1))
        #expect(sure.sameStrongest == 1 && sure.agreesWithAll == 1 && sure.correlation > 0.9 && sure.splits == 100)
        #expect(abs(sure.heldOut - 3) < 0.3)
        let unsure = try #require(Reliability(columns(0.2), seed: 1))
        #expect(unsure.sameStrongest < 0.4 && unsure.correlation < 0.5)
        // The half that selected the patch sees a larger effect than the other half.
        #expect(unsure.heldOut < 0.35)
        #expect(Reliability(columns(3).map { Array($0.prefix(11)) }, seed: 1) == nil)
        #expect(Reliability([columns(3)[0]], seed: 1) == nil)
    }

    @Test func correlationsAndTails() {
        #expect(abs(pearson([1, 2, 3], [2, 4, 6]) - 1) < 1e-12 && pearson([1, 1], [1, 2]).isNaN)
        #expect(spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == 1)
        #expect(abs(spearman([1, 2, 2, 4], [4, 3, 2, 1]) + 0.9486832980505138) < 1e-12)
        #expect(topTenthShare([10] + Array(repeating: 0, count: 9)) == 1)
        #expect(abs(topTenthShare(Array(repeating: -1, count: 20)) - 0.1) < 1e-12 && topTenthShare([0, 0]).isNaN)
        #expect(carriers([1, 1, 0, 0]) == 2 && carriers([0]).isNaN)
    }

    /// The exact chance that the largest of several reaches this rank, against drawing ranks.
    @Test(arguments: [(1, 19, 0), (3, 20, 1), (5, 40, 0), (2, 6, 6)])
    func maximumOfAsMany(_ own: Int, _ places: Int, _ beyond: Int) {
        var random = SplitMix64(seed: 8)
        let hits = (0..<20_000).count { _ in
            let values = (0..<own + places).map { _ in Double.random(in: 0...1, using: &random) }
            let largest = values[..<own].max() ?? 0
            return values[own...].count { $0 >= largest } <= beyond
        }
        let p = maximumRankP(own: own, random: places, beyond: beyond)
        #expect(abs(Double(hits) / 20_000 - p) < 0.012, "\(p)")
        if own == 1 { #expect(abs(p - Double(1 + beyond) / Double(1 + places)) < 1e-12) }
    }
}

@Suite struct ConstructionTests {
    @Test func fromTheColumns() {
        func what(
            _ site: String, layer: String = "3", token: String = "", head: String = "",
            _ kind: Intervention = .denoising
        ) -> Construction? {
            Construction(
                PatchRecord(direction: "restore", site: site, layer: layer, head: head, token: token, window: "1"),
                kind,
                layers: 12)
        }
        for site in ["embed", "resid_pre", "resid_mid", "resid_post", "z+resid_post"] {
            #expect(what(site) == .everything && what(site, .noising) == .everything)
            #expect(what(site, token: "5") == nil && what(site, .zero) == nil && what(site, .donor) == nil)
        }
        #expect(what("attn_out") == nil && what("z", head: "2") == nil)
        for site in ["resid_mid", "resid_post", "attn_out", "mlp_out", "z", "q", "mlp_act"] {
            #expect(
                what(site, layer: "11", token: "5") == .nothing
                    && what(site, layer: "11", token: "5", .zero) == .nothing)
            #expect(what(site, layer: "11", token: "0") == nil && what(site, layer: "10", token: "5") == nil)
            #expect(what(site, layer: "11", token: "0+5") == nil)
        }
        for site in ["k", "v", "resid_pre"] { #expect(what(site, layer: "11", token: "5") == nil) }
        for site in ["resid_pre", "q", "k", "v"] {
            #expect(what(site, layer: "0", token: "0") == .nothing && what(site, layer: "0", token: "0", .mean) == nil)
            #expect(what(site, layer: "1", token: "0") == nil)
        }
    }
}

@Suite struct TokenLayoutTests {
    private func what(_ token: String, layer: String = "11", site: String = "attn_out", _ layout: TokenLayout?)
        -> Construction?
    {
        Construction(
            PatchRecord(direction: "restore", site: site, layer: layer, head: "", token: token, window: "1"),
            .denoising,
            layers: 12, tokens: layout)
    }

    /// Which patches cannot have an effect follows from the tokens that are read.
    @Test func constructionFollowsTheReadout() {
        let mean = TokenLayout(prefix: ["cls"], patches: 9, read: [[1, 10]])
        #expect(what("5", mean) == nil && what("patches", mean) == nil && what("0", mean) == .nothing)
        #expect(what("cls", mean) == .nothing && what("1:2x0:2", mean) == nil)
        let distilled = TokenLayout(prefix: ["cls", "distillation"], patches: 9, read: [[0, 1], [1, 2]])
        #expect(
            what("1", distilled) == nil && what("distillation", distilled) == nil && what("2", distilled) == .nothing)
        #expect(what("0+1", layer: "0", site: "resid_pre", distilled) == .nothing)
        #expect(what("0+2", layer: "0", site: "resid_pre", distilled) == nil)
        let none = TokenLayout(prefix: [], patches: 9, read: [[0, 9]])
        #expect(what("0", layer: "0", site: "resid_pre", none) == nil && what("0", none) == nil)
        let registers = TokenLayout(prefix: ["cls", "register", "register"], patches: 9, read: [[0, 1], [3, 12]])
        #expect(
            what("registers", registers) == .nothing && what("cls", registers) == nil && what("2+4", registers) == nil)
        // Without a layout, only CLS is read, also under its name.
        #expect(what("cls", nil) == nil && what("0", nil) == nil && what("patches", nil) == .nothing)
    }

    @Test func gridOfPatches() {
        let layout = TokenLayout(prefix: ["cls", "register"], patches: 9, read: [])
        #expect(layout.grid(of: (0..<11).map(String.init)) == 3 && layout.grid(of: (0..<10).map(String.init)) == nil)
        #expect(TokenLayout.cls.grid(of: (0..<10).map(String.init)) == 3)
        // 2 x 8 patches are no square of 16.
        let wide = TokenLayout(prefix: [], patches: 16, rows: 2, read: [])
        #expect(wide.grid(of: (0..<16).map(String.init)) == nil)
        #expect(layout.grid(of: (1..<12).map(String.init)) == nil && layout.grid(of: []) == nil)
        #expect(layout.name(0) == "CLS" && layout.name(1) == "register" && layout.name(2) == "token 2")
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
