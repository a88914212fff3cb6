import Foundation
import TestSupport
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

extension SplitMix64 {
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

extension TemporaryFolder {
    func write(_ name: String, _ bytes: [UInt8]) throws { try write(name, Data(bytes)) }
}

/// Of all images, in order
func ids(_ data: ImageDataset) -> [String] { (0..<data.count).map(data.id) }
