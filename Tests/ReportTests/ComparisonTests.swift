import Foundation
import Results
import Statistics
import StoreTestSupport
import TestSupport
import Testing

@testable import Report

@Suite struct ComparisonTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    /// A store with image ids `ids` and effects on p given by patch and id.
    private func store(
        _ name: String, patches: [PatchRecord], ids: [Int], corruption: String = "grayscale",
        effect: (Int, Int) -> Double
    ) throws -> ResultsStore {
        let store = try ResultsStore.create(
            folder: folder.path + "/" + name, manifest: testManifest(patches: patches, corruptions: [corruption]))
        func pass(_ p: Double) -> PassMetrics {
            PassMetrics(p: Float(p), logit: 0, logitDiff: Float(4 * p), kl: Float(1 - p), prediction: 0)
        }
        for (position, id) in ids.enumerated() {
            var record = image(position, clean: pass(0.75), corrupted: pass(0.25))
            record.id = "id\(id)"
            try store.append(
                images: [record],
                effects: patches.indices.map { number in
                    let base = patches[number].direction == "noise" ? 0.75 : 0.25
                    return EffectRecord(
                        image: position, corruption: 0, patch: number, patched: pass(base + effect(number, id)))
                })
        }
        return store
    }

    /// Against plain loops; images and patches in another order, some of each in one store only.
    @Test func pairsByIDAndColumns() throws {
        var random = SplitMix64.fresh()
        let seed = random.next()
        func value(_ layer: Int, _ id: Int, _ second: Bool) -> Double {
            var random = SplitMix64(seed: seed &+ UInt64(layer * 1000 + id * 2 + (second ? 1 : 0)))
            return (Double.random(in: -0.2...0.2, using: &random) * 1024).rounded() / 1024
        }
        let inA = [0, 1, 2, 3], inB = [5, 3, 1, 0]
        let a = try store("a", patches: inA.map { patch($0, $0 == 3 ? "noise" : "restore") }, ids: Array(0..<12)) {
            value(inA[$0], $1, false)
        }
        let b = try store("b", patches: inB.map { patch($0, $0 == 3 ? "noise" : "restore") }, ids: (4..<15).reversed())
        {
            value(inB[$0], $1, true)
        }
        let found = try compare(a, b, bootstrap: Bootstrap(resamples: 500, seed: 1))
        #expect(found.patchesOnlyA == 1 && found.patchesOnlyB == 1 && found.corruptions.count == 1)
        let item = found.corruptions[0]
        #expect(item.shared == 8 && item.onlyA == 4 && item.onlyB == 3)
        #expect(item.patches.map(\.record.layer) == ["0", "1", "3"])
        for (patch, layer) in zip(item.patches, [0, 1, 3]) {
            let differences = (4..<12).map { value(layer, $0, true) - value(layer, $0, false) }
            let mean = differences.reduce(0, +) / 8
            #expect(abs(patch.p.mean - mean) < 1e-6, "seed \(random.seed)")
            #expect(abs(patch[.logitDiff].mean - 4 * mean) < 1e-5 && abs(patch[.kl].mean + mean) < 1e-6)
            #expect(abs(patch.effectB - patch.effectA - mean) < 1e-6)
            #expect(patch.p.sharePositive == Double(differences.count { $0 > 0 }) / 8)
            #expect(patch.p.low <= patch.p.mean && patch.p.mean <= patch.p.high)
            #expect(patch.pAdjusted >= patch.pValue)
        }
        let csv = comparisonData(found).split(separator: "\n")
        #expect(
            csv.count == 4 && csv.allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == 33 })
        #expect(csv[1].hasPrefix("grayscale,grayscale,restore,attn_out,0,,,1,8,"))
        let text = comparisonText(found, a: "one", b: "two")
        #expect(text.contains("8 shared; 4 only in A and 3 only in B are left out") && !text.contains("\u{1B}"))
        #expect(text.contains("\n  restore attn_out   mean effect on p\n") && text.contains("\n  noise attn_out   "))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(text.contains("1 patches only in A and 1 only in B are left out"))
    }

    @Test func aSweepAgainstItself() throws {
        let patches = (0..<70).map { patch($0) }
        let a = try store("a", patches: patches, ids: Array(1...6)) { patch, id in Double(patch * id) / 2000 }
        let found = try compare(a, a)
        #expect(
            found.corruptions[0].patches.allSatisfy {
                $0.p.mean == 0 && $0.p.low == 0 && $0.p.high == 0 && $0.pAdjusted == 1
            })
        #expect(comparisonText(found, a: "a", b: "a").contains("the 60 that differ most of 70"))
    }

    /// Corruptions that differ are compared if each sweep has only one.
    @Test func differentCorruptions() throws {
        let a = try store("a", patches: [patch(0)], ids: [1, 2], corruption: "blur:1") { _, _ in 0.125 }
        let b = try store("b", patches: [patch(0)], ids: [1, 2], corruption: "blur:2") { _, _ in 0.375 }
        let found = try compare(a, b)
        #expect(found.corruptions[0].patches[0].p.mean == 0.25)
        #expect(comparisonText(found, a: "a", b: "b").contains("corruption blur:1 (A), blur:2 (B)"))
    }

    @Test func nothingToPair() throws {
        let a = try store("a", patches: [patch(0)], ids: [1, 2]) { _, _ in 0 }
        let b = try store("b", patches: [patch(1)], ids: [1, 2]) { _, _ in 0 }
        let c = try store("c", patches: [patch(0)], ids: [3]) { _, _ in 0 }
        func message(_ other: ResultsStore) -> String? {
            #expect(throws: ComparisonError.self) { try compare(a, other) }?.description
        }
        #expect(message(b) == "\(a.folder) and \(b.folder) have no patch in common")
        #expect(message(c) == "\(a.folder) and \(c.folder) have no image in common, so nothing can be paired")
    }
}
