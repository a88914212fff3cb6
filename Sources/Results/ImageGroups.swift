import Foundation

/// One way to group images: a column of a groups file.
package struct ImageGroups: Sendable, Equatable {
    package var column: String
    /// Image (position in the data's order) to the group it is in; images without one are not there
    package var values: [Int: String]

    package init(column: String, values: [Int: String]) { (self.column, self.values) = (column, values) }

    /// Reads a CSV whose header is `image,<column>,...` and whose rows name images by their ids. An empty field leaves its
    /// image out of that column's groups.
    ///
    /// - Parameter ids: of all images of the data, in their order
    /// - Returns: the columns, and how many of the file's ids are not in the data
    /// - Throws: `ResultsError.failed` for a file that cannot be read, is no such table, names an image twice or none of
    ///   the data
    package static func read(path: String, ids: [String]) throws -> (groups: [ImageGroups], unknown: Int) {
        func failure(_ what: String) -> ResultsError { .failed(action: "read", path: path, detail: what) }
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw failure(
                FileManager.default.fileExists(atPath: path) ? error.localizedDescription : "there is no such file")
        }
        let rows = try CSVText.rows([UInt8](data), path: path)
        guard let header = rows.first?.fields, header.count > 1, header[0] == "image" else {
            throw failure(
                "the first line is to be image,<column>,... and is \"\((rows.first?.fields ?? []).joined(separator: ",").prefix(60))\""
            )
        }
        let names = header.dropFirst()
        guard Set(header).count == header.count, !names.contains("") else {
            throw failure(
                "the names of the columns are to be there and to differ, and are \(header.joined(separator: ","))")
        }
        let positions = Dictionary(ids.enumerated().map { ($1, $0) }) { first, _ in first }
        var groups = names.map { ImageGroups(column: $0, values: [:]) }
        var seen: Set<String> = [], unknown = 0
        for row in rows.dropFirst() {
            guard row.fields.count == header.count else {
                throw failure("line \(row.line): \(row.fields.count) fields, the header has \(header.count)")
            }
            guard seen.insert(row.fields[0]).inserted else {
                throw failure("line \(row.line): the image \(row.fields[0]) is there twice")
            }
            guard let image = positions[row.fields[0]] else {
                unknown += 1
                continue
            }
            for (index, value) in row.fields.dropFirst().enumerated() where !value.isEmpty {
                groups[index].values[image] = value
            }
        }
        if unknown == seen.count {
            throw failure(
                "none of its \(seen.count) images is in the data, whose first is \(ids.first ?? "missing")"
                    + (rows.count > 1 ? ", and the file's first \(rows[1].fields[0])" : ""))
        }
        return (groups, unknown)
    }
}
