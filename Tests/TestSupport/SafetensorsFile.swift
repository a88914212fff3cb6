import Foundation

/// A plain safetensors reader for the tests, independent of the tested one. It does not validate its file.
package struct SafetensorsFile {
    package struct Entry: Decodable {
        package let dtype: String
        package let shape: [Int]
        let data_offsets: [Int]
    }

    package let entries: [String: Entry]
    private let data: Data

    package init(_ url: URL) throws {
        let file = try Data(contentsOf: url)
        let headerLength = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let json = Data(file[8..<8 + headerLength])
        var header = try JSONSerialization.jsonObject(with: json) as? [String: Any] ?? [:]
        header["__metadata__"] = nil
        entries = try JSONDecoder().decode(
            [String: Entry].self, from: JSONSerialization.data(withJSONObject: header))
        data = Data(file[(8 + headerLength)...])
    }

    /// A tensor's values, row-major, widened to Double.
    package func doubles(_ name: String) throws -> [Double] {
        guard let entry = entries[name] else { throw Missing(tensor: name) }
        let bytes = [UInt8](data[entry.data_offsets[0]..<entry.data_offsets[1]])
        switch entry.dtype {
        case "F64": return words(bytes, as: UInt64.self).map { Double(bitPattern: $0) }
        case "F32": return words(bytes, as: UInt32.self).map { Double(Float(bitPattern: $0)) }
        case "F16": return words(bytes, as: UInt16.self).map { Double(Float16(bitPattern: $0)) }
        case "BF16": return words(bytes, as: UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
        default: throw Missing(tensor: "\(name) in a known type, not \(entry.dtype)")
        }
    }

    package struct Missing: Error, CustomStringConvertible {
        let tensor: String
        package var description: String { "the fixture has no \(tensor)" }
    }
}

/// Little-endian words.
private func words<Word: FixedWidthInteger>(_ bytes: [UInt8], as: Word.Type) -> [Word] {
    let size = MemoryLayout<Word>.size
    return (0..<bytes.count / size).map { i in
        (0..<size).reduce(Word(0)) { $0 | Word(bytes[i * size + $1]) << (8 * $1) }
    }
}
