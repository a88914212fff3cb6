extension ImageDataset {
    /// One entry of ``listing``, which is enough to notice files that were deleted since.
    package struct Listed: Sendable, Equatable {
        package var id: String
        package var classIndex: Int?
        /// Of the file; negative if it was missing
        package var bytes: Int

        package init(id: String, classIndex: Int?, bytes: Int) {
            (self.id, self.classIndex, self.bytes) = (id, classIndex, bytes)
        }
    }

    /// The files in the data set's order; empty if images are not files of their own.
    package var listing: [Listed] {
        guard case .files = source else { return [] }
        return entries.map { Listed(id: $0.id, classIndex: $0.classIndex, bytes: $0.bytes) }
    }

    /// Positions of the images whose files are missing
    package var missing: Set<Int> { Set(entries.indices.filter { entries[$0].bytes < 0 }) }

    /// Puts files that were deleted since `listing` was made back in their places, marked missing.
    ///
    /// - Returns: whether the data set then equals the listed one. False, with nothing changed, if it has images or
    ///   classes that the listing lacks.
    package mutating func restore(_ listing: [Listed]) -> Bool {
        guard case .files = source else { return false }
        var found = Dictionary(uniqueKeysWithValues: entries.map { ($0.id, $0) })
        let restored = listing.map { listed in
            let own = found.removeValue(forKey: listed.id)
            return (
                entry: own ?? Entry(id: listed.id, classIndex: listed.classIndex, bytes: -1),
                isSame: own == nil || own?.classIndex == listed.classIndex
            )
        }
        // A CSV file's rows remain when their files are deleted.
        guard found.isEmpty, restored.allSatisfy(\.isSame), columns.isEmpty || restored.count == entries.count,
            listing.allSatisfy({ $0.classIndex.map(classNames.indices.contains) ?? true })
        else { return false }
        entries = restored.map(\.entry)
        return true
    }
}
