import Foundation
import GRDB
import TestSupport
import Testing
@testable import Results

/// Folders and files that a store does not expect
extension StoreTests {
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
