extension ResultsStore {
    /// Opens a store to continue its sweep: refuses a store of another sweep and deletes images that are not complete.
    ///
    /// - Throws: `ResultsError.differs` with the differences, and what `open` throws
    package static func resume(folder: String, manifest: Manifest) throws -> ResultsStore {
        let store = try open(folder: folder, readOnly: false) { stored in
            let differences = manifest.differences(from: stored)
            guard differences.isEmpty else {
                throw ResultsError.differs(path: path(in: folder), differences: differences)
            }
        }
        try store.write { db in
            // Stores of version 1 have no extents.
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

    /// Images that need no more work under one corruption, including those left out by `--keep`. Until the exact
    /// patches are chosen, no image that gets exact passes is complete.
    package func completedImages(corruption: Int) throws -> Set<Int> {
        try positions(corruption: corruption, where: isComplete)
    }

    /// - Parameter condition: SQL on `images i`
    func positions(corruption: Int, where condition: String) throws -> Set<Int> {
        try read { db in
            let cursor = try Cursor(db, "SELECT image FROM images i WHERE corruption = ? AND (\(condition))")
            cursor.bind(1, corruption)
            var images: Set<Int> = []
            while try cursor.next() { images.insert(cursor.int(0)) }
            return images
        }
    }

    /// Deletes images with missing effects, and the effects that they have. An image with all estimates keeps these and
    /// its clean and corrupted pass, and loses only its effects.
    package func deleteIncomplete() throws {
        try write { db in
            func images(_ condition: String) throws -> [(image: Int, corruption: Int)] {
                let find = try Cursor(db, "SELECT image, corruption FROM images i WHERE \(condition)")
                var found: [(image: Int, corruption: Int)] = []
                while try find.next() { found.append((find.int(0), find.int(1))) }
                return found
            }
            func delete(_ images: [(image: Int, corruption: Int)], from table: String, and: String = "1") throws {
                let delete = try Cursor(db, "DELETE FROM \(table) WHERE image = ? AND corruption = ? AND \(and)")
                for row in images {
                    delete.bind(1, row.image)
                    delete.bind(2, row.corruption)
                    try delete.run()
                }
            }
            let estimates = manifest.estimates.isEmpty ? "0" : hasEstimates
            let (part, whole) = (
                try images("NOT \(isComplete) AND \(estimates)"), try images("NOT \(isComplete) AND NOT \(estimates)")
            )
            if manifest.logits {
                try delete(part, from: "logits", and: "pass = 'patched'")
                try delete(whole, from: "logits")
            }
            try delete(part, from: "effects")
            for table in ["effects", "estimates", "images"] { try delete(whole, from: table) }
        }
    }

    /// Marks the sweep as finished now.
    ///
    /// - Parameter skipped: ids of unreadable images that were left out. They are stored with those that the store
    ///   already names, except images that have results.
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

    /// The number of images in the store under one corruption, of those among them that `--keep` keeps, and of those
    /// among these that get exact passes.
    package func counts(corruption: Int) throws -> (seen: Int, kept: Int, exact: Int) {
        try read { db in
            let exact = schema >= 4 ? "exact" : "1"
            let cursor = try Cursor(
                db, "SELECT count(*), sum(kept != 0), sum(kept AND \(exact)) FROM images WHERE corruption = ?")
            cursor.bind(1, corruption)
            return try cursor.next() ? (cursor.int(0), cursor.int(1), cursor.int(2)) : (0, 0, 0)
        }
    }
}
