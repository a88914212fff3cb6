import Foundation

/// A reader of one kind of file, with seed files, for `make fuzz` and FuzzTests.
///
/// `read` processes such a file as the program does. For any bytes it must return or throw; it must not trap, hang, or
/// use unlimited memory.
package struct FuzzReader: Sendable, CustomStringConvertible {
    package let name: String
    /// Files that the reader accepts
    package let seeds: @Sendable () throws -> [[UInt8]]
    package let read: @Sendable (Data) throws -> Void

    package var description: String { name }

    package static let all: [FuzzReader] = texts + models + pictures + stores

    /// Readers that are slow on single inputs
    package static let slow: Set<String> = ["store", "store-values", "report"]

    /// The bytes of one file in `Tests/Fixtures`, or of all files in a folder there with one of the `suffixes`
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
    /// Inputs found by earlier fuzzing, `Tests/Fixtures/fuzz/READER-WHAT`
    static func found(_ reader: String) throws -> [[UInt8]] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/fuzz")
        return try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
            .filter { $0.hasPrefix(reader + "-") }.map { Array(try Data(contentsOf: root.appendingPathComponent($0))) }
    }
}

/// A temporary folder for readers that take paths.
final class FuzzFolder: Sendable {
    let path: String

    init() throws {
        // FUZZ_FOLDER is set and removed by scripts/fuzz.sh.
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

/// Changes, cuts, repeats or swaps a few bytes.
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
