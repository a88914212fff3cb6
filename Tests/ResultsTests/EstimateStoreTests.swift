import Foundation
import GRDB
import TestSupport
import Testing
@testable import Results

/// Stores with estimates that are resumed, merged and checked
extension EstimateTests {
    @Test func resumeKeepsEstimates() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest(exact: "top:2"))
        #expect(try store.exactPatches() == [])
        // 0: estimated; 1: partly estimated; 2: left out
        let half = estimates(1, &random)
        try store.append(
            images: [randomImage(0, &random), randomImage(1, &random), randomImage(2, kept: false, &random)],
            effects: [],
            estimates: estimates(0, &random) + [half[0]])
        #expect(try store.completedEstimates(corruption: 0) == [0, 2])
        #expect(try store.completedImages(corruption: 0) == [2], "no patch is chosen yet")
        try store.close()
        var resumed = try ResultsStore.resume(folder: folder.path, manifest: store.manifest)
        #expect(try resumed.completedEstimates(corruption: 0) == [0, 2])
        #expect(try resumed.counts(corruption: 0) == (seen: 2, kept: 1, exact: 1))
        try resumed.append(images: [randomImage(1, &random)], effects: [], estimates: half)

        let chosen = [ExactPatch(patch: 0, why: .top), ExactPatch(patch: 3, why: .top)]
        try resumed.setExactPatches(chosen)
        try resumed.append(
            images: [randomImage(0, &random), randomImage(1, &random)],
            effects: randomEffects(0, patches: 0..<1, &random) + randomEffects(0, patches: 3..<4, &random)
                + randomEffects(1, patches: 3..<4, &random))
        #expect(try resumed.completedImages(corruption: 0) == [0, 2])
        try resumed.close()
        resumed = try ResultsStore.resume(folder: folder.path, manifest: store.manifest)
        #expect(try resumed.exactPatches() == chosen)
        // The image that lacked an effect has lost its other effect, and keeps its estimates.
        #expect(try resumed.completedEstimates(corruption: 0) == [0, 1, 2])
        #expect(
            try table(resumed).map { $0["p_patched"]?.isEmpty } == [false, true, true, false]
                + Array(repeating: true, count: 4))
        try resumed.append(
            images: [randomImage(1, &random)],
            effects: randomEffects(1, patches: 0..<1, &random) + randomEffects(1, patches: 3..<4, &random))
        #expect(try resumed.completedImages(corruption: 0) == [0, 1, 2])
        #expect(try resumed.completeImages(corruption: 0).map(\.image) == [0, 1])
    }

    @Test func estimatesAlone() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest(exact: "none"))
        try store.append(images: [randomImage(0, &random)], effects: [], estimates: estimates(0, &random))
        #expect(try store.exactPatches() == [])
        #expect(try store.completedImages(corruption: 0) == [0])
        #expect(try table(store).count == 4)
        let all = try ResultsStore.create(folder: folder.path + "/all", manifest: testManifest())
        #expect(try all.exactPatches() == nil && all.completedEstimates(corruption: 0) == [])
    }

    @Test func whatAStoreDoesNotTake() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest(exact: "top:1"))
        func refused(_ change: (inout EstimateRecord) -> Void) -> String? {
            var record = EstimateRecord(image: 0, corruption: 0, name: "ig5_p", values: [1, 2, 3, 4])
            change(&record)
            let image = randomImage(0, &random)
            let error = #expect(throws: ResultsError.self) {
                try store.append(images: [image], effects: [], estimates: [record])
            }
            return error?.description
        }
        #expect(refused { $0.values = [1] }?.contains("ig5_p of image 0 has 1 values for 4 patches") == true)
        #expect(refused { $0.name = "ig5_logit" }?.contains("where the sweep has atp_log_odds, ig5_p") == true)
        #expect(refused { $0.corruption = 1 }?.contains("corruption 1 of 1") == true)
        for patches in [[4], [-1], [1, 1]] {
            #expect(throws: ResultsError.self) {
                try store.setExactPatches(patches.map { ExactPatch(patch: $0, why: .top) })
            }
        }
        #expect(try store.counts(corruption: 0).seen == 0)
        let record = EstimateRecord(image: 0, corruption: 0, name: "ig5_p", values: [1, 2, 3, 4])
        try store.append(images: [randomImage(0, &random)], effects: [], estimates: [record])
        #expect(throws: ResultsError.self) { try store.append(images: [], effects: [], estimates: [record]) }
        try store.queue.write { try $0.execute(sql: "UPDATE estimates SET data = x'0011'") }
        let damaged = #expect(throws: ResultsError.self) { try store.exported() }
        #expect(damaged?.description.contains("ig5_p of image 0 has 0 values for 4 patches") == true)
        try store.queue.write { try $0.execute(sql: "INSERT INTO exact_patches VALUES (2, 'taste')") }
        #expect(throws: ResultsError.self) { try store.exactPatches() }
    }

    @Test func merge() throws {
        var random = SplitMix64.fresh()
        let chosen = [ExactPatch(patch: 1, why: .random)]
        var whole = manifest(exact: "random:1", exactImages: 2, corruptions: ["grayscale", "blur:1"])
        whole.ended = "2025-01-01T00:00:01Z"
        let reference = try ResultsStore.create(folder: folder.path + "/whole", manifest: whole)
        try reference.setExactPatches(chosen)
        for shard in 0..<2 {
            var part = whole
            part.shard = "\(shard)/2"
            let store = try ResultsStore.create(folder: folder.path + "/\(shard)", manifest: part)
            try store.setExactPatches(chosen)
            for image in 2 * shard..<2 * shard + 2 {
                for corruption in 0..<2 {
                    var record = randomImage(image, corruption: corruption, &random)
                    record.exact = image.isMultiple(of: 2)
                    let effects =
                        record.exact
                        ? randomEffects(image, corruption: corruption, patches: 1..<2, &random) : []
                    let estimates = estimates(image, corruption: corruption, &random)
                    for to in [store, reference] {
                        try to.append(images: [record], effects: effects, estimates: estimates)
                    }
                }
            }
            try store.close()
        }
        try ResultsStore.merge([folder.path + "/1", folder.path + "/0"], into: folder.path + "/merged")
        let merged = try ResultsStore.open(folder: folder.path + "/merged")
        #expect(try merged.exported() == reference.exported())
        #expect(try merged.exactPatches() == chosen)
        #expect(try merged.completedImages(corruption: 1) == [0, 1, 2, 3])
        #expect(try merged.completeImages(corruption: 1).map(\.image) == [0, 2])

        let other = try ResultsStore.open(folder: folder.path + "/1", readOnly: false)
        try other.setExactPatches([ExactPatch(patch: 2, why: .random)])
        try other.close()
        let error = #expect(throws: ResultsError.self) {
            try ResultsStore.merge([folder.path + "/1", folder.path + "/0"], into: folder.path + "/merged2")
        }
        #expect(error?.description.contains("have exact passes of different patches") == true)
    }

    /// 36,864 patches of 1000 images take under 200 MB: 4 bytes per value and little overhead.
    @Test func aStoreIsSmall() throws {
        var manifest = testManifest(patches: 1)
        manifest.patches = (0..<36_864).map {
            PatchRecord(direction: "restore", site: "mlp_act[\($0)]", layer: "0", head: "", token: "", window: "1")
        }
        (manifest.estimates, manifest.exact) = (["atp_log_odds"], "none")
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest)
        func size() throws -> Int {
            try store.queue.read {
                try (Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0) * (Int.fetchOne($0, sql: "PRAGMA page_size") ?? 0)
            }
        }
        let empty = try size()
        var random = SplitMix64.fresh()
        let values = (0..<36_864).map { _ in Float.random(in: -1...1, using: &random) }
        try store.append(
            images: (0..<10).map { randomImage($0, &random) }, effects: [],
            estimates: (0..<10).map { EstimateRecord(image: $0, corruption: 0, name: "atp_log_odds", values: values) })
        #expect(empty < 10_000_000)
        #expect(try size() - empty < 10 * 36_864 * 4 * 103 / 100)
    }
}
