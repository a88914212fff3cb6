import GRDB

// The table `groups`, which only a sweep with --groups has; no other table refers to it.
extension [ImageGroups] {
    /// Stores the groups in place of existing ones.
    func write(into db: Database) throws {
        try db.execute(sql: "DROP TABLE IF EXISTS \"groups\"")
        if isEmpty { return }
        try db.execute(
            sql: """
                CREATE TABLE "groups"(image INTEGER NOT NULL, "column" TEXT NOT NULL, value TEXT NOT NULL,
                  UNIQUE("column", image))
                """)
        let insert = try Cursor(db, "INSERT INTO \"groups\" VALUES (?, ?, ?)")
        for group in self {
            for (image, value) in group.members {
                insert.bind(1, image)
                insert.bind(2, group.column)
                insert.bind(3, value)
                try insert.run()
            }
        }
    }
}

extension ResultsStore {
    /// Stores groups in place of existing ones.
    package func setGroups(_ groups: [ImageGroups]) throws { try write { try groups.write(into: $0) } }

    /// The groups, in the order in which they were given; empty if the sweep had none.
    package func groups() throws -> [ImageGroups] {
        try read { db in
            guard try Cursor(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'groups'").next() else {
                return []
            }
            var groups: [ImageGroups] = [], column: String?, members: [(image: Int, value: String)] = []
            func endColumn() {
                guard let column else { return }
                members.sort { $0.image < $1.image }
                groups.append(
                    ImageGroups(
                        column: column, images: members.map(\.image), values: members.map(\.value),
                        beside: groups.last))
                members.removeAll(keepingCapacity: true)
            }
            let cursor = try Cursor(db, "SELECT image, \"column\", value FROM \"groups\" ORDER BY rowid")
            while try cursor.next() {
                let name = cursor.text(1)
                if column != name {
                    endColumn()
                    column = name
                }
                members.append((cursor.int(0), cursor.text(2)))
            }
            endColumn()
            return groups
        }
    }

    /// Images by their label's name
    package func classGroups() throws -> ImageGroups {
        try read { db in
            var values: [Int: String] = [:]
            let cursor = try Cursor(db, "SELECT DISTINCT image, label FROM images")
            while try cursor.next() {
                let label = cursor.int(1)
                values[cursor.int(0)] =
                    manifest.classNames.indices.contains(label) ? manifest.classNames[label] : "\(label)"
            }
            return ImageGroups(column: "class", values: values)
        }
    }
}
