import GRDB

/// The full logits of one pass, little-endian float32 in the table `logits`.
package struct LogitsRecord: Sendable, Equatable {
    package enum Pass: String, Sendable, CaseIterable { case clean, corrupted, patched }

    package var image: Int
    package var corruption: Int
    package var pass: Pass
    /// Index into the sweep's list of patches; nil for the clean and the corrupted pass
    package var patch: Int?
    /// [C]
    package var values: [Float]

    package init(image: Int, corruption: Int, pass: Pass, patch: Int? = nil, values: [Float]) {
        self.image = image
        self.corruption = corruption
        self.pass = pass
        self.patch = patch
        self.values = values
    }
}

/// The table `logits`, in stores whose manifest has `logits`.
extension ResultsStore {
    /// A pass that is already stored stays: clean and corrupted passes come with every wave of their image's patches.
    func insert(_ logits: [LogitsRecord], _ db: Database) throws {
        if logits.isEmpty { return }
        let insert = try Cursor(db, "INSERT INTO logits VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
        for record in logits {
            insert.bind(1, record.image)
            insert.bind(2, record.corruption)
            insert.bind(3, record.pass.rawValue)
            if let patch = record.patch { insert.bind(4, patch) } else { insert.bindNull(4) }
            record.values.map { $0.bitPattern.littleEndian }.withUnsafeBytes { insert.bind(5, $0) }
            try insert.run()
        }
    }

    /// Calls `body` for every pass whose logits the store keeps: by image, then corruption, clean and corrupted before
    /// patched. Constant memory.
    ///
    /// - Throws: `ResultsError.corrupt` for values that are not float32, and the errors of reading and of `body`
    package func forEachLogits(_ body: (LogitsRecord) throws -> Void) throws {
        guard manifest.logits else { return }
        try read { db in
            let cursor = try Cursor(
                db,
                "SELECT image, corruption, pass, patch, data FROM logits ORDER BY image, corruption, pass, ifnull(patch, -1)"
            )
            while try cursor.next() {
                let bytes = cursor.bytes(4)
                guard let pass = LogitsRecord.Pass(rawValue: cursor.text(2)), bytes.count % 4 == 0 else {
                    throw ResultsError.corrupt(
                        path: path,
                        detail: "logits of image \(cursor.int(0)) have \(bytes.count) bytes (\(cursor.text(2)))")
                }
                let values = stride(from: 0, to: bytes.count, by: 4).map { at in
                    Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) })
                }
                try body(
                    LogitsRecord(
                        image: cursor.int(0), corruption: cursor.int(1), pass: pass,
                        patch: pass == .patched ? cursor.int(3) : nil, values: values))
            }
        }
    }

    /// Copies the logits of another store, whose images are already stored here.
    func addLogits(of other: ResultsStore) throws {
        var waiting: [LogitsRecord] = [], bytes = 0
        func flush() throws {
            try write { db in try insert(waiting, db) }
            waiting.removeAll(keepingCapacity: true)
            bytes = 0
        }
        try other.forEachLogits { record in
            waiting.append(record)
            bytes += record.values.count * 4
            if bytes >= 1 << 24 { try flush() }
        }
        try flush()
    }
}
