import GRDB

/// One estimate of every patch's effect on an image: `export` writes it in the column `name`.
package struct EstimateRecord: Sendable, Equatable {
    package var image: Int
    package var corruption: Int
    /// One of the manifest's `estimates`, e.g. `atp_log_odds`
    package var name: String
    /// [patches], in the manifest's order
    package var values: [Float]

    package init(image: Int, corruption: Int, name: String, values: [Float]) {
        (self.image, self.corruption, self.name, self.values) = (image, corruption, name, values)
    }
}

/// A patch that gets exact passes in a sweep where not all do.
package struct ExactPatch: Sendable, Equatable {
    package enum Why: String, Sendable {
        /// Its estimates are among the largest
        case top
        /// It was drawn at random, whatever its estimates
        case random
    }

    /// Index into the sweep's list of patches
    package var patch: Int
    package var why: Why

    package init(patch: Int, why: Why) { (self.patch, self.why) = (patch, why) }
}

/// The tables `estimates` and `exact_patches`.
extension ResultsStore {
    /// Stores which patches get exact passes, in place of an earlier choice. A sweep whose manifest leaves the choice
    /// to the estimates stores it once all estimates are there.
    ///
    /// - Throws: `ResultsError.invalidRecord` for a patch outside the manifest or given twice
    package func setExactPatches(_ patches: [ExactPatch]) throws {
        var seen: Set<Int> = []
        for item in patches where !manifest.patches.indices.contains(item.patch) || !seen.insert(item.patch).inserted {
            throw ResultsError.invalidRecord(
                path: path,
                detail:
                    "patch \(item.patch) of \(manifest.patches.count) is not a patch, or appears twice among the exact ones"
            )
        }
        try write { db in
            try db.execute(sql: "DELETE FROM exact_patches")
            let insert = try Cursor(db, "INSERT INTO exact_patches VALUES (?, ?)")
            for item in patches {
                insert.bind(1, item.patch)
                insert.bind(2, item.why.rawValue)
                try insert.run()
            }
        }
    }

    /// The patches that get exact passes, ascending; nil: all patches. Empty if none gets them, and until they are
    /// chosen.
    package func exactPatches() throws -> [ExactPatch]? {
        if manifest.hasAllExact { return nil }
        if manifest.exact == "none" { return [] }
        return try read { db in
            let cursor = try Cursor(db, "SELECT patch, why FROM exact_patches ORDER BY patch")
            var patches: [ExactPatch] = []
            while try cursor.next() {
                let patch = cursor.int(0)
                guard manifest.patches.indices.contains(patch), let why = ExactPatch.Why(rawValue: cursor.text(1))
                else {
                    throw ResultsError.corrupt(
                        path: path, detail: "its exact patches have \(patch) (\(cursor.text(1).prefix(20)))")
                }
                patches.append(ExactPatch(patch: patch, why: why))
            }
            return patches
        }
    }

    /// Images with all estimates under one corruption, and those left out by `--keep`; all images if the sweep
    /// estimates nothing.
    package func completedEstimates(corruption: Int) throws -> Set<Int> {
        try positions(corruption: corruption, where: "NOT i.kept OR \(hasEstimates)")
    }

    /// Images that have all estimates under one corruption, whether or not they get exact passes; in the data's order.
    package func estimatedImages(corruption: Int) throws -> [ImageRecord] {
        try images(corruption: corruption, where: hasEstimates)
    }

    /// Calls `body(row, values)` with one estimate [patches] for each of `images`; `row` is an index into `images`.
    /// Images without the estimate are skipped. Constant memory.
    package func forEachEstimate(
        _ name: String, corruption: Int, images: [ImageRecord], _ body: (_ row: Int, _ values: [Float]) throws -> Void
    ) throws {
        guard manifest.estimates.contains(name) else { return }
        try read { db in
            let cursor = try EstimateCursor(db, store: self)
            for (row, image) in images.enumerated() {
                if let values = try cursor.values(name, image: image.image, corruption: image.corruption) {
                    try body(row, values)
                }
            }
        }
    }

    func insert(_ estimates: [EstimateRecord], _ db: Database) throws {
        if estimates.isEmpty { return }
        let insert = try Cursor(db, "INSERT INTO estimates VALUES (?, ?, ?, ?)")
        for record in estimates {
            insert.bind(1, record.image)
            insert.bind(2, record.corruption)
            insert.bind(3, record.name)
            record.values.map { $0.bitPattern.littleEndian }.withUnsafeBytes { insert.bind(4, $0) }
            try insert.run()
        }
    }

    func check(estimates: [EstimateRecord]) throws {
        let count = manifest.patches.count
        for record in estimates {
            if !manifest.corruptions.indices.contains(record.corruption) || !manifest.estimates.contains(record.name) {
                throw ResultsError.invalidRecord(
                    path: path,
                    detail: "an estimate of image \(record.image) names corruption \(record.corruption) of "
                        + "\(manifest.corruptions.count) and \(record.name), where the sweep has "
                        + (manifest.estimates.isEmpty ? "none" : manifest.estimates.joined(separator: ", ")))
            }
            if record.values.count != count {
                throw ResultsError.invalidRecord(
                    path: path,
                    detail:
                        "\(record.name) of image \(record.image) has \(record.values.count) values for \(count) patches"
                )
            }
        }
    }

    // MARK: What is complete

    /// SQL condition on `images i`: all estimates are stored.
    var hasEstimates: String {
        manifest.estimates.isEmpty
            ? "1"
            : """
            (\(manifest.estimates.count) = (SELECT count(*) FROM estimates s
                WHERE s.image = i.image AND s.corruption = i.corruption))
            """
    }

    /// SQL condition on `images i`: the exact passes of every patch that gets them are stored.
    var hasExactPasses: String {
        if manifest.exact == "none" { return "1" }
        let found = "(SELECT count(*) FROM effects e WHERE e.image = i.image AND e.corruption = i.corruption)"
        if manifest.hasAllExact { return "\(manifest.patches.count) = \(found)" }
        let chosen = "(SELECT count(*) FROM exact_patches)"
        return "(\(chosen) > 0 AND \(chosen) = \(found))"
    }

    /// SQL condition on `images i`: nothing of the image is missing, or `--keep` left it out.
    var isComplete: String {
        let isExact = schema >= 4 ? "i.exact" : "1"
        return "(NOT i.kept OR \(hasEstimates) AND (NOT \(isExact) OR \(hasExactPasses)))"
    }
}

/// Reads estimates image by image.
struct EstimateCursor {
    private let cursor: Cursor
    private let store: ResultsStore

    init(_ db: Database, store: ResultsStore) throws {
        cursor = try Cursor(db, "SELECT data FROM estimates WHERE image = ? AND corruption = ? AND name = ?")
        self.store = store
    }

    /// - Returns: [patches]; nil where the image has none of this name
    /// - Throws: `ResultsError.corrupt` for another number of values than there are patches
    func values(_ name: String, image: Int, corruption: Int) throws -> [Float]? {
        cursor.restart()
        cursor.bind(1, image)
        cursor.bind(2, corruption)
        cursor.bind(3, name)
        guard try cursor.next() else { return nil }
        let values = cursor.floats(0)
        guard values.count == store.manifest.patches.count else {
            throw ResultsError.corrupt(
                path: store.path,
                detail:
                    "\(name) of image \(image) has \(values.count) values for \(store.manifest.patches.count) patches")
        }
        return values
    }
}
