import Foundation
import Results
import StoreTestSupport
import TestSupport
import Testing

@testable import Statistics

@Suite struct ScreeningTests {
    /// Against counting all samples of a small population
    @Test func theHypergeometricDistribution() {
        for (population, marked, sample) in [(6, 2, 3), (7, 5, 4), (5, 0, 2), (5, 5, 3), (8, 4, 8)] {
            let subsets = (0..<1 << population).filter { $0.nonzeroBitCount == sample }
            for found in 0...sample {
                let few = subsets.count { ($0 & (1 << marked - 1)).nonzeroBitCount <= found }
                let wanted = Double(few) / Double(subsets.count)
                let chance = hypergeometricCDF(found, population: population, marked: marked, sample: sample)
                #expect(abs(chance - wanted) < 1e-12)
            }
        }
    }

    @Test func theMostThatMayBeMissed() {
        // None found in 30 of a very large population: the rule of three, 1 - 0.05^(1/30) = 9.5%
        let most = mostOf(population: 1_000_000, sample: 30, found: 0, confidence: 0.95)
        #expect(abs(Double(most) / 1_000_000 - (1 - pow(0.05, 1.0 / 30))) < 1e-4)
        // A population that was sampled completely is known.
        #expect(mostOf(population: 30, sample: 30, found: 2, confidence: 0.95) == 2)
        #expect(mostOf(population: 30, sample: 0, found: 0, confidence: 0.95) == 30)
        // By its definition, computed exactly
        for (population, sample, found) in [(100, 10, 0), (100, 10, 3), (50, 20, 20), (20, 5, 1)] {
            let most = mostOf(population: population, sample: sample, found: found, confidence: 0.9)
            func chance(_ marked: Int) -> Double {
                hypergeometricCDF(found, population: population, marked: marked, sample: sample)
            }
            #expect(chance(most) > 0.1 || most == found)
            #expect(most == population - sample + found || chance(most + 1) <= 0.1)
        }
    }

    /// The bound holds: for at least 95% of random samples it is not below the truth.
    @Test func coverage() {
        let (population, marked, sample) = (200, 17, 25)
        let hits = (0..<400).count { simulation in
            let drawn = randomOrders(count: population, orders: 1, seed: UInt64(simulation))[0].prefix(sample)
            let found = drawn.count { $0 < marked }
            return mostOf(population: population, sample: sample, found: found, confidence: 0.95) >= marked
        }
        #expect(hits >= 370)
    }

    private func pass(_ p: Float, logOdds: Float = 0) -> PassMetrics {
        PassMetrics(p: p, logit: 2 * p, logitDiff: 3 * p, kl: 1 - p, prediction: 0, logOdds: logOdds)
    }

