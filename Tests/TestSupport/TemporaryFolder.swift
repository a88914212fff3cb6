import Foundation

/// A temporary folder, removed when the test releases it.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in it
    package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// - Returns: the path of the file, whose folders are created
    @discardableResult
    package func write(_ name: String, _ data: Data) throws -> String {
        let file = URL(fileURLWithPath: self(name))
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: file)
        return file.path
    }
}
