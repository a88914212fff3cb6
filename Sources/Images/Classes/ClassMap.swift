import Formats

/// The file of `--class-map`: a CSV with the columns `folder` and `label`, a label's name or its index.
package struct ClassMap: Sendable {
    /// The file, for messages
    package let name: String
    /// Folder name -> label
    let labels: [String: String]

    /// - Throws: ``ImageError/dataset(path:reason:)``
    package init(path: String) throws {
        name = path
        let csv = try readCSV(path)
        guard let folder = csv.column("folder"), let label = csv.column("label") else {
            throw ImageError.dataset(path: path, reason: "it lacks the columns folder,label")
        }
        var labels: [String: String] = [:]
        for row in 0..<csv.count where labels.updateValue(csv[row, label], forKey: csv[row, folder]) != nil {
            throw ImageError.dataset(path: path, reason: "the folder '\(csv[row, folder])' appears twice")
        }
        self.labels = labels
    }
}

/// A CSV file of at most 1 GiB.
func readCSV(_ path: String) throws -> CSV {
    let bytes = try readFile(path)
    do {
        return try CSV(bytes)
    } catch {
        throw ImageError.dataset(path: path, reason: error.reason)
    }
}
