import Foundation
import GRDB
import TestSupport
import Testing

@testable import Results

/// Stores of older versions, and stores with contents that no sweep writes.
@Suite struct SchemaTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    /// A store as written by version 1, 2 or 3, with one image complete and another begun.
    /// - Returns: its manifest, and its export as this version writes it
    private func old(_ version: Int, _ random: inout SplitMix64) throws -> (manifest: Manifest, exported: String) {
        var manifest = testManifest(patches: 3)
        if version >= 2 {
            for index in manifest.patches.indices { manifest.patches[index].extent = "attn_out 1 layer" }
        }
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest)
        var images = [randomImage(0, &random), randomImage(1, &random)]
        var effects = randomEffects(0, patches: 0..<3, &random) + randomEffects(1, patches: 0..<1, &random)
        if version < 3 {
            for index in images.indices {
                (images[index].clean.logOdds, images[index].corrupted.logOdds) = (.nan, .nan)
            }
            for index in effects.indices { effects[index].patched.logOdds = .nan }
        }
        try store.append(images: images, effects: effects)
        let exported = try store.exported()
        try store.queue.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    DROP TABLE estimates; DROP TABLE exact_patches; ALTER TABLE images DROP COLUMN exact;
                    """)
            if version == 3 {
                return try db.execute(
                    sql: "DELETE FROM grdb_migrations WHERE identifier = '4'; PRAGMA user_version = 3")
            }
            try db.execute(
                sql: """
                    DROP VIEW results; DROP TABLE grdb_migrations;
                    ALTER TABLE images DROP COLUMN log_odds_clean; ALTER TABLE images DROP COLUMN log_odds_corrupted;
                    ALTER TABLE effects DROP COLUMN log_odds;
                    """)
            if version == 1 {
                try db.execute(
                    sql: "ALTER TABLE patches DROP COLUMN control; ALTER TABLE patches DROP COLUMN extent")
            }
            try db.execute(
                sql: """
                    CREATE VIEW results AS SELECT p FROM effects;
                    PRAGMA user_version = \(version)
                    """)
        }
        try store.close()
        return (manifest, exported)
    }

    @Test(arguments: [1, 2, 3]) func anOlderStoreIsRead(version: Int) throws {
        var random = SplitMix64.fresh()
        let (manifest, exported) = try old(version, &random)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/results.sqlite"))
        let store = try ResultsStore.open(folder: folder.path)
        #expect(store.manifest == manifest && store.schema == version)
        #expect(try store.exported() == exported)
        #expect(try store.completeImages(corruption: 0).map(\.image) == [0])
        #expect(try store.completedEstimates(corruption: 0) == [0, 1] && store.exactPatches() == nil)
        #expect(try store.counts(corruption: 0) == (2, 2, 2))
        var npz: [UInt8] = []
        try store.exportNPZ { npz += $0 }
        #expect(!npz.isEmpty)
        #expect(try Data(contentsOf: URL(fileURLWithPath: store.path)) == bytes, "a reader changes nothing")
    }

    @Test(arguments: [1, 2, 3]) func anOlderStoreIsGoneOnWith(version: Int) throws {
        var random = SplitMix64.fresh()
        var (manifest, exported) = try old(version, &random)
        // This version's extents for the same patches
        for index in manifest.patches.indices { manifest.patches[index].extent = "attn_out 1 layer" }
        var other = manifest
        other.seed = 8
        let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/results.sqlite"))
        #expect(throws: ResultsError.self) { try ResultsStore.resume(folder: folder.path, manifest: other) }
        let refused = try ResultsStore.open(folder: folder.path)
        #expect(refused.schema == version, "a sweep that is refused changes no schema")
        #expect(bytes.count == (try Data(contentsOf: URL(fileURLWithPath: refused.path)).count))

        let store = try ResultsStore.resume(folder: folder.path, manifest: manifest)
        #expect(try store.completedImages(corruption: 0) == [0])
        try store.append(images: [randomImage(1, &random)], effects: randomEffects(1, patches: 0..<3, &random))
        try store.finish()
        try store.close()
        let opened = try ResultsStore.open(folder: folder.path)
        #expect(opened.schema == Schema.version && opened.manifest.patches == manifest.patches)
        let rows = try opened.viewRows(), lines = try opened.exported().split(separator: "\n")
        #expect(rows.count == 1 + 6 && lines.count == 1 + 6)
        #expect(rows[0] == ResultsStore.exportColumns + ResultsStore.furtherColumns)
        // The complete image has its numbers, and no log-odds.
        if version >= 2 { #expect(lines[1] == exported.split(separator: "\n")[1]) }
        #expect(lines[1].contains(",nan,nan,nan,") == (version < 3) && !lines[4].contains("nan"))
        #expect(try ResultsStore.resume(folder: folder.path, manifest: manifest).exported() == opened.exported())
    }

    @Test func aNewStoreHasEveryMigration() throws {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest())
        #expect(try store.queue.read { try Schema.migrator.hasCompletedMigrations($0) })
        #expect(try store.queue.read { try Schema.version($0) } == 4)
    }

    @Test(arguments: [
        ("CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM effects; END", "trigger"),
        ("DROP VIEW results; DROP TABLE effects; CREATE VIEW effects AS SELECT 1 AS image", "effects is not a table"),
        (
            "DROP VIEW results; DROP TABLE effects; CREATE VIEW effects AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS image FROM c",
            "effects is not a table"
        ),
        ("ALTER TABLE manifest ADD COLUMN more AS (hex(zeroblob(1000)))", "a column of manifest is computed"),
        ("UPDATE patches SET layer = '9223372036854775807'", "patch 0 has a number out of range in layer"),
        ("UPDATE patches SET window = '99999999999999999999999'", "patch 0 has a number out of range in window"),
        ("UPDATE patches SET layer = '0+10001' WHERE patch = 1", "patch 1 has a number out of range in layer"),
        (
            "INSERT INTO manifest VALUES ('layers', '9223372036854775807')",
            "its manifest has layers = 9223372036854775807"
        ),
        ("UPDATE manifest SET value = '-1' WHERE key = 'samples'", "its manifest has samples = -1"),
    ])
    func storesThatNoSweepMakes(sql: String, message: String) throws {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 2))
        try store.queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA foreign_keys = OFF")
            try db.execute(sql: sql)
        }
        try store.close()
        for readOnly in [true, false] {
            let error = #expect(throws: ResultsError.self) {
                try ResultsStore.open(folder: folder.path, readOnly: readOnly)
            }
            #expect(error?.description.hasPrefix("\(store.path) is damaged: ") == true)
            #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        }
    }

    @Test(arguments: [
        "UPDATE images SET label = 9223372036854775807", "UPDATE images SET image = -5",
        "UPDATE images SET pred_clean = 4294967296", "UPDATE effects SET pred = -2",
    ])
    func rowsOutOfRange(sql: String) throws {
        var random = SplitMix64.fresh()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 1))
        try store.append(images: [randomImage(0, &random)], effects: randomEffects(0, patches: 0..<1, &random))
        try store.queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA foreign_keys = OFF")
            try db.execute(sql: sql)
        }
        try store.close()
        let opened = try ResultsStore.open(folder: folder.path)
        let error = #expect(throws: ResultsError.self) {
            _ = try opened.exported()
            let images = try opened.completeImages(corruption: 0)
            try opened.forEachEffect(corruption: 0, images: images, patches: 0..<1) { _, _, _ in }
        }
        #expect(error?.description.contains("it has the number") == true)
    }
}
