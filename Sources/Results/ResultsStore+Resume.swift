extension ResultsStore {
    /// Opens a store to go on with its sweep: refuses one of another sweep and drops images that are not complete.
    ///
    /// - Throws: `ResultsError.differs` with what differs, and what `open` throws
    package static func resume(folder: String, manifest: Manifest) throws -> ResultsStore {
        let store = try open(folder: folder, readOnly: false) { stored in
            let differences = manifest.differences(from: stored)
            guard differences.isEmpty else {
                throw ResultsError.differs(path: path(in: folder), differences: differences)
            }
        }
        try store.write { db in
            // What a store of version 1 did not say
            let extent = try Cursor(db, "UPDATE patches SET extent = ? WHERE patch = ? AND extent = ''")
            for (index, patch) in manifest.patches.enumerated() where store.manifest.patches[index] != patch {
                extent.bind(1, patch.extent)
                extent.bind(2, index)
                try extent.run()
            }
        }
        try store.deleteIncomplete()
        return store
    }

    /// SQL condition on `images i`: every patch of the image is there, or `--keep` left it out. ?1 is their number.
    static let isComplete = """
        (NOT i.kept OR ?1 = (SELECT count(*) FROM effects e
                             WHERE e.image = i.image AND e.corruption = i.corruption))
        """

    /// Images that need no more work under one corruption, those left out by `--keep` among them.
    package func completedImages(corruption: Int) throws -> Set<Int> {
        try read { db in
            let cursor = try Cursor(
                db, "SELECT image FROM images i WHERE corruption = ?2 AND \(Self.isComplete)")
            cursor.bind(1, manifest.patches.count)
            cursor.bind(2, corruption)
            var images: Set<Int> = []
            while try cursor.next() { images.insert(cursor.int(0)) }
            return images
        }
    }

    /// Drops images some of whose effects are missing, with the effects that are there.
    package func deleteIncomplete() throws {
        try write { db in
            let find = try Cursor(db, "SELECT image, corruption FROM images i WHERE NOT \(Self.isComplete)")
            find.bind(1, manifest.patches.count)
            var incomplete: [(image: Int, corruption: Int)] = []
            while try find.next() { incomplete.append((find.int(0), find.int(1))) }
            for table in (manifest.logits ? ["logits"] : []) + ["effects", "images"] {
                let delete = try Cursor(db, "DELETE FROM \(table) WHERE image = ? AND corruption = ?")
                for row in incomplete {
                    delete.bind(1, row.image)
                    delete.bind(2, row.corruption)
                    try delete.run()
                }
            }
        }
    }

    /// Marks the sweep as finished now.
    ///
    /// - Parameter skipped: ids of images that were left out because they cannot be read. With those that the store
    ///   names already they are kept, but for images that have results.
    package func finish(skipped: [String]? = nil) throws {
        try write { db in
            var values = [("ended", Manifest.timestamp())]
            if skipped != nil || !manifest.skippedIDs.isEmpty {
                let isThere = try Cursor(db, "SELECT 1 FROM images WHERE id = ?")
                let ids = try Set((skipped ?? []) + manifest.skippedIDs).sorted().filter { id in
                    isThere.restart()
                    isThere.bind(1, id)
                    return try !isThere.next()
                }
                values += [("skipped", String(ids.count)), ("skipped_ids", Manifest.json(ids) ?? "[]")]
            }
            for (key, value) in values {
                let cursor = try Cursor(
                    db,
                    "INSERT INTO manifest VALUES ('\(key)', ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value")
                cursor.bind(1, value)
                try cursor.run()
            }
        }
    }

    /// Whether `finish()` was called on the store, now or in an earlier process.
    package func isFinished() throws -> Bool {
        try read { db in try Cursor(db, "SELECT 1 FROM manifest WHERE key = 'ended'").next() }
    }

    /// How many images are in the store under one corruption, and how many of them `--keep` lets count.
    package func counts(corruption: Int) throws -> (seen: Int, kept: Int) {
        try read { db in
            let cursor = try Cursor(db, "SELECT count(*), sum(kept != 0) FROM images WHERE corruption = ?")
            cursor.bind(1, corruption)
            return try cursor.next() ? (cursor.int(0), cursor.int(1)) : (0, 0)
        }
    }
}
