import Foundation
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing

@testable import Report

@Suite struct GroupStatisticsTests {
    private func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 0, prediction: 0) }

    /// Images with random probabilities, in the groups given by `group`.
    private func store(
        _ images: Int, _ patches: [PatchRecord], _ random: inout SplitMix64, group: (Int) -> String?
    ) throws -> (TemporaryStore, ImageGroups, effects: [[Double]], totals: [Double]) {
        let temporary = try TemporaryStore(testManifest(patches: patches))
        var effects: [[Double]] = [], totals: [Double] = []
        for index in 0..<images {
            let clean = Float.random(in: 0...1, using: &random), corrupted = Float.random(in: 0...1, using: &random)
            let patched = patches.map { _ in Float.random(in: 0...1, using: &random) }
            try temporary.store.append(
                images: [image(index, clean: pass(clean), corrupted: pass(corrupted))],
                effects: patches.indices.map {
                    EffectRecord(image: index, corruption: 0, patch: $0, patched: pass(patched[$0]))
                })
            totals.append(Double(clean) - Double(corrupted))
            effects.append(
                patches.indices.map {
                    Double(patched[$0]) - Double(patches[$0].direction == "noise" ? clean : corrupted)
                })
        }
        let values = Dictionary(uniqueKeysWithValues: (0..<images).compactMap { i in group(i).map { (i, $0) } })
        let groups = ImageGroups(column: "sex", values: values)
        try temporary.store.setGroups([groups])
        return (temporary, groups, effects, totals)
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    @Test(arguments: [2, 3, 7])
    func againstANaiveRecomputation(_ count: Int) throws {
        var random = SplitMix64.fresh()
        let patches = [patch(0), patch(1, "noise"), patch(2)]
        // Groups of unequal size; every eighth image is in none.
        let names = (0..<count).map { "g\(count - $0)" }
        let (temporary, groups, effects, totals) = try store(160, patches, &random) { i in
            i % 8 == 7 ? nil : names[i * i % 11 % count]
        }
        let statistics = try #require(groupStatistics(of: temporary.store, by: groups).first)
        #expect(statistics.column == "sex" && statistics.rows.count == 4)
        for (index, row) in statistics.rows.enumerated() {
            #expect(row.record == (index == 0 ? nil : patches[index - 1]))
            #expect(row.values.map(\.value) == Set(groups.members.map(\.value)).sorted())
            for value in row.values {
                func effect(_ image: Int) -> Double { index == 0 ? totals[image] : effects[image][index - 1] }
                let own = groups.members.filter { $0.value == value.value }.map { effect($0.image) }
                let rest = groups.members.filter { $0.value != value.value }.map { effect($0.image) }
                #expect(value.n == own.count)
                #expect(abs(value.effect.mean - mean(own)) < 1e-12, "seed \(random.seed)")
                let difference = try #require(value.difference)
                #expect(abs(difference.mean - (mean(own) - mean(rest))) < 1e-12, "seed \(random.seed)")
                // An unpaired bootstrap by hand: its quantiles scatter, and BCa shifts them for small, skewed groups.
                let drawn = (0..<4000).map { _ in
                    (
                        mean(own.map { _ in own[Int.random(in: 0..<own.count, using: &random)] }),
                        mean(rest.map { _ in rest[Int.random(in: 0..<rest.count, using: &random)] })
                    )
                }
                for (found, resamples) in [
                    (value.effect, drawn.map(\.0).sorted()), (difference, drawn.map { $0.0 - $0.1 }.sorted()),
                ] {
                    let (low, high) = (resamples[100], resamples[3899])
                    #expect(abs(found.low - low) < 0.4 * (high - low), "seed \(random.seed)")
                    #expect(abs(found.high - high) < 0.4 * (high - low), "seed \(random.seed)")
                }
            }
            if count == 2 {
                let (a, b) = (try #require(row.values[0].difference), try #require(row.values[1].difference))
                #expect(abs(a.low + b.high) < 1e-12 && abs(a.high + b.low) < 1e-12)
            }
        }
    }

    @Test func oneGroupHasNothingToCompareWith() throws {
        var random = SplitMix64.fresh()
        let (temporary, groups, effects, _) = try store(9, [patch(0)], &random) { _ in "all" }
        let row = try #require(groupStatistics(of: temporary.store, by: groups).first?.rows.last)
        #expect(row.values.count == 1 && row.values[0].difference == nil && row.values[0].n == 9)
        #expect(abs(row.values[0].effect.mean - mean(effects.map { $0[0] })) < 1e-12)
    }

    @Test func numbersAreOrderedAsNumbers() throws {
        var random = SplitMix64.fresh()
        let (temporary, groups, _, _) = try store(30, [patch(0)], &random) { "\($0 % 3 * 9)" }
        let row = try #require(groupStatistics(of: temporary.store, by: groups).first?.rows.first)
        #expect(row.values.map(\.value) == ["0", "9", "18"])
    }

    @Test func theSummaryShowsThem() throws {
        let temporary = try TemporaryStore(testManifest(patches: [patch(0), patch(1)]))
        for index in 0..<12 {
            try temporary.store.append(
                images: [image(index, clean: pass(0.75), corrupted: pass(0.25))],
                effects: [
                    EffectRecord(image: index, corruption: 0, patch: 0, patched: pass(0.5)),
                    EffectRecord(image: index, corruption: 0, patch: 1, patched: pass(index < 6 ? 0.5 : 0.375)),
                ])
        }
        let before = try summaryText(store: temporary.store)
        let csv = try summaryData(statistics(of: temporary.store), manifest: temporary.store.manifest, format: .csv)
        let groups = ImageGroups(
            column: "sex", values: Dictionary(uniqueKeysWithValues: (0..<12).map { ($0, $0 < 6 ? "female" : "male") }))
        try temporary.store.setGroups([groups])
        let after = try summaryText(store: temporary.store)
        #expect(
            after == before + """

                by sex, corruption grayscale   mean effect on p [95% BCa interval]; the 2 of 2 patches that differ most
                  total effect
                    female         n 6  +0.500 [+0.500, +0.500]
                    male           n 6  +0.500 [+0.500, +0.500]
                    female - male        0.000 [ 0.000,  0.000]
                  denoising attn_out L1
                    female         n 6  +0.250 [+0.250, +0.250]
                    male           n 6  +0.125 [+0.125, +0.125]
                    female - male       +0.125 [+0.125, +0.125]
                  denoising attn_out L0
                    female         n 6  +0.250 [+0.250, +0.250]
                    male           n 6  +0.250 [+0.250, +0.250]
                    female - male        0.000 [ 0.000,  0.000]

                """, "\(after)")
        #expect(
            try summaryData(statistics(of: temporary.store), manifest: temporary.store.manifest, format: .csv) == csv)
        #expect(try summaryText(store: temporary.store, colour: .palette).contains("by sex"))

        let rows = groupData(try groupStatistics(of: temporary.store, by: groups), format: .csv).split(separator: "\n")
        #expect(rows.first.map(String.init) == groupColumns.joined(separator: ","))
        #expect(rows.count == 1 + 3 * 2)
        #expect(rows[1] == "grayscale,sex,female,,total,,,,,6,0.5,0.5,0.5,0.0,0.0,0.0")
        #expect(rows[6] == "grayscale,sex,male,restore,attn_out,1,,,1,6,0.125,0.125,0.125,-0.125,-0.125,-0.125")
        let json = groupData(try groupStatistics(of: temporary.store, by: groups), format: .json)
        let objects = try #require(JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]])
        #expect(objects.count == 6 && objects[5]["difference"] as? Double == -0.125)
    }

    /// Many groups stay readable: the ones that differ most, and the number of the others.
    @Test func manyGroups() throws {
        var random = SplitMix64.fresh()
        let (temporary, groups, _, _) = try store(60, (0..<8).map { patch($0) }, &random) { "g\($0 % 30)" }
        let text = try groupText(store: temporary.store, by: [groups])
        #expect(text.contains("the 5 of 8 patches"))
        #expect(text.contains("and 18 more groups") && text.contains("- the rest"))
        #expect(text.split(separator: "\n").count == 1 + 6 * 14)
    }
}