    /// Estimates that equal the effects and estimates that do not, for patches at two sites and three layers.
    @Test func agreement() throws {
        var random = SplitMix64.fresh()
        let patches = (0..<3).flatMap { layer in
            (0..<12).map { patch(layer, site: "z", head: "\($0)") } + [patch(layer, "noise", site: "mlp_act[\(layer)]")]
        }
        var manifest = testManifest(patches: patches)
        manifest.estimates = ["atp_p", "ig5_logit"]
        let temporary = try TemporaryStore(manifest)
        var effects = [[Float]](), other = [[Float]]()
        for index in 0..<10 {
            let own = patches.indices.map { Float($0 % 7) / 8 - 0.3 + .random(in: -0.1...0.1, using: &random) }
            let estimates = own.map { $0 * 1.5 }
            let noise = own.map { _ in Float.random(in: -1...1, using: &random) }
            effects.append(own)
            other.append(noise)
            try temporary.store.append(
                images: [image(index, clean: pass(0.5), corrupted: pass(0.25))],
                effects: patches.enumerated().map {
                    let base: Float = $1.direction == "noise" ? 0.5 : 0.25
                    return EffectRecord(image: index, corruption: 0, patch: $0, patched: pass(base + own[$0]))
                },
                estimates: [
                    EstimateRecord(image: index, corruption: 0, name: "atp_p", values: estimates),
                    EstimateRecord(image: index, corruption: 0, name: "ig5_logit", values: noise),
                ])
        }
        let found = try statistics(of: temporary.store, bootstrap: Bootstrap(resamples: 100, seed: 1))[0]
        #expect(found.images == 10 && found.exactImages == 10 && !found.isPowered)
        let (good, bad) = (found.screenings[0], found.screenings[1])
        #expect(abs(good.all.pearson - 1) < 1e-5 && good.mistrusted.isEmpty && abs(good.all.pooled - 1) < 1e-5)
        #expect(good.all.sameSign == 1 && good.all.patches == patches.count)
        #expect(good.recall == Screening.Recall(found: 10, exact: 10, estimated: 20) && good.missed == nil)
        func means(_ values: [[Float]]) -> [Double] {
            patches.indices.map { patch in values.reduce(0) { $0 + Double($1[patch]) } / 10 }
        }
        #expect(close(bad.all.pearson, pearson(means(effects).map { 2 * $0 }, means(other)), 1e-5))
        #expect(close(bad.all.spearman, spearman(means(effects), means(other)), 1e-9), "seed \(random.seed)")
        #expect(
            close(
                bad.all.pooled, pearson(effects.joined().map(Double.init), other.joined().map(Double.init)), 1e-4))
        #expect(bad.all.pearson < Screening.trusted && !bad.mistrusted.isEmpty)
        let groups = good.groups.map { "\($0.direction) \($0.site) \($0.layer ?? "all") \($0.agreement.patches)" }
        #expect(
            groups == [
                "restore z all 36", "restore z 0 12", "restore z 1 12", "restore z 2 12", "noise mlp_act all 3",
            ])
        // The store's estimates, averaged
        let atp = try #require(found.estimates.first)
        #expect(atp.images == 10 && atp.name.method == "atp" && atp.name.metric == "p")
        for (mean, wanted) in zip(atp.mean, means(effects)) { #expect(abs(mean - 1.5 * wanted) < 1e-5) }
        let values = effects.map { 1.5 * Double($0[0]) }, mean = values.reduce(0, +) / 10
        let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 9 / 10).squareRoot()
        #expect(close(atp.high[0], mean + studentQuantile975(9) * deviation, 1e-5))
        #expect(abs(atp.mean[atp.order(manifest)[0]]) == atp.mean.map(abs).max())
    }

    /// A screened sweep: some patches selected, some random, and what the random ones imply for the rest.
    @Test func screenedPatches() throws {
        let patches = (0..<200).map { patch($0 % 10, site: "z", head: "\($0 / 10)") }
        var manifest = testManifest(patches: patches)
        (manifest.estimates, manifest.exact) = (["atp_log_odds"], "top:20,random:30")
        let temporary = try TemporaryStore(manifest)
        let sizes = patches.indices.map { Float(200 - $0) / 100 }
        let estimates = sizes.enumerated().map { $0 == 57 ? Float(0) : $1 }
        let chosen =
            (0..<20).map { ExactPatch(patch: $0, why: .top) }
            + stride(from: 57, to: 57 + 4 * 30, by: 4).map { ExactPatch(patch: $0, why: .random) }
        try temporary.store.setExactPatches(chosen)
        for index in 0..<8 {
            try temporary.store.append(
                images: [image(index, clean: pass(0.75, logOdds: 3), corrupted: pass(0.25, logOdds: -1))],
                effects: chosen.map {
                    // One of the random patches is among the strongest.
                    let size = $0.patch == 57 ? 1.95 : sizes[$0.patch]
                    return EffectRecord(
                        image: index, corruption: 0, patch: $0.patch, patched: pass(0.5, logOdds: -1 + size))
                },
                estimates: [EstimateRecord(image: index, corruption: 0, name: "atp_log_odds", values: estimates)])
        }
        let found = try statistics(of: temporary.store, bootstrap: Bootstrap(resamples: 100, seed: 1))[0]
        #expect(found.patches.map(\.patch) == chosen.map(\.patch).sorted() && found.images == 8)
        for patch in found.patches { #expect(patch.record == patches[patch.patch]) }
        #expect(close(found.patches[3][.logOdds].mean, 1.97, 1e-5))
        #expect(found.directions.count == 1 && found.directions[0].family == 50)
        let screening = found.screenings[0]
        #expect(screening.pairs.count == 50 && screening.recall?.found == 9)
        let missed = try #require(screening.missed)
        #expect(missed.screened == 180 && missed.sampled == 30 && missed.beyond == 1 && missed.shown == 10)
        #expect(close(missed.threshold, 1.91, 1e-5) && close(missed.largest, 1.95, 1e-5))
        #expect(missed.atMost == mostOf(population: 180, sample: 30, found: 1, confidence: 0.95))
        #expect(missed.beyondLargest == mostOf(population: 180, sample: 30, found: 0, confidence: 0.95))
        #expect(missed.atMost > missed.beyondLargest)
        let all = found.withEstimates(manifest)
        #expect(all.count == 200 && all[57] == found.patches[20] && all[58].p.mean.isNaN)
    }

    /// Only some images measured: means over all images from their estimates; for p by way of log-odds too.
    @Test func someImages() throws {
        var random = SplitMix64(seed: 11)
        let patches = [patch(0), patch(1, "noise"), patch(2)]
        var manifest = testManifest(patches: patches)
        (manifest.estimates, manifest.exactImages) = (["atp_log_odds"], 40)
        let temporary = try TemporaryStore(manifest), full = try TemporaryStore(testManifest(patches: patches))
        func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }
        for index in 0..<240 {
            let clean = Float.random(in: 1...3, using: &random), corrupted = Float.random(in: -3...0, using: &random)
            let change = patches.indices.map { Float($0 + 1) * .random(in: 0...1, using: &random) }
            let estimates = change.map { 0.8 * $0 + .random(in: -0.05...0.05, using: &random) }
            var record = image(
                index, clean: pass(sigmoid(clean), logOdds: clean),
                corrupted: pass(sigmoid(corrupted), logOdds: corrupted))
            let effects = patches.indices.map {
                let odds = ($0 == 1 ? clean : corrupted) + change[$0]
                return EffectRecord(image: index, corruption: 0, patch: $0, patched: pass(sigmoid(odds), logOdds: odds))
            }
            try full.store.append(images: [record], effects: effects)
            record.exact = index % 6 == 0
            try temporary.store.append(
                images: [record], effects: record.exact ? effects : [],
                estimates: [EstimateRecord(image: index, corruption: 0, name: "atp_log_odds", values: estimates)])
        }
        let bootstrap = Bootstrap(resamples: 1000, seed: 1)
        let found = try statistics(of: temporary.store, bootstrap: bootstrap)[0]
        let truth = try statistics(of: full.store, bootstrap: bootstrap)[0]
        #expect(found.images == 240 && found.exactImages == 40 && found.isPowered)
        #expect(found.totals == truth.totals && found.accuracyClean == truth.accuracyClean)
        for (patch, wanted) in zip(found.patches, truth.patches) {
            for metric in [Metric.p, .logOdds] {
                let effect = patch[metric], width = effect.high - effect.low
                #expect(abs(effect.mean - wanted[metric].mean) < width, "\(metric)")
                // 40 images and estimates give nearly the precision of 240.
                #expect(width < 1.6 * (wanted[metric].high - wanted[metric].low), "\(metric)")
                if metric == .p { #expect(abs(effect.recovered - wanted.p.recovered) < 0.05) }
            }
            #expect(try #require(patch.powered).varianceRatio < 0.35)
            // No estimate predicts KL: the plain mean over the measured images.
            #expect(patch[.kl].high - patch[.kl].low > 1.6 * (wanted[.kl].high - wanted[.kl].low))
        }
        let savings = try #require(found.savings)
        #expect(savings.isUsed && savings.exactImages == 40 && savings.images == 240 && savings.metric == .p)
        #expect(savings.worth > 110 && savings.worth <= 240)
    }

    /// No exact passes.
    @Test func estimatesAlone() throws {
        var manifest = testManifest(patches: [patch(0), patch(1)])
        (manifest.estimates, manifest.exact) = (["atp_log_odds"], "none")
        let temporary = try TemporaryStore(manifest)
        for index in 0..<4 {
            try temporary.store.append(
                images: [image(index, clean: pass(0.75), corrupted: pass(0.25))], effects: [],
                estimates: [
                    EstimateRecord(image: index, corruption: 0, name: "atp_log_odds", values: [Float(index), -1])
                ])
        }
        let found = try statistics(of: temporary.store)[0]
        #expect(found.images == 4 && found.exactImages == 4 && found.patches.isEmpty && found.directions.isEmpty)
        #expect(close(found.meanPClean, 0.75) && found.screenings.isEmpty && found.savings == nil)
        #expect(found.estimates[0].mean == [1.5, -1] && found.estimates[0].low.allSatisfy(\.isNaN))
        #expect(found.withEstimates(manifest).count == 2)
        #expect(throws: ComparisonError.self) { try compare(temporary.store, temporary.store) }
    }

    /// Nearly constant values have no correlation; it would only reflect their rounding.
    @Test func withoutSpread() {
        let alike = (0..<8).map { 0.8680001 + 1e-8 * Double($0 % 3) }, others = (0..<8).map(Double.init)
        #expect(pearson(alike, others).isNaN && pearson(others, alike).isNaN)
        let sums = zip(alike, others).map { y, f in
            var sums = PairSums()
            for _ in 0..<3 { sums.add(y: y, f: f) }
            return sums
        }
        let agreement = Agreement(sums)
        #expect(agreement.pearson.isNaN && agreement.spearman.isNaN && agreement.sameSign == 7.0 / 8)
        #expect(abs(pearson([1, 2, 3], [2, 4, 6]) - 1) < 1e-12)
    }
}
