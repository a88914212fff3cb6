import Foundation

/// A reader of a kind of file, and files to begin with, for `make fuzz` and FuzzTests.
///
/// `read` does what the program does with such a file. Whatever the bytes are, it returns or throws; it does not trap,
/// hang, or take memory without limit.
package struct FuzzReader: Sendable, CustomStringConvertible {
    package let name: String
    /// Files that the reader takes
    package let seeds: @Sendable () throws -> [[UInt8]]
    package let read: @Sendable (Data) throws -> Void

    package var description: String { name }

    package static let all: [FuzzReader] = texts + models + pictures + stores

    /// Readers that take long for one input
    package static let slow: Set<String> = ["store", "store-values", "report"]

    /// The text of a file in `Tests/Fixtures`, or all files of a folder there whose names end in one of `suffixes`
    static func fixtures(_ path: String, _ suffixes: String..., largest: Int = 1 << 14) throws -> [[UInt8]] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/\(path)")
        if suffixes.isEmpty { return [Array(try Data(contentsOf: root))] }
        return try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
            .filter { name in suffixes.contains { name.hasSuffix($0) } }
            .map { Array(try Data(contentsOf: root.appendingPathComponent($0))) }.filter { $0.count <= largest }
    }
}

extension FuzzReader {
    /// Inputs that were found once, `Tests/Fixtures/fuzz/READER-WHAT`
    static func found(_ reader: String) throws -> [[UInt8]] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/fuzz")
        return try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
            .filter { $0.hasPrefix(reader + "-") }.map { Array(try Data(contentsOf: root.appendingPathComponent($0))) }
    }
}

/// A folder for readers that want paths.
final class FuzzFolder: Sendable {
    let path: String

    init() throws {
        // scripts/fuzz.sh names one, which it removes.
        let root = ProcessInfo.processInfo.environment["FUZZ_FOLDER"] ?? FileManager.default.temporaryDirectory.path
        path = "\(root)/vitpatch-fuzz-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ data: Data, _ name: String) throws -> String {
        let path = "\(self.path)/\(name)"
        try data.write(to: URL(fileURLWithPath: path))
        return path
    }
}

/// Changes, cuts, repeats and exchanges a few bytes.
package func mutated(_ bytes: [UInt8], _ random: inout some RandomNumberGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[at] = .random(in: 0...255, using: &random)
        case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...16, using: &random)))
        case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 16)], at: at)
        default: bytes.replaceSubrange(at..<min(bytes.count, at + 4), with: [0xff, 0xff, 0xff, 0x7f])
        }
    }
    return bytes
}
