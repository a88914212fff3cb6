import Files
import Foundation

/// One way to group images: a column of a groups file.
package struct ImageGroups: Sendable, Equatable {
    package var column: String
    private let table: Table
    /// Which of the table's columns
    private let index: Int

    private static let maxBytes = 64 << 20

    /// - Parameter values: image (position in the data's order) to the group it is in; images without one are not there
    package init(column: String, values: [Int: String]) {
        var rows = Table.Rows(columns: 1)
        for (image, value) in values { rows.append(image: image, [value]) }
        self.init(column: column, table: Table(rows), index: 0)
    }

    private init(column: String, table: Table, index: Int) {
        (self.column, self.table, self.index) = (column, table, index)
    }

    /// The group of an image; nil: it is in none.
    package subscript(image: Int) -> String? { table.row(of: image).flatMap { table.value(row: $0, column: index) } }

    /// Images that are in a group, ascending, with it
    package var members: some Sequence<(image: Int, value: String)> {
        table.order.lazy.compactMap { row in
            table.value(row: row, column: index).map { (table.rows.images[row], $0) }
        }
    }

    package static func == (a: ImageGroups, b: ImageGroups) -> Bool {
        a.column == b.column && a.members.elementsEqual(b.members) { $0 == $1 }
    }

    /// The fields of a file, which all of its columns share: their text and where each ends. A string for each field
    /// would take many times the file's size.
    private final class Table: Sendable {
        struct Rows {
            let columns: Int
            var images: [Int] = []
            var text: [UInt8] = []
            /// [rows, columns], in `text`
            var ends: [UInt32] = []

            init(columns: Int) { self.columns = columns }

            mutating func append(image: Int, _ fields: some Sequence<String>) {
                images.append(image)
                for field in fields {
                    text += field.utf8
                    ends.append(UInt32(truncatingIfNeeded: text.count))
                }
            }
        }

        let rows: Rows
        /// Rows by ascending image
        let order: [Int]

        init(_ rows: Rows) {
            self.rows = rows
            order = rows.images.indices.sorted { rows.images[$0] < rows.images[$1] }
        }

        func row(of image: Int) -> Int? {
            var low = 0, high = order.count
            while low < high {
                let middle = (low + high) / 2
                if rows.images[order[middle]] < image { low = middle + 1 } else { high = middle }
            }
            return low < order.count && rows.images[order[low]] == image ? order[low] : nil
        }

        /// nil: the field is empty
        func value(row: Int, column: Int) -> String? {
            let at = row * rows.columns + column
            let start = at == 0 ? 0 : Int(rows.ends[at - 1]), end = Int(rows.ends[at])
            return start == end ? nil : String(decoding: rows.text[start..<end], as: UTF8.self)
        }
    }

    /// Reads a CSV whose header is `image,<column>,...` and whose rows name images by their ids. An empty field leaves
    /// its image out of that column's groups.
    ///
    /// The file has at most 64 MiB. Time is linear in its size, and memory at most four times it.
    ///
    /// - Parameter ids: of all images of the data, in their order
    /// - Returns: the columns, and how many of the file's ids are not in the data
    /// - Throws: `ResultsError.failed` for a file that cannot be read, is no such table, names an image twice or none
    ///   of the data
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
        let bytes: [UInt8]
        do {
            bytes = try Array(InputFile.read(path, limit: maxBytes))
        } catch { throw failure("\(error)") }
        var header: [String] = [], rows = Table.Rows(columns: 0)
        var seen: Set<Int> = [], strangers: Set<String> = [], firstID: String?
        try CSVText.forEachRow(bytes, path: path) { row in
            if header.isEmpty {
                header = row.fields
                try check(header)
                // Reserved, as growing would hold two copies
                rows = Table.Rows(columns: header.count - 1)
                rows.text.reserveCapacity(bytes.count)
                rows.ends.reserveCapacity(bytes.count { $0 == 0x2c })
                return
            }
            guard row.fields.count == header.count else {
                throw failure("line \(row.line): \(row.fields.count) fields, the header has \(header.count)")
            }
            firstID = firstID ?? row.fields[0]
            let image = positions[row.fields[0]]
            guard image.map({ seen.insert($0).inserted }) ?? strangers.insert(row.fields[0]).inserted else {
                throw failure("line \(row.line): the image \(row.fields[0]) is there twice")
            }
            if let image { rows.append(image: image, row.fields.dropFirst()) }
        }
        if header.isEmpty { try check([]) }
        if rows.images.isEmpty {
            throw failure(
                "none of its \(strangers.count) images is in the data, whose first is \(ids.first ?? "missing")"
                    + (firstID.map { ", and the file's first \($0)" } ?? ""))
        }
        let table = Table(rows)
        let groups = header.dropFirst().enumerated().map { ImageGroups(column: $1, table: table, index: $0) }
        return (groups, strangers.count)
    }
}
