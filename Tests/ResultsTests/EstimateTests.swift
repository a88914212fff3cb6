import Foundation
import GRDB
import TestSupport
import Testing

@testable import Results

/// Stores with estimates of every patch, and exact passes for some patches, some images or none.
@Suite struct EstimateTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    func manifest(
        patches: Int = 4, exact: String? = nil, exactImages: Int? = nil, corruptions: [String] = ["grayscale"]
    ) -> Manifest {
        var manifest = testManifest(patches: patches, corruptions: corruptions)
        (manifest.estimates, manifest.exact, manifest.exactImages) = (["atp_log_odds", "ig5_p"], exact, exactImages)
        return manifest
    }

    func estimates(_ image: Int, corruption: Int = 0, patches: Int = 4, _ random: inout SplitMix64)
        -> [EstimateRecord]
    {
        ["atp_log_odds", "ig5_p"].map { name in
            EstimateRecord(
                image: image, corruption: corruption, name: name,
                values: (0..<patches).map { _ in .random(in: -3...3, using: &random) })
        }
    }

    func inexact(_ image: Int, _ random: inout SplitMix64) -> ImageRecord {
        var record = randomImage(image, &random)
        record.exact = false
        return record
    }

    /// The export as [row][column name]
    func table(_ store: ResultsStore) throws -> [[String: String]] {
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
}
