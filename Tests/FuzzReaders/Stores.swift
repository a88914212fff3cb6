import Foundation
import GRDB
import Report
import Results
import Statistics

extension FuzzReader {
    /// Stores: damaged files, and intact ones with values that no sweep writes
    static let stores: [FuzzReader] = [
        FuzzReader(name: "store", seeds: { [Array(try store())] }) { try read(folder: write($0)) },
        FuzzReader(name: "store-values", seeds: { changes }) { try read(folder: write(changed(by: $0))) },
        FuzzReader(name: "report", seeds: { changes }) {
            let folder = try write(changed(by: $0))
            _ = try writeReport(of: ResultsStore.open(folder: folder), to: folder + "/report")
        },
    ]

    private static let changes = [
        [UInt8](repeating: 0, count: 24), (0..<60).map { UInt8($0 * 37 % 256) },
    ]

    private static func write(_ store: Data) throws -> String {
        let folder = try folder()
        try folder.write(store, "results.sqlite")
        return folder.path
    }

    /// Runs export, summary and compare, with few resamples
    private static func read(folder: String) throws {
        let store = try ResultsStore.open(folder: folder), bootstrap = Bootstrap(resamples: 40, seed: 1)
        for format in ExportFormat.allCases { try? store.export(format) { _ in } }
        try? store.exportNPZ { _ in }
        if let statistics = try? statistics(of: store, bootstrap: bootstrap) {
            _ = try? summaryText(store: store, statistics: statistics)
            _ = summaryData(statistics, manifest: store.manifest, format: .json)
        }
        _ = try? groupData(groupStatistics(of: store, by: store.classGroups(), bootstrap: bootstrap), format: .csv)
        _ = try? compare(store, store, bootstrap: bootstrap)
    }

    /// The store's bytes after changes to its values
    private static func changed(by changes: Data) throws -> Data {
        let path = try folder().write(store(), "changed.sqlite")
        try change(path, by: Array(changes.prefix(1200)))
        return try Data(contentsOf: URL(fileURLWithPath: path))
    }

    /// Every 12 bytes change one value: table, column, row, kind, and 8 bytes of the value.
    private static func change(_ path: String, by bytes: [UInt8]) throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
            let tables = ["manifest", "corruptions", "patches", "images", "effects", "logits", "groups"]
            for start in stride(from: 0, to: bytes.count - 11, by: 12) {
                let piece = bytes[start..<start + 12].map { Int($0) }
                let table = tables[piece[0] % tables.count]
                let columns = try db.columns(in: table).map(\.name)
                let column = columns[piece[1] % columns.count], key = columns[0]
                let word = bytes[start + 4..<start + 12].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                let value: DatabaseValue =
                    switch piece[3] % 7 {
                    case 0: .null
                    case 1: Int64(bitPattern: word).databaseValue
                    case 2: (Int64(bitPattern: word) >> 58).databaseValue
                    case 3: Double(bitPattern: word).databaseValue
                    case 4: strange[Int(word % UInt64(strange.count))].databaseValue
                    case 5: Data(bytes[start + 4..<start + 12]).databaseValue
                    default: [Int64.max, .min, -1, 0, 1 << 31, 1 << 53][Int(word % 6)].databaseValue
                    }
                try? db.execute(
                    sql: """
                        UPDATE OR IGNORE "\(table)" SET "\(column)" = ?
                        WHERE "\(key)" = (SELECT "\(key)" FROM "\(table)" LIMIT 1 OFFSET ?)
                        """, arguments: [value, piece[2] % 8])
            }
            try db.execute(sql: "COMMIT")
        }
        try queue.close()
    }

    private static let strange = [
        "", "0", "-1", "each", "9223372036854775807", "0+1", "cls", "0-99999999999", "1:2x3:4", "nan", "[]", "[\"a\"]",
        "{}", "<script>", "\u{1b}[2J", "a\nb", "restore", "noise", "z", "attn_out", "mask:/x", "noise:1e308",
        "99999999999999999999", "1e400", "true", "null", "patches", "3", "65536", "2147483648", "\u{202e}",
    ]

    /// The bytes of a store of six images and eight patches, with logits and groups
    private static func store() throws -> Data { try madeStore.get() }
    private static let madeStore = Result { () throws -> Data in
        let folder = try FuzzFolder()
        var manifest = Manifest(
            version: "0.1.0", model: "m", modelHash: "aa11bb22cc33dd44", data: "d", dataHash: "ff00112233445566",
            spec: "{}", corruptions: ["grayscale", "noise:1"],
            patches: (0..<4).map {
                PatchRecord(direction: "restore", site: "attn_out", layer: "\($0)", head: "", token: "", window: "1")
            }
                + (0..<4).map {
                    PatchRecord(direction: "noise", site: "z", layer: "1", head: "\($0)", token: "\($0)", window: "1")
                }, classNames: ["cat", "dog"], seed: 7, device: "device")
        manifest.layers = 4
        manifest.logits = true
        let store = try ResultsStore.create(
            folder: folder.path, manifest: manifest,
            groups: [ImageGroups(column: "half", values: [0: "a", 1: "b", 2: "a", 3: "b"])])
        func pass(_ x: Float) -> PassMetrics {
            PassMetrics(p: x, logit: x * 3, logitDiff: x * 2 - 1, kl: 1 - x, prediction: x > 0.5 ? 1 : 0, logOdds: x)
        }
        for corruption in 0..<2 {
            for image in 0..<6 {
                try store.append(
                    images: [
                        ImageRecord(
                            image: image, id: "cat/\(image).png", corruption: corruption, label: image % 2,
                            target: image % 2, foil: 1 - image % 2, clean: pass(0.9), corrupted: pass(0.2))
                    ],
                    effects: manifest.patches.indices.map {
                        EffectRecord(
                            image: image, corruption: corruption, patch: $0,
                            patched: pass(Float((image * 7 + $0 * 3) % 10) / 10))
                    },
                    logits: [LogitsRecord(image: image, corruption: corruption, pass: .clean, values: [1, 2])])
            }
        }
        try store.finish()
        try store.close()
        return try Data(contentsOf: URL(fileURLWithPath: folder.path + "/results.sqlite"))
    }
}
