import Foundation
import TestSupport
import Testing

extension TemporaryFolder {
    /// Copies a model of Tests/Fixtures, to be modified, with the default preprocessing written out.
    func model(_ fixture: String = "tiny", name: String = "model") throws -> String {
        for file in ["config.json", "model.safetensors"] {
            try write("\(name)/\(file)", try Data(contentsOf: fixtures.appendingPathComponent("\(fixture)/\(file)")))
        }
        let config = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(fileURLWithPath: self("\(name)/config.json"))))
        let side = try #require((config as? [String: Any])?["image_size"] as? Int)
        let processor = #"{"image_processor_type": "ViTImageProcessor", "size": \#(side)}"#
        try write("\(name)/preprocessor_config.json", Data(processor.utf8))
        return self(name)
    }

    /// Replaces text in a file.
    func edit(_ name: String, _ old: String, _ new: String) throws {
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: self(name))), as: UTF8.self)
        try #require(text.contains(old))
        try write(name, Data(text.replacingOccurrences(of: old, with: new).utf8))
    }

    /// Class folders with `count` random images each.
    func images(
        _ name: String = "data", classes: [String] = tinyClasses, count: Int = 2, side: Int = 12
    ) throws -> String {
        for folder in classes {
            for i in 0..<count { try write("\(name)/\(folder)/\(i).png", randomPNG(side: side)) }
        }
        return self(name)
    }
}

let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

/// The labels of the fixture `tiny`, which has 3 layers, 2 heads and 10 tokens.
let tinyClasses = ["ash", "birch", "cedar", "dogwood", "elm"]

func randomPNG(side: Int) -> Data {
    png(side: side, (0..<side * side * 3).map { _ in UInt8.random(in: 0 ... .max) })
}

/// An uncompressed RGB PNG.
/// - Parameter pixels: [side, side, 3], side at most 100
func png(side: Int, _ pixels: [UInt8]) -> Data {
    var rows: [UInt8] = []
    for row in 0..<side { rows += [0] + pixels[row * side * 3..<(row + 1) * side * 3] }
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in rows {
        a = (a + UInt32(byte)) % 65521
        b = (b + a) % 65521
    }
    let count = UInt16(rows.count)
    let stored = [0x78, 0x01, 1, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8)] + rows
    return Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        + chunk("IHDR", bigEndian(UInt32(side)) + bigEndian(UInt32(side)) + [8, 2, 0, 0, 0])
        + chunk("IDAT", stored + bigEndian(b << 16 | a)) + chunk("IEND", [])
}

private func bigEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

private func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
    let named = Array(name.utf8) + content
    var crc = ~UInt32(0)
    for byte in named {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? 0xEDB8_8320 ^ crc >> 1 : crc >> 1 }
    }
    return bigEndian(UInt32(content.count)) + named + bigEndian(~crc)
}

/// A CSV text (RFC 4180), read by column.
struct Table {
    var header: [String]
    var rows: [[String: String]]

    init(_ text: String) throws {
        var records: [[String]] = [[]], field = "", isQuoted = false
        var characters = text.unicodeScalars.makeIterator(), pending: Unicode.Scalar?
        while let c = pending ?? characters.next() {
            pending = nil
            if isQuoted {
                guard c == "\"" else {
                    field.unicodeScalars.append(c)
                    continue
                }
                pending = characters.next()
                if pending == "\"" { (field, pending) = (field + "\"", nil) } else { isQuoted = false }
            } else if c == "\"" {
                isQuoted = true
            } else if c == "," || c == "\n" {
                records[records.count - 1].append(field)
                field = ""
                if c == "\n" { records.append([]) }
            } else {
                field.unicodeScalars.append(c)
            }
        }
        try #require(records.popLast() == [] && field.isEmpty, "the last line does not end")
        header = try #require(records.first)
        rows = []
        for record in records.dropFirst() {
            try #require(record.count == header.count)
            rows.append(Dictionary(uniqueKeysWithValues: zip(header, record)))
        }
    }

    subscript(_ column: String) -> [String] { rows.map { $0[column] ?? "no such column" } }

    func floats(_ column: String) throws -> [Float] { try self[column].map { try #require(Float($0)) } }
}

/// Runs a sweep into `folder` and returns its CSV.
func sweep(_ arguments: [String], out folder: String) throws -> String {
    let result = try runVitpatch(["sweep", "--out", folder] + arguments)
    try #require(result.code == 0, "\(arguments): \(result.errors)")
    return try export(folder)
}

func export(_ folder: String) throws -> String {
    let result = try runVitpatch(["export", folder, "--format", "csv"])
    try #require(result.code == 0 && result.errors == "", "\(result.errors)")
    return result.output
}

/// A run-time error: exit code 1, one sentence that names the cause, nothing on standard output.
func expectFailure(
    _ arguments: [String], naming words: [String], environment: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let result = try runVitpatch(arguments, environment: environment)
    let errors = result.errors
    #expect(result.code == 1, "\(arguments): \(errors)", sourceLocation: sourceLocation)
    #expect(result.output == "", "\(arguments)", sourceLocation: sourceLocation)
    #expect(
        errors.hasPrefix("Error: ") && errors.hasSuffix("\n") && errors.split(separator: "\n").count == 1,
        "\(arguments): \(errors)", sourceLocation: sourceLocation)
    for word in words {
        #expect(errors.contains(word), "\(arguments): \(errors)", sourceLocation: sourceLocation)
    }
}

/// A command-line error: exit code 64, one sentence that names what is wrong, nothing on standard output.
func expectUsageError(
    _ arguments: [String], naming words: [String] = [], environment: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let result = try runVitpatch(arguments, environment: environment)
    let lines = result.errors.split(separator: "\n")
    #expect(result.code == 64, "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    #expect(result.output == "", "\(arguments)", sourceLocation: sourceLocation)
    #expect(
        lines.count == 1 && result.errors.hasPrefix("Error: ") && !result.errors.contains("Usage:"),
        "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    for word in words {
        #expect(result.errors.contains(word), "\(arguments): \(result.errors)", sourceLocation: sourceLocation)
    }
}

/// Waits until the running sweep has results in its store.
func waitForAWave(in out: String, of program: RunningProgram) throws {
    let end = Date().addingTimeInterval(30)
    while Date() < end {
        let store = FileManager.default.fileExists(atPath: "\(out)/results.sqlite")
        if store, let result = try? runVitpatch(["export", out, "--format", "csv"]), result.code == 0,
            result.output.split(separator: "\n").count > 1
        {
            return
        }
        try #require(program.isRunning, "the sweep ended before its first wave")
        usleep(10_000)
    }
    Issue.record("no wave in 30 seconds")
}
