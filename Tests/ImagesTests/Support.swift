import Foundation
import Testing

@testable import Images

/// The files written by scripts/fixtures/images.py
let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/images")

func fixture(_ path: String) throws -> [UInt8] {
    try Array(Data(contentsOf: fixtures.appendingPathComponent(path)))
}

func fixtureNames(_ folder: String, _ suffixes: String...) -> [String] {
    let names =
        (try? FileManager.default.contentsOfDirectory(atPath: fixtures.appendingPathComponent(folder).path)) ?? []
    return names.filter { name in suffixes.contains { name.hasSuffix($0) } }.sorted()
}

/// Reads a P6 file: "P6\nWIDTH HEIGHT\n255\n" and the bytes
func ppm(_ path: String) throws -> RGBImage {
    let bytes = try fixture(path)
    let lines = bytes.split(separator: 10, maxSplits: 3, omittingEmptySubsequences: false)
    let size = String(decoding: lines[1], as: UTF8.self).split(separator: " ").compactMap { Int($0) }
    return try RGBImage(width: size[0], height: size[1], pixels: Array(lines[3]))
}

func source() throws -> RGBImage {
    try decodeImage(fixture("source.png"), name: "source.png")
}

/// SplitMix64, so that a failure can be repeated with the printed seed
struct Random: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64 = .random(in: 0...UInt64.max)) {
        self.seed = seed
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func image(width: Int, height: Int) throws -> RGBImage {
        var bytes = [UInt8](repeating: 0, count: width * height * 3)
        for i in bytes.indices { bytes[i] = .random(in: 0...255, using: &self) }
        return try RGBImage(width: width, height: height, pixels: bytes)
    }
}

/// The message of the ImageError that `body` throws; nil if it throws none
func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let error as ImageError {
        return error.description
    } catch {
        Issue.record("not an ImageError: \(error)")
        return nil
    }
}

/// A temporary folder, removed when the test is over
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("images-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let url = URL(fileURLWithPath: path).appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }
}
