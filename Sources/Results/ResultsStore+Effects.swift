extension ResultsStore {
    /// The images on which effects are measured under one corruption, in the data's order: kept, and complete, with the
    /// passes of every patch that gets exact ones. Images that get only estimates are in `estimatedImages` only.
    package func completeImages(corruption: Int) throws -> [ImageRecord] {
        try images(corruption: corruption, where: (schema >= 4 ? "i.exact AND " : "") + isComplete)
    }

    /// - Parameter condition: SQL on `images i`, in addition to `kept`
    func images(corruption: Int, where condition: String) throws -> [ImageRecord] {
        try read { db in
            let cursor = try Cursor(
                db,
                """
                SELECT \(imageColumns) FROM images i
                WHERE corruption = ? AND kept AND \(condition) ORDER BY image
                """)
            cursor.bind(1, corruption)
            var images: [ImageRecord] = []
            while try cursor.next() { images.append(try image(cursor)) }
            return images
        }
    }

    /// Calls `body(row, column, metrics)` for every effect of `patches` on `images` (from `completeImages`), by image,
    /// then patch. `row` is an index into `images`, `column` into `patches`. Constant memory.
    package func forEachEffect(
        corruption: Int, images: [ImageRecord], patches: Range<Int>,
        _ body: (_ row: Int, _ column: Int, _ patched: PassMetrics) -> Void
    ) throws {
        try read { db in
            let cursor = try Cursor(
                db,
                """
                SELECT patch, \(effectColumns) FROM effects
                WHERE image = ? AND corruption = ? AND patch >= ? AND patch < ? ORDER BY patch
                """)
            cursor.bind(2, corruption)
            cursor.bind(3, patches.lowerBound)
            cursor.bind(4, patches.upperBound)
            for (row, image) in images.enumerated() {
                cursor.restart()
                cursor.bind(1, image.image)
                while try cursor.next() {
                    body(row, cursor.int(0) - patches.lowerBound, try patched(cursor, from: 1))
                }
            }
        }
    }

    // Columns that a store of an older version lacks are NULL, except `exact`, which is 1.
    var imageColumns: String {
        """
        image, corruption, id, label, target, foil, kept, p_clean, p_corrupted, logit_clean, logit_corrupted,
        logit_diff_clean, logit_diff_corrupted, kl_corrupted, pred_clean, pred_corrupted, p_donor,
        \(schema >= 3 ? "log_odds_clean, log_odds_corrupted" : "NULL, NULL"),
        \(schema >= 4 ? "exact" : "1")
        """
    }

    var effectColumns: String { "p, logit, logit_diff, kl, pred, \(schema >= 3 ? "log_odds" : "NULL")" }

    /// A row of `imageColumns`. KL(clean || clean) is not stored: it is 0.
    func image(_ row: Cursor) throws -> ImageRecord {
        ImageRecord(
            image: try whole(row, 0), id: row.text(2), corruption: try whole(row, 1), label: try whole(row, 3),
            target: try whole(row, 4), foil: try whole(row, 5),
            clean: PassMetrics(
                p: row.float(7), logit: row.float(9), logitDiff: row.float(11), kl: 0, prediction: try whole(row, 14),
                logOdds: row.float(17)),
            corrupted: PassMetrics(
                p: row.float(8), logit: row.float(10), logitDiff: row.float(12), kl: row.float(13),
                prediction: try whole(row, 15), logOdds: row.float(18)),
            kept: row.int(6) != 0, pDonor: row.float(16).isNaN ? nil : row.float(16),
            exact: row.int(19) != 0)
    }

    /// A row's `effectColumns`.
    func patched(_ row: Cursor, from first: Int32) throws -> PassMetrics {
        PassMetrics(
            p: row.float(first), logit: row.float(first + 1), logitDiff: row.float(first + 2),
            kl: row.float(first + 3), prediction: try whole(row, first + 4), logOdds: row.float(first + 5))
    }

    /// A position or a class: -1 for none, and at most 2^31 - 1.
    private func whole(_ row: Cursor, _ column: Int32) throws -> Int {
        let value = row.int(column)
        guard (-1...Int(Int32.max)).contains(value) else {
            throw ResultsError.corrupt(
                path: path, detail: "it has the number \(value) where a class or a position is expected")
        }
        return value
    }
}
