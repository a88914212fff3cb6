import Foundation
import GRDB
import TestSupport
import Testing

@testable import Results

/// Stores with estimates of every patch, and exact passes for some patches, some images or none.
@Suite struct EstimateTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func manifest(
        patches: Int = 4, exact: String? = nil, exactImages: Int? = nil, corruptions: [String] = ["grayscale"]
    ) -> Manifest {
        var manifest = testManifest(patches: patches, corruptions: corruptions)
        (manifest.estimates, manifest.exact, manifest.exactImages) = (["atp_log_odds", "ig5_p"], exact, exactImages)
        return manifest
    }

    private func estimates(_ image: Int, corruption: Int = 0, patches: Int = 4, _ random: inout SplitMix64)
        -> [EstimateRecord]
    {
        ["atp_log_odds", "ig5_p"].map { name in
            EstimateRecord(
                image: image, corruption: corruption, name: name,
                values: (0..<patches).map { _ in .random(in: -3...3, using: &random) })
        }
    }

    private func inexact(_ image: Int, _ random: inout SplitMix64) -> ImageRecord {
        var record = randomImage(image, &random)
        record.exact = false
        return record
    }

    /// The export as [row][column name]
    private func table(_ store: ResultsStore) throws -> [[String: String]] {
        let lines = try store.exported().split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
    }

    @Test func theManifestSaysWhatIsEstimated() throws {
        let written = manifest(exact: "top:2,random:1", exactImages: 7)
        try ResultsStore.create(folder: folder.path, manifest: written).close()
        let read = try ResultsStore.open(folder: folder.path).manifest
        #expect(read == written && read.estimates == ["atp_log_odds", "ig5_p"])
        #expect(read.differences(from: written) == [])
        var other = written
        (other.estimates, other.exact, other.exactImages) = ([], nil, nil)
        #expect(
            other.differences(from: written) == [
                "estimate is atp_log_odds ig5_p there and not set now", "exact is top:2,random:1 there and all now",
                "exact-images is 7 there and all now",
            ])
    }

    @Test(arguments: [
        ("estimates", #"["p_patched"]"#), ("estimates", #"["a", "a"]"#), ("estimates", #"["a/b"]"#),
        ("estimates", #"[""]"#), ("estimates", "3"), ("exact_images", "0"),
    ])
    func manifestsThatNoSweepMakes(_ key: String, _ value: String) throws {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest())
        try store.queue.write { db in
            try db.execute(sql: "INSERT INTO manifest VALUES (?, ?)", arguments: [key, value])
        }
        try store.close()
        let error = #expect(throws: ResultsError.self) { try ResultsStore.open(folder: folder.path) }
        #expect(error?.description.contains("its manifest has \(key) = \(value)") == true)
    }

    @Test func roundTrip() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest(exactImages: 1))
        let images = [randomImage(0, &random), inexact(1, &random), randomImage(2, kept: false, &random)]
        let all = estimates(0, &random) + estimates(1, &random)
        try store.append(
            images: images, effects: randomEffects(0, patches: 0..<4, &random), estimates: all)
        #expect(try store.completedImages(corruption: 0) == [0, 1, 2])
        #expect(try store.completedEstimates(corruption: 0) == [0, 1, 2])
        // Effects cover only the images with exact passes.
        #expect(try store.completeImages(corruption: 0) == [images[0]])
        let estimated = try store.estimatedImages(corruption: 0)
        #expect(estimated == Array(images[..<2]))
        #expect(try store.counts(corruption: 0) == (seen: 3, kept: 2, exact: 1))
        for (position, name) in store.manifest.estimates.enumerated() {
            var found: [[Float]] = []
            try store.forEachEstimate(name, corruption: 0, images: estimated) { row, values in
                #expect(row == found.count)
                found.append(values)
            }
            #expect(found == [all[position].values, all[2 + position].values], "seed \(random.seed)")
        }
        try store.forEachEstimate("atp_kl", corruption: 0, images: estimated) { _, _ in Issue.record("none") }
    }

    /// A patch with only an estimate makes a row whose patched columns are empty.
    @Test func export() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest(exact: "random:2", exactImages: 1))
        try store.setExactPatches([ExactPatch(patch: 2, why: .random), ExactPatch(patch: 1, why: .top)])
        let (a, b) = (estimates(0, &random), estimates(1, &random))
        let effects = randomEffects(0, patches: 1..<3, &random)
        try store.append(images: [randomImage(0, &random), inexact(1, &random)], effects: effects, estimates: a + b)
        let rows = try table(store)
        #expect(rows.map { $0["layer"] } == ["0", "1", "2", "3", "0", "1", "2", "3"])
        #expect(rows.map { $0["atp_log_odds"] } == (a[0].values + b[0].values).map(\.description))
        #expect(rows.map { $0["ig5_p"] } == (a[1].values + b[1].values).map(\.description))
        for (row, cells) in rows.enumerated() {
            let effect = effects.first { row == $0.patch }?.patched
            #expect(cells["p_patched"] == effect?.p.description ?? "")
            #expect(cells["log_odds_patched"] == effect?.logOdds.description ?? "")
            for name in ["logit", "logit_diff", "kl", "pred"] {
                #expect(cells[name + "_patched"]?.isEmpty == (effect == nil), "\(name)")
            }
            #expect(cells["p_clean"]?.isEmpty == false)
        }
        let json = try store.exported(.jsonl).split(separator: "\n")
        let first = try JSONSerialization.jsonObject(with: Data(json[0].utf8)) as? [String: Any]
        #expect(json.count == 8 && first?["p_patched"] is NSNull)
        #expect((first?["ig5_p"] as? NSNumber)?.floatValue == a[1].values[0])
        let header = try store.exported().prefix { $0 != "\n" }
        #expect(header.hasSuffix(",patch_with,donor,atp_log_odds,ig5_p"))
    }

    /// Rows of an interrupted sweep: effects without estimates, estimates without effects, neither.
    @Test func exportOfWhatIsThere() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest())
        let a = estimates(0, &random)
        try store.append(
            images: (0..<3).map { randomImage($0, &random) }, effects: randomEffects(1, patches: 2..<4, &random),
            estimates: [a[1]])
        let rows = try table(store)
        #expect(rows.map { $0["image"] } == (Array(repeating: 0, count: 4) + [1, 1]).map { "cat/\($0).png" })
        #expect(rows.allSatisfy { $0["atp_log_odds"] == "" })
        #expect(rows.map { $0["ig5_p"] } == a[1].values.map(\.description) + ["", ""])
        #expect(rows[4...].allSatisfy { $0["p_patched"] != "" })
    }

    /// The view has the same rows as the export, also with unusual numbers as estimates.
    @Test func view() throws {
        var random = SplitMix64.fresh()
        let odd: [Float] =
            [
                0, 1, -1, .pi, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNormalMagnitude,
                .leastNonzeroMagnitude, -3 * .leastNonzeroMagnitude, .infinity, -.infinity, .nan, 0x1p-126,
                Float(bitPattern: 0x007F_FFFF),
                0x1p23, 0x1.8p24, 0x1p75, 0x1p76, 0x1p-23, 0x1p-24, 0x1p-50, 0x1p-51, 0x1p-76, 0x1p-77,
            ] + (0..<40).map { _ in Float(bitPattern: .random(in: 0..<0xFF00_0000, using: &random)) }
        let patches = odd.count
        let store = try ResultsStore.create(
            folder: folder.path, manifest: manifest(patches: patches, exact: "random:1"))
        try store.setExactPatches([ExactPatch(patch: 3, why: .random)])
        try store.append(
            images: [randomImage(0, &random), randomImage(1, kept: false, &random), randomImage(2, &random)],
            effects: randomEffects(0, patches: 3..<4, &random),
            estimates: [EstimateRecord(image: 0, corruption: 0, name: "atp_log_odds", values: odd)]
                + estimates(2, patches: patches, &random))
        let rows = try store.viewRows()
        let lines = try store.exported().split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map { $0 == "nan" ? "" : String($0) }
        }
        #expect(lines.count == 1 + 2 * patches && rows == lines, "seed \(random.seed)")
    }

    @Test func arrays() throws {
        var random = SplitMix64.fresh()
        for exact in ["random:1", "none"] {
            let store = try ResultsStore.create(
                folder: folder.path + "/" + exact, manifest: manifest(exact: exact, exactImages: 1))
            if exact != "none" { try store.setExactPatches([ExactPatch(patch: 2, why: .random)]) }
            let effects = exact == "none" ? [] : randomEffects(0, patches: 2..<3, &random)
            let (a, b) = (estimates(0, &random), estimates(1, &random))
            try store.append(
                images: [randomImage(0, &random), inexact(1, &random), randomImage(2, &random)], effects: effects,
                estimates: a + b)
            var bytes: [UInt8] = []
            try store.exportNPZ { bytes += $0 }
            let arrays = try readZip(bytes).mapValues { try Array1(npy: $0) }
            let atp = try #require(arrays["atp_log_odds.npy"])
            #expect(atp.shape == "(3, 4)" && Array(atp.floats[..<8]) == a[0].values + b[0].values)
            #expect(atp.floats[8...].allSatisfy { $0.isNaN })
            #expect(arrays["ig5_p.npy"]?.floats.prefix(4).map { $0 } == a[1].values)
            #expect((arrays["p_patched.npy"] == nil) == (exact == "none"))
            #expect((arrays["pred_patched.npy"] == nil) == (exact == "none"))
            if let effect = effects.first { #expect(arrays["p_patched.npy"]?.floats[2] == effect.patched.p) }
        }
    }

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
