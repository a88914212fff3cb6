extension ResultsStore {
    /// Images that count under one corruption: kept, every effect there; in the data's order.
    package func completeImages(corruption: Int) throws -> [ImageRecord] {
        try read { db in
            let cursor = try Cursor(
                db,
                """
                SELECT \(Self.imageColumns) FROM images i
                WHERE corruption = ?2 AND kept AND \(Self.isComplete) ORDER BY image
                """)
            cursor.bind(1, manifest.patches.count)
            cursor.bind(2, corruption)
            var images: [ImageRecord] = []
            while try cursor.next() { images.append(Self.image(cursor)) }
            return images
        }
    }

    /// Calls `body(row, column, metrics)` for every effect of `patches` on `images` (from `completeImages`), where
    /// `row` counts into `images` and `column` into `patches`. Constant memory; by image, then patch.
    package func forEachEffect(
        corruption: Int, images: [ImageRecord], patches: Range<Int>,
        _ body: (_ row: Int, _ column: Int, _ patched: PassMetrics) -> Void
    ) throws {
        try read { db in
            let cursor = try Cursor(
                db,
                """
                SELECT patch, p, logit, logit_diff, kl, pred FROM effects
                WHERE image = ? AND corruption = ? AND patch >= ? AND patch < ? ORDER BY patch
                """)
            cursor.bind(2, corruption)
            cursor.bind(3, patches.lowerBound)
            cursor.bind(4, patches.upperBound)
            for (row, image) in images.enumerated() {
                cursor.restart()
                cursor.bind(1, image.image)
                while try cursor.next() {
                    body(row, cursor.int(0) - patches.lowerBound, Self.patched(cursor, from: 1))
                }
            }
        }
    }

    static let imageColumns = """
        image, corruption, id, label, target, foil, kept, p_clean, p_corrupted, logit_clean, logit_corrupted,
        logit_diff_clean, logit_diff_corrupted, kl_corrupted, pred_clean, pred_corrupted, p_donor
        """

    /// A row of `imageColumns`. KL(clean || clean) is not stored: it is 0.
    static func image(_ row: Cursor) -> ImageRecord {
        ImageRecord(
            image: row.int(0), id: row.text(2), corruption: row.int(1), label: row.int(3), target: row.int(4),
            foil: row.int(5),
            clean: PassMetrics(
                p: row.float(7), logit: row.float(9), logitDiff: row.float(11), kl: 0, prediction: row.int(14)),
            corrupted: PassMetrics(
                p: row.float(8), logit: row.float(10), logitDiff: row.float(12), kl: row.float(13),
                prediction: row.int(15)),
            kept: row.int(6) != 0, pDonor: row.float(16).isNaN ? nil : row.float(16))
    }

    /// Columns p, logit, logit_diff, kl, pred.
    static func patched(_ row: Cursor, from first: Int32) -> PassMetrics {
        PassMetrics(
            p: row.float(first), logit: row.float(first + 1), logitDiff: row.float(first + 2),
            kl: row.float(first + 3), prediction: row.int(first + 4))
    }
}
