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

/// The standard normal's distribution function by Simpson's rule.
func cumulative(_ x: Double) -> Double {
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
