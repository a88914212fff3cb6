import Foundation
import GRDB
import TestSupport
import Testing

@testable import Results

@Suite struct StoreTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func roundTrip() throws {
        var random = SplitMix64.fresh()
        let manifest = testManifest(patches: 3, corruptions: ["grayscale", "noise:3"])
        let store = try ResultsStore.create(folder: folder.path + "/a/b", manifest: manifest)
        var images: [ImageRecord] = []
        var effects: [EffectRecord] = []
        for image in 0..<5 {
            for corruption in 0..<2 {
                images.append(randomImage(image, corruption: corruption, &random))
                effects += randomEffects(image, corruption: corruption, patches: 0..<3, &random)
            }
        }
        try store.append(images: images, effects: effects.shuffled(using: &random))
        try store.close()

        let opened = try ResultsStore.open(folder: folder.path + "/a/b")
        #expect(opened.manifest == manifest)
        for corruption in 0..<2 {
            let read = try opened.completeImages(corruption: corruption)
            #expect(read == images.filter { $0.corruption == corruption }, "seed \(random.seed)")
            var found: [EffectRecord] = []
            try opened.forEachEffect(corruption: corruption, images: read, patches: 1..<3) { row, column, patched in
                found.append(
                    EffectRecord(
                        image: read[row].image, corruption: corruption, patch: 1 + column, patched: patched))
            }
            let wanted = effects.filter { $0.corruption == corruption && $0.patch >= 1 }
            #expect(found == wanted, "seed \(random.seed)")
        }
    }

    @Test func aClosedStoreIsOneFile() throws {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest())
        try store.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["results.sqlite"])
    }

    /// After a kill: the file and its log, not checkpointed.
    @Test func aKilledStoreOpensAndExports() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 2))
        try store.append(
            images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<2, &random))
        try store.append(
            images: [randomImage(1, &random)], effects: randomEffects(1, patches: 0..<1, &random))
        let copy = try TemporaryFolder()
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            try FileManager.default.copyItem(atPath: folder.path + "/" + file, toPath: copy.path + "/" + file)
        }
        #expect(FileManager.default.fileExists(atPath: copy.path + "/results.sqlite-wal"))
        let wanted = try store.exported()

        let killed = try ResultsStore.open(folder: copy.path)
        #expect(try killed.exported() == wanted)
        #expect(wanted.split(separator: "\n").count == 1 + 3)
        #expect(try !killed.isFinished())
        let resumed = try ResultsStore.resume(folder: copy.path, manifest: store.manifest)
        #expect(try resumed.completedImages(corruption: 0) == [0])
        #expect(try resumed.exported().split(separator: "\n").count == 1 + 2)
    }

    @Test func resumeBookkeeping() throws {
        var random = SplitMix64.fresh()
        let manifest = testManifest(patches: 3, corruptions: ["grayscale", "blur:2"])
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest)
        let half = randomImage(2, &random)
        try store.append(
            images: [
                randomImage(0, &random), randomImage(1, kept: false, &random), half,
                randomImage(0, corruption: 1, &random),
            ],
            effects: randomEffects(0, patches: 0..<3, &random) + randomEffects(2, patches: 0..<2, &random))
        #expect(try store.completedImages(corruption: 0) == [0, 1])
        #expect(try store.completedImages(corruption: 1) == [])
        #expect(try store.counts(corruption: 0) == (seen: 3, kept: 2, exact: 2))
        #expect(try store.completeImages(corruption: 0).map(\.image) == [0])

        // An image may be appended again with its remaining patches.
        var again = half
        again.id = "other"
        try store.append(images: [again], effects: randomEffects(2, patches: 2..<3, &random))
        #expect(try store.completedImages(corruption: 0) == [0, 1, 2])
        #expect(try store.completeImages(corruption: 0).last == half)

        try store.deleteIncomplete()
        #expect(try store.counts(corruption: 1) == (seen: 0, kept: 0, exact: 0))
        #expect(try store.completedImages(corruption: 0) == [0, 1, 2])
        #expect(try !store.isFinished())
        try store.finish()
        try store.finish()
        #expect(try store.isFinished())
        try store.close()
        #expect(try ResultsStore.open(folder: folder.path).manifest.ended?.hasSuffix("Z") == true)
    }

    /// A wave that fails is not stored at all, and the waves before it stay.
    @Test func aWaveIsAllOrNothing() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 2))
        try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<2, &random))
        let before = try store.exported()
        let twice = randomEffects(1, patches: 0..<2, &random) + randomEffects(1, patches: 0..<1, &random)
        #expect(throws: ResultsError.self) { try store.append(images: [randomImage(1, &random)], effects: twice) }
        #expect(throws: ResultsError.self) {  // no such image
            try store.append(images: [], effects: randomEffects(5, patches: 0..<1, &random))
        }
        #expect(try store.exported() == before)
        #expect(try store.counts(corruption: 0).seen == 1)
    }

    @Test func recordsOutsideTheManifestAreRefused() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 2))
        #expect(
            throws: ResultsError.invalidRecord(
                path: store.path, detail: "an effect of image 0 names corruption 0 of 1 and patch 2 of 2")
        ) {
            try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 2..<3, &random))
        }
        #expect(throws: ResultsError.invalidRecord(path: store.path, detail: "image 0 names corruption 1 of 1")) {
            try store.append(images: [randomImage(0, corruption: 1, &random)], effects: [])
        }
    }

    @Test func aFullDiskKeepsTheWavesBefore() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 50))
        try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<50, &random))
        let before = try store.exported()
        // SQLite's own page limit gives the same error as a full disk.
        try store.queue.write { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 1)")
        }
        let error = #expect(throws: ResultsError.self) {
            for image in 1..<200 {
                try store.append(
                    images: [randomImage(image, &random)], effects: randomEffects(image, patches: 0..<50, &random))
            }
        }
        #expect(error == .diskFull(path: store.path))
        #expect(try store.exported().hasPrefix(before))
    }
}
