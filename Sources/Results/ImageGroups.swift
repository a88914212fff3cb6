import Files
import Formats
import Foundation

/// One way to group images: a column of a groups file. The columns of a file share storage.
package struct ImageGroups: Sendable, Equatable {
    package var column: String
    private let values: CSV.Column
    /// The images that rows name, ascending, and their rows
    private let images: [Int], rows: [Int]

    private static let maxBytes = 64 << 20

    /// - Parameter values: image (index in the data's order) to its group; images without a group are missing
    package init(column: String, values: [Int: String]) {
        let members = values.sorted { $0.key < $1.key }
        self.init(column: column, images: members.map(\.key), values: members.map(\.value), beside: nil)
    }

    /// - Parameters:
    ///   - images: ascending
    ///   - values: the group of each
    ///   - other: shares its list of images if that is the same
    init(column: String, images: [Int], values: [String], beside other: ImageGroups?) {
        let csv = CSV(header: column, values: values)
        let isShared = other?.images == images && other?.rows == Array(images.indices)
        self.init(
            column: column, values: csv.values(0), images: isShared ? other?.images ?? images : images,
            rows: isShared ? other?.rows ?? [] : Array(images.indices))
    }

    /// - Parameter values: the group of every image of the data, empty for those in no group
    package init(column: String, values: CSV.Column) {
        self.init(column: column, values: values, images: Array(values.indices), rows: Array(values.indices))
    }

    private init(column: String, values: CSV.Column, images: [Int], rows: [Int]) {
        (self.column, self.values, self.images, self.rows) = (column, values, images, rows)
    }

    /// The group of an image; nil if it is in none.
    package subscript(image: Int) -> String? {
        var low = 0, high = images.count
        while low < high {
            let middle = (low + high) / 2
            if images[middle] < image { low = middle + 1 } else { high = middle }
        }
        guard low < images.count, images[low] == image else { return nil }
        let value = values[rows[low]]
        return value.isEmpty ? nil : value
    }

    /// Images that are in a group, ascending, with their groups
    package var members: some Sequence<(image: Int, value: String)> {
        zip(images, rows).lazy.map { (image: $0, value: values[$1]) }.filter { !$0.value.isEmpty }
    }

    package static func == (a: ImageGroups, b: ImageGroups) -> Bool {
        a.column == b.column && a.members.elementsEqual(b.members) { $0 == $1 }
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
        let csv: CSV
        do {
            csv = try CSV(InputFile.read(path, limit: maxBytes))
        } catch let error as CSV.Malformed { throw failure(error.reason) } catch { throw failure("\(error)") }
        let header = csv.header
        guard header.count > 1, header[0] == "image" else {
            throw failure(
                "the first line must be image,<column>,... but is \"\(header.joined(separator: ",").prefix(60))\"")
        }
        guard Set(header).count == header.count, !header.contains("") else {
            throw failure(
                "column names must be non-empty and unique, but are "
                    + "\(header.joined(separator: ",").prefix(1000))")
        }
        let positions = Dictionary(ids.enumerated().map { ($1, $0) }) { first, _ in first }
        var found: [(image: Int, row: Int)] = [], seen: Set<Int> = [], strangers: Set<String> = []
        for row in 0..<csv.count {
            let id = csv[row, 0], image = positions[id]
            guard image.map({ seen.insert($0).inserted }) ?? strangers.insert(id).inserted else {
                throw failure("line \(csv.line(row)): the image \(id) appears twice")
            }
            if let image { found.append((image, row)) }
        }
        if found.isEmpty {
            throw failure(
                "none of its \(csv.count) images is in the data, whose first is \(ids.first ?? "missing")"
                    + (csv.count == 0 ? "" : ", and the file's first \(csv[0, 0])"))
        }
        found.sort { $0.image < $1.image }
        let images = found.map(\.image), rows = found.map(\.row)
        let groups = header.indices.dropFirst().map {
            ImageGroups(column: header[$0], values: csv.values($0), images: images, rows: rows)
        }
        return (groups, strangers.count)
    }
}
