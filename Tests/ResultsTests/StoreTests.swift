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

    // MARK: - Unexpected folders and files

    @Test func anExistingStoreIsNotReplacedUnasked() throws {
        try ResultsStore.create(folder: folder.path, manifest: testManifest()).close()
        let error = #expect(throws: ResultsError.self) {
            try ResultsStore.create(folder: folder.path, manifest: testManifest())
        }
        #expect(error?.description.contains("--overwrite") == true)
        #expect(error?.description.contains("--resume") == true)
    }

    @Test func overwriteReplacesOnlyTheStore() throws {
        var random = SplitMix64.fresh()
        let old = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 1))
        try old.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<1, &random))
        try old.close()
        try "keep me".write(toFile: folder.path + "/notes.txt", atomically: true, encoding: .utf8)
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 5), overwrite: true)
        #expect(store.manifest.patches.count == 5)
        #expect(try store.counts(corruption: 0) == (seen: 0, kept: 0, exact: 0))
        #expect(try String(contentsOfFile: folder.path + "/notes.txt", encoding: .utf8) == "keep me")
    }

    @Test(arguments: [
        "",
        "not a database at all, only text, but longer than the hundred bytes of a header ........."
            + "......................",
    ])
    func aForeignFileIsNeitherReadNorReplaced(content: String) throws {
        let path = folder.path + "/results.sqlite"
        try content.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: ResultsError.notAStore(path: path)) { try ResultsStore.open(folder: folder.path) }
        #expect(throws: ResultsError.notAStore(path: path)) {
            try ResultsStore.create(folder: folder.path, manifest: testManifest(), overwrite: true)
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == content)
    }

    @Test func anotherProgramsDatabaseIsLeftAlone() throws {
        let path = folder.path + "/results.sqlite"
        let other = try DatabaseQueue(path: path)
        try other.write { try $0.execute(sql: "CREATE TABLE manifest(key, value)") }
        try other.close()
        #expect(throws: ResultsError.notAStore(path: path)) { try ResultsStore.open(folder: folder.path) }
        #expect(throws: ResultsError.notAStore(path: path)) {
            try ResultsStore.create(folder: folder.path, manifest: testManifest(), overwrite: true)
        }
    }

    @Test func missingStores() throws {
        #expect(throws: ResultsError.missing(path: folder.path + "/results.sqlite")) {
            try ResultsStore.open(folder: folder.path)
        }
        #expect(throws: ResultsError.notAFolder(path: "")) { try ResultsStore.open(folder: "") }
        #expect(throws: ResultsError.missing(path: folder.path + "/none/results.sqlite")) {
            try ResultsStore.open(folder: folder.path + "/none", readOnly: false)
        }
        let file = folder.path + "/file"
        try "x".write(toFile: file, atomically: true, encoding: .utf8)
        #expect(throws: ResultsError.notAFolder(path: file)) { try ResultsStore.open(folder: file) }
        let error = #expect(throws: ResultsError.self) {
            try ResultsStore.create(folder: file, manifest: testManifest())
        }
        #expect(error?.description.contains(file) == true)
    }

    @Test func aNewerSchemaIsRefused() throws {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest())
        try store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA user_version = 99") }
        try store.close()
        #expect(throws: ResultsError.version(path: store.path, found: 99, known: 4)) {
            try ResultsStore.open(folder: folder.path)
        }
    }

    @Test func damageIsNamed() throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 40))
        for image in 0..<40 {
            try store.append(
                images: [randomImage(image, &random)], effects: randomEffects(image, patches: 0..<40, &random))
        }
        try store.close()
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: store.path)))
        for at in bytes.count / 4..<bytes.count { bytes[at] = 0xA5 }
        try Data(bytes).write(to: URL(fileURLWithPath: store.path))
        let error = #expect(throws: ResultsError.self) {
            let damaged = try ResultsStore.open(folder: folder.path)
            _ = try damaged.exported()
            _ = try damaged.completeImages(corruption: 0)
        }
        #expect(error?.description.hasPrefix("\(store.path) is damaged") == true)
    }

    /// Whatever the tables hold, reading gives numbers or an error, never a crash.
    @Test(arguments: [
        "UPDATE effects SET p = 'text', pred = 'x'", "UPDATE images SET label = 'a', id = x'00ff'",
        "PRAGMA foreign_keys = OFF; UPDATE effects SET patch = 77", "UPDATE manifest SET value = 'x'",
        "PRAGMA foreign_keys = OFF; UPDATE images SET corruption = 9", "DROP TABLE effects",
        "PRAGMA foreign_keys = OFF; DELETE FROM patches WHERE patch = 0", "DELETE FROM manifest WHERE key = 'seed'",
        "UPDATE effects SET image = -9223372036854775808, pred = 9223372036854775807",
    ])
    func editedStores(sql: String) throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 1))
        try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<1, &random))
        _ = try? store.queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try store.close()
        do {
            let edited = try ResultsStore.open(folder: folder.path)
            _ = try edited.exported()
            let images = try edited.completeImages(corruption: 0)
            try edited.forEachEffect(corruption: 0, images: images, patches: 0..<1) { _, _, _ in }
        } catch {
            #expect("\(error)".contains(store.path))
        }
    }

    /// A kill during the log's checkpoint leaves SQLite's rollback journal beside the file.
    @Test func readsAStoreWithAJournalToRollBack() throws {
        var random = SplitMix64.fresh()
        let live = folder.path + "/live", killed = folder.path + "/killed"
        let store = try ResultsStore.create(folder: live, manifest: testManifest())
        try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<3, &random))
        let expected = try store.exported()
        try store.close()
        try FileManager.default.createDirectory(atPath: killed, withIntermediateDirectories: true)
        let queue = try DatabaseQueue(path: ResultsStore.path(in: live))
        try queue.inDatabase { db in
            // With a cache of one page, the finished half of the transaction is written to the file.
            try db.execute(
                sql: "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; UPDATE effects SET p = 0")
            try db.execute(sql: "CREATE TABLE more AS SELECT randomblob(100000)")
            for suffix in ["", "-journal"] {
                try FileManager.default.copyItem(
                    atPath: ResultsStore.path(in: live) + suffix, toPath: ResultsStore.path(in: killed) + suffix)
            }
            try db.execute(sql: "ROLLBACK")
        }
        #expect(try ResultsStore.open(folder: killed).exported() == expected, "seed \(random.seed)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: killed) == ["results.sqlite"])
    }

    @Test func oneWriterAtATime() throws {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest())
        #expect(throws: ResultsError.inUse(folder: folder.path)) {
            try ResultsStore.open(folder: folder.path, readOnly: false)
        }
        #expect(throws: ResultsError.inUse(folder: folder.path)) {
            try ResultsStore.create(folder: folder.path, manifest: testManifest(), overwrite: true)
        }
        _ = try ResultsStore.open(folder: folder.path).exported()  // reading needs no lock
        withExtendedLifetime(store) {}
    }

    @Test(.enabled(if: getuid() != 0, "root may write anywhere"))
    func readOnlyFolder() throws {
        try ResultsStore.create(folder: folder.path, manifest: testManifest()).close()
        chmod(folder.path, 0o555)
        defer { chmod(folder.path, 0o755) }
        _ = try ResultsStore.open(folder: folder.path).exported()
        let error = #expect(throws: ResultsError.self) {
            try ResultsStore.create(folder: folder.path + "/new", manifest: testManifest())
        }
        #expect(error == .readOnly(path: folder.path + "/new"))
    }
}
