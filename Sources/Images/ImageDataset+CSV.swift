import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension ImageDataset {
    /// The images that a CSV file lists.
    static func csv(_ path: String, allowsMissing: Bool = false) throws -> ImageDataset {
        func fail(_ reason: String) -> ImageError { .dataset(path: path, reason: reason) }
        let csv = try readCSV(path)
        guard let image = csv.column("image") ?? csv.column("file_name") else {
            throw fail("it lacks the column image (or file_name); it has \(csv.header.joined(separator: ","))")
        }
        let label = csv.column("label")
        let root = path.contains("/") ? String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex)) : "."
        let labels = label.map(csv.values)
        let classNames = Set(labels?.filter { !$0.isEmpty } ?? []).sorted(by: precedes)
        let classIndices = Dictionary(uniqueKeysWithValues: zip(classNames, 0...))
        var seen: Set<String> = []
        var entries: [Entry] = []
        for row in 0..<csv.count {
            let id = csv[row, image]
            guard !id.isEmpty else { throw fail("line \(csv.line(row)) names no image") }
            guard seen.insert(id).inserted else { throw fail("the image \(id) appears twice (line \(csv.line(row)))") }
            let file = join(root, id)
            let bytes = allowsMissing && !FileManager.default.fileExists(atPath: file) ? -1 : try fileSize(file)
            entries.append(Entry(id: id, classIndex: labels.flatMap { classIndices[$0[row]] }, bytes: bytes))
        }
        guard !entries.isEmpty else { throw fail("it lists no image") }
        var columns: [String: CSV.Column] = [:]
        for (c, name) in csv.header.enumerated() where c != image && c != label {
            guard columns.updateValue(csv.values(c), forKey: name) == nil else {
                throw fail("the column \(name) appears twice")
            }
        }
        return ImageDataset(
            name: path, classNames: classNames, entries: entries, source: .files(root: root.isEmpty ? "/" : root),
            columns: columns)
    }
}
