import Files
import Foundation
import GRDB
import TestSupport
import Testing

@testable import Results

/// Creating and replacing stores: nothing is lost, and no other file is mistaken for a store.
@Suite struct NewStoreTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func names(_ path: String? = nil) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path ?? folder.path).sorted()
    }

    private func filled(_ random: inout SplitMix64, close: Bool = true) throws -> (ResultsStore, String) {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 2))
        try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<2, &random))
        let exported = try store.exported()
        if close { try store.close() }
        return (store, exported)
    }

    @Test func nothingChangesBeforeItIsMade() throws {
        var random = SplitMix64.fresh()
        let (_, exported) = try filled(&random)
        do {
            let new = try NewStore(folder: folder.path, manifest: testManifest(patches: 5), overwrite: true)
            #expect(try ResultsStore.open(folder: folder.path).exported() == exported)
            #expect(throws: ResultsError.inUse(folder: folder.path)) {
                try NewStore(folder: folder.path, manifest: testManifest(), overwrite: true)
            }
            withExtendedLifetime(new) {}
        }
        #expect(try ResultsStore.open(folder: folder.path).exported() == exported)
        do { _ = try NewStore(folder: folder.path + "/sub", manifest: testManifest()) }
        #expect(try names() == ["results.sqlite"])
        let groups = [ImageGroups(column: "a", values: [0: "x"])]
        let store = try NewStore(
            folder: folder.path, manifest: testManifest(patches: 5), groups: groups, overwrite: true
        ).make()
        #expect(try store.manifest.patches.count == 5 && store.groups() == groups)
    }

    @Test func whatFailsLeavesTheOldStore() throws {
        struct Failure: Error {}
        var random = SplitMix64.fresh()
        let (_, exported) = try filled(&random)
        let new = try NewStore(folder: folder.path, manifest: testManifest(), overwrite: true)
        #expect(throws: Failure.self) {
            try new.write { store in
                try store.append(images: [randomImage(7, &random)], effects: [])
                throw Failure()
            }
        }
        #expect(try ResultsStore.open(folder: folder.path).exported() == exported)
        #expect(try names() == ["results.sqlite"])
    }

    /// Folders with the names of an earlier version's temporary files are kept.
    @Test func othersFilesStay() throws {
        let names = [".new", ".new-wal", ".new-journal", ".0123"]
        for name in names {
            let path = folder.path + "/results.sqlite" + name
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try "mine".write(toFile: path + "/file", atomically: true, encoding: .utf8)
        }
        try ResultsStore.create(folder: folder.path, manifest: testManifest()).close()
        #expect(try self.names() == (["results.sqlite"] + names.map { "results.sqlite" + $0 }).sorted())
    }

    /// Files left by a kill while a store is built
    @Test func remainsAreRemoved() throws {
        let remains = ["", "-wal", "-journal"].map { ".results.sqlite.0123456789abcdef" + $0 }
        for name in remains + [".results.sqlite.mine"] {
            try "x".write(toFile: folder.path + "/" + name, atomically: true, encoding: .utf8)
        }
        try ResultsStore.create(folder: folder.path, manifest: testManifest()).close()
        #expect(try names() == [".results.sqlite.mine", "results.sqlite"])
    }

    @Test(arguments: ["", "-wal", "-shm", "-journal"])
    func strangeFilesAreRefused(suffix: String) throws {
        let strange = folder.path + "/results.sqlite" + suffix
        if !suffix.isEmpty { try ResultsStore.create(folder: folder.path, manifest: testManifest()).close() }
        #expect(mkfifo(strange, 0o600) == 0)
        #expect(throws: ResultsError.notAStore(path: strange)) { try ResultsStore.open(folder: folder.path) }
        #expect(throws: ResultsError.notAStore(path: strange)) {
            try ResultsStore.create(folder: folder.path, manifest: testManifest(), overwrite: true)
        }
        #expect(throws: ResultsError.self) { try ResultsStore.create(folder: folder.path, manifest: testManifest()) }
        #expect(throws: ResultsError.notAStore(path: strange)) {
            try ResultsStore.resume(folder: folder.path, manifest: testManifest())
        }
    }

    /// The old store's log is not mistaken for the new store's.
    @Test func aKilledStoreIsReplaced() throws {
        var random = SplitMix64.fresh()
        let (store, _) = try filled(&random, close: false)
        let copy = try TemporaryFolder()
        for file in try names() {
            try FileManager.default.copyItem(atPath: folder.path + "/" + file, toPath: copy.path + "/" + file)
        }
        #expect(FileManager.default.fileExists(atPath: copy.path + "/results.sqlite-wal"))
        let new = try ResultsStore.create(folder: copy.path, manifest: testManifest(patches: 9), overwrite: true)
        #expect(try new.manifest.patches.count == 9 && new.counts(corruption: 0).seen == 0)
        try new.close()
        #expect(try names(copy.path) == ["results.sqlite"])
        withExtendedLifetime(store) {}
    }

    @Test(arguments: [true, false]) func aFolderThatIsRemovedIsMissed(_ replaced: Bool) throws {
        var random = SplitMix64.fresh()
        let (store, _) = try filled(&random, close: false)
        try FileManager.default.removeItem(atPath: folder.path)
        if replaced {
            try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
            try "x".write(toFile: store.path, atomically: false, encoding: .utf8)
        }
        #expect(throws: ResultsError.removed(path: store.path)) {
            try store.append(images: [randomImage(1, &random)], effects: [])
        }
        #expect(throws: ResultsError.removed(path: store.path)) { try store.finish() }
        #expect(throws: ResultsError.removed(path: store.path)) { try store.close() }
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    }
}
