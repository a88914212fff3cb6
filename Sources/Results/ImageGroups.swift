import Files

/// One way to group images: a column of a groups file.
package struct ImageGroups: Sendable, Equatable {
    package var column: String
    /// Image (position in the data's order) to the group it is in; images without one are not there
    package var values: [Int: String]

    private static let maxBytes = 64 << 20

    package init(column: String, values: [Int: String]) { (self.column, self.values) = (column, values) }

    /// Reads a CSV whose header is `image,<column>,...` and whose rows name images by their ids. An empty field leaves
    /// its image out of that column's groups.
    ///
    /// The file has at most 64 MiB. Linear in its size.
    ///
    /// - Parameter ids: of all images of the data, in their order
    /// - Returns: the columns, and how many of the file's ids are not in the data
    /// - Throws: `FileError` for a file that cannot be read; `ResultsError.failed` for one that is no such table, names
    ///   an image twice or none of the data
    package static func read(path: String, ids: [String]) throws -> (groups: [ImageGroups], unknown: Int) {
        func failure(_ what: String) -> ResultsError { .failed(action: "read", path: path, detail: what) }
        func check(_ header: [String]) throws {
            guard header.count > 1, header[0] == "image" else {
                throw failure(
                    "the first line is to be image,<column>,... and is \"\(header.joined(separator: ",").prefix(60))\"")
            }
            guard Set(header).count == header.count, !header.contains("") else {
                throw failure(
                    "the names of the columns are to be there and to differ, and are "
                        + "\(header.joined(separator: ",").prefix(1000))")
            }
        }
        let positions = Dictionary(ids.enumerated().map { ($1, $0) }) { first, _ in first }
        var header: [String] = [], groups: [ImageGroups] = []
        var seen: Set<String> = [], unknown = 0, firstID: String?
        try CSVText.forEachRow(readFile(path, limit: maxBytes), path: path) { row in
            if header.isEmpty {
                header = row.fields
                try check(header)
                groups = header.dropFirst().map { ImageGroups(column: $0, values: [:]) }
                return
            }
            guard row.fields.count == header.count else {
                throw failure("line \(row.line): \(row.fields.count) fields, the header has \(header.count)")
            }
            firstID = firstID ?? row.fields[0]
            guard seen.insert(row.fields[0]).inserted else {
                throw failure("line \(row.line): the image \(row.fields[0]) is there twice")
            }
            guard let image = positions[row.fields[0]] else {
                unknown += 1
                return
            }
            for index in groups.indices where !row.fields[index + 1].isEmpty {
                groups[index].values[image] = row.fields[index + 1]
            }
        }
        if header.isEmpty { try check([]) }
        if unknown == seen.count {
            throw failure(
                "none of its \(seen.count) images is in the data, whose first is \(ids.first ?? "missing")"
                    + (firstID.map { ", and the file's first \($0)" } ?? ""))
        }
        return (groups, unknown)
    }
}
