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
                let lower = Int(at)
                return means[lower] * (1 - (at - Double(lower))) + means[lower + 1] * (at - Double(lower))
            }
            let expected = EffectStatistics(
                mean: values.reduce(0, +) / Double(n), low: percentile(0.025), high: percentile(0.975),
                median: sorted[n / 2], sharePositive: Double(values.count { $0 > 0 }) / Double(n),
                recovered: recovered)
            #expect(
                close(found.mean, expected.mean) && close(found.low, expected.low)
                    && close(found.high, expected.high) && found.median == expected.median
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
        let temporary = try TemporaryStore(testManifest(patches: [patch(0), patch(1)], corruptions: ["none", "blur:1"]))
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

    /// 95% intervals cover the true mean of simulated sweeps: images whose effects are the sum of what an image has
    /// of its own (skewed) and noise.
    ///
    /// Percentile intervals of 60 skewed values cover a little less than 95%: docs/results.md has the numbers for
    /// 1000 simulations, made by raising `sweeps`.
    @Test func coverage() {
        let (sweeps, images, columns) = (300, 60, 4)
        var random = SeededRandom(seed: 20_250_101)
        var covered = 0
        for sweep in 0..<sweeps {
            var values: [Double] = []
            for _ in 0..<images {
                let own = Double.random(in: 0...1, using: &random)
                for _ in 0..<columns { values.append(own * own + Double.random(in: -0.5...0.5, using: &random)) }
            }
            let bootstrap = Bootstrap(resamples: 400, seed: UInt64(sweep))
            let means = bootstrap.means(values, rows: images, columns: columns)
            for column in 0..<columns {
                let sorted = means[column * 400..<(column + 1) * 400].sorted()
                let truth = 1.0 / 3
                if quantile(0.025, ofSorted: sorted) <= truth, truth <= quantile(0.975, ofSorted: sorted) {
                    covered += 1
                }
            }
        }
        let share = Double(covered) / Double(sweeps * columns)
        #expect((0.91...0.98).contains(share), "\(share)")
    }
}
