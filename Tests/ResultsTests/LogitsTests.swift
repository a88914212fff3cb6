import Foundation
import GRDB
import TestSupport
import Testing

@testable import Results

@Suite struct LogitsTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func manifest(shard: String? = nil) -> Manifest {
        var manifest = testManifest(patches: 2)
        manifest.logits = true
        manifest.shard = shard
        return manifest
    }

    /// Clean, corrupted and the given patched passes, in the order in which they are read.
    private func randomLogits(_ image: Int, patches: Range<Int>, _ random: inout SplitMix64) -> [LogitsRecord] {
        func record(_ pass: LogitsRecord.Pass, _ patch: Int? = nil) -> LogitsRecord {
            LogitsRecord(
                image: image, corruption: 0, pass: pass, patch: patch,
                values: (0..<5).map { _ in .random(in: -9...9, using: &random) })
        }
        return [record(.clean), record(.corrupted)] + patches.map { record(.patched, $0) }
    }

    private func all(_ store: ResultsStore) throws -> [LogitsRecord] {
        var records: [LogitsRecord] = []
        try store.forEachLogits { records.append($0) }
        return records
    }

    @Test func roundTrip() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest())
        var expected: [LogitsRecord] = []
        for image in [3, 1] {
            var logits = randomLogits(image, patches: 0..<2, &random)
            logits[2].values = [.infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
            // Patches in two waves, each with the clean and the corrupted pass.
            let record = randomImage(image, &random), effects = randomEffects(image, patches: 0..<2, &random)
            try store.append(images: [record], effects: [effects[0]], logits: Array(logits[..<3]))
            try store.append(images: [record], effects: [effects[1]], logits: [logits[0], logits[1], logits[3]])
            expected = logits + expected
        }
        try store.close()
        let read = try all(ResultsStore.open(folder: folder.path))
        #expect(read == expected, "seed \(random.seed)")
        #expect(read[2].values[2].sign == .minus)
    }

    @Test func resumeDropsThoseOfIncompleteImages() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest())
        let done = randomLogits(0, patches: 0..<2, &random)
        try store.append(
            images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<2, &random), logits: done)
        try store.append(
            images: [randomImage(1, &random)], effects: randomEffects(1, patches: 0..<1, &random),
            logits: randomLogits(1, patches: 0..<1, &random))
        try store.close()
        let resumed = try ResultsStore.resume(folder: folder.path, manifest: manifest())
        #expect(try all(resumed) == done, "seed \(random.seed)")
    }

    @Test func resumeWithAndWithoutAreDifferentSweeps() throws {
        try ResultsStore.create(folder: folder.path, manifest: manifest()).close()
        let error = #expect(throws: ResultsError.self) {
            try ResultsStore.resume(folder: folder.path, manifest: testManifest(patches: 2))
        }
        #expect(error?.description.contains("logits is kept there and not kept now") == true)
    }

    @Test func mergeKeepsThem() throws {
        var random = SplitMix64.fresh()
        var expected: [LogitsRecord] = []
        for part in 0..<3 {
            let store = try ResultsStore.create(
                folder: "\(folder.path)/\(part)", manifest: manifest(shard: "\(part)/3"))
            let logits = randomLogits(part, patches: 0..<2, &random)
            try store.append(
                images: [randomImage(part, &random)], effects: randomEffects(part, patches: 0..<2, &random),
                logits: logits)
            expected += logits
            try store.finish()
            try store.close()
        }
        try ResultsStore.merge((0..<3).map { "\(folder.path)/\($0)" }, into: folder.path + "/all")
        #expect(try all(ResultsStore.open(folder: folder.path + "/all")) == expected, "seed \(random.seed)")
    }

    @Test func damagedValuesAreNamed() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest())
        try store.append(
            images: [randomImage(4, &random)], effects: [], logits: randomLogits(4, patches: 0..<0, &random))
        try store.write { try $0.execute(sql: "UPDATE logits SET data = x'000000' WHERE pass = 'clean'") }
        let error = #expect(throws: ResultsError.self) { try all(store) }
        #expect(error?.description.contains("logits of image 4 have 3 bytes") == true)
    }
}
