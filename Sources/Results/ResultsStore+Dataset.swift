import GRDB

/// An image of the data set that a sweep began with.
package struct ListedImage: Sendable, Equatable {
    package var id: String
    /// Index of its class; nil where it has none
    package var classIndex: Int?
    /// Size of its file
    package var bytes: Int

    package init(id: String, classIndex: Int?, bytes: Int) {
        (self.id, self.classIndex, self.bytes) = (id, classIndex, bytes)
    }
}

// The table `dataset`. Only stores whose images are files have it; no other table refers to it.
extension [ListedImage] {
    func write(into db: Database) throws {
        if isEmpty { return }
        try db.execute(
            sql:
                "CREATE TABLE dataset(image INTEGER PRIMARY KEY, id TEXT NOT NULL, class INTEGER, bytes INTEGER NOT NULL)"
        )
        let insert = try Cursor(db, "INSERT INTO dataset VALUES (?, ?, nullif(?, -1), ?)")
        for (index, image) in enumerated() {
            insert.bind(1, index)
            insert.bind(2, image.id)
            insert.bind(3, image.classIndex ?? -1)
            insert.bind(4, image.bytes)
            try insert.run()
        }
    }
}

extension ResultsStore {
    /// The images of the data set that the sweep began with, in their order; empty if the store does not have them.
    package func dataset() throws -> [ListedImage] {
        try read { db in
            guard try Cursor(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'dataset'").next() else {
                return []
            }
            var images: [ListedImage] = []
            let cursor = try Cursor(db, "SELECT image, id, ifnull(class, -1), bytes FROM dataset ORDER BY image")
            while try cursor.next() {
                guard cursor.int(0) == images.count else {
                    throw ResultsError.corrupt(path: path, detail: "image \(images.count) of its data set is missing")
                }
                images.append(
                    ListedImage(
                        id: cursor.text(1), classIndex: cursor.int(2) < 0 ? nil : cursor.int(2), bytes: cursor.int(3)))
            }
            return images
        }
    }
}
