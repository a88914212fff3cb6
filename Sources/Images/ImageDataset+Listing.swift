extension ImageDataset {
    /// What a data set of files lists, in its order: enough to find files that were deleted since.
    package struct Listed: Sendable, Equatable {
        package var id: String
        package var classIndex: Int?
        /// Of the file; negative where it was not there
        package var bytes: Int

        package init(id: String, classIndex: Int?, bytes: Int) {
            (self.id, self.classIndex, self.bytes) = (id, classIndex, bytes)
        }
    }

    /// Empty where images are no files of their own.
    package var listing: [Listed] {
        guard case .files = source else { return [] }
        return entries.map { Listed(id: $0.id, classIndex: $0.classIndex, bytes: $0.bytes) }
    }

    /// Positions of the images whose files are not there
    package var missing: Set<Int> { Set(entries.indices.filter { entries[$0].bytes < 0 }) }

    /// Puts files that were deleted since `listing` was made back at their places, as missing ones.
    ///
    /// - Returns: whether the data set is then the one that was listed: false, and nothing changed, where it has images or
    ///   classes that the listing has not
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
        // Rows of a CSV file stay when their files go.
        guard found.isEmpty, restored.allSatisfy(\.isSame), columns.isEmpty || restored.count == entries.count,
            listing.allSatisfy({ $0.classIndex.map(classNames.indices.contains) ?? true })
        else { return false }
        entries = restored.map(\.entry)
        return true
    }
}
