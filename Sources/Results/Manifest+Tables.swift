import Foundation
import GRDB

// The tables `manifest`, `corruptions` and `patches`.
extension Manifest {
    /// Fills the tables of a new store; creates the table of logits and the view of estimates if there are any.
    func write(into db: Database) throws {
        if logits { try db.execute(sql: Schema.logits) }
        if !estimates.isEmpty { try db.execute(sql: Schema.view(estimates: estimates)) }
        for row in rows {
            try db.execute(sql: "INSERT INTO manifest VALUES (?, ?)", arguments: [row.key, row.value])
        }
        for (index, spec) in corruptions.enumerated() {
            try db.execute(sql: "INSERT INTO corruptions VALUES (?, ?)", arguments: [index, spec])
        }
        for (index, p) in patches.enumerated() {
            try db.execute(
                sql: "INSERT INTO patches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [index, p.direction, p.site, p.layer, p.head, p.token, p.window, p.controlCode, p.extent])
        }
    }

    /// - Throws: `ResultsError.corrupt` for data that is missing, unreadable or out of range
    init(reading db: Database, path: String) throws {
        var rows: [String: String] = [:]
        var cursor = try Cursor(db, "SELECT key, value FROM manifest")
        while try cursor.next() { rows[cursor.text(0)] = cursor.text(1) }

        var corruptions: [String] = []
        cursor = try Cursor(db, "SELECT corruption, spec FROM corruptions ORDER BY corruption")
        while try cursor.next() {
            guard cursor.int(0) == corruptions.count else {
                throw ResultsError.corrupt(path: path, detail: "corruption \(corruptions.count) is missing")
            }
            corruptions.append(cursor.text(1))
        }
        var patches: [PatchRecord] = []
        let further = try Schema.version(db) >= 2 ? "control, extent" : "0, ''"
        cursor = try Cursor(
            db, "SELECT patch, direction, site, layer, head, token, window, \(further) FROM patches ORDER BY patch")
        while try cursor.next() {
            guard cursor.int(0) == patches.count else {
                throw ResultsError.corrupt(path: path, detail: "patch \(patches.count) is missing")
            }
            let patch = PatchRecord(
                direction: cursor.text(1), site: cursor.text(2), layer: cursor.text(3), head: cursor.text(4),
                token: cursor.text(5), window: cursor.text(6), control: cursor.int(7) == 1, extent: cursor.text(8),
                members: cursor.int(7) == 2 ? [] : nil)
            if let column = patch.outOfRange {
                throw ResultsError.corrupt(
                    path: path, detail: "patch \(patches.count) has a number out of range in \(column)")
            }
            patches.append(patch)
        }
        try self.init(rows: rows, corruptions: corruptions, patches: patches, path: path)
    }
}

extension PatchRecord {
    /// The first column with a number out of range: layers and windows go to 10,000, heads and tokens to 100 million.
    fileprivate var outOfRange: String? {
        func isBelow(_ text: String, _ limit: Int) -> Bool {
            text.split { !$0.isASCII || !$0.isNumber }.allSatisfy { Int($0).map { $0 <= limit } ?? false }
        }
        let columns = [
            ("layer", layer, 10_000), ("window", window, 10_000), ("head", head, 100_000_000),
            ("token", token, 100_000_000),
        ]
        return columns.first { !isBelow($0.1, $0.2) }?.0
    }
}
