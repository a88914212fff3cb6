import Foundation

/// A CSV file (RFC 4180, in UTF-8) with a header, read in linear time.
///
/// Limits: `maxFields` fields in all.
package struct CSV: Sendable {
    package struct Malformed: Error, Equatable {
        package let reason: String
    }

    package static let maxFields = 20_000_000

    /// Names of the columns
    package let header: [String]
    /// The rows below the header, each with as many fields as it; blank lines are left out
    package let rows: [[String]]

    package init(_ data: Data) throws(Malformed) {
        var lines: [[String]] = []
        let bytes = data.starts(with: [0xef, 0xbb, 0xbf]) ? data.dropFirst(3) : data
        var problem: Malformed?
        bytes.withUnsafeBytes { bytes in
            do throws(Malformed) { lines = try Self.lines(bytes) } catch { problem = error }
        }
        if let problem { throw problem }
        guard let header = lines.first else { throw Malformed(reason: "it is empty") }
        self.header = header
        rows = Array(lines.dropFirst())
        for (i, row) in rows.enumerated() where row.count != header.count {
            throw Malformed(reason: "row \(i + 1) has \(row.count) fields, the header has \(header.count)")
        }
    }

    /// Position of a column
    package func column(_ name: String) -> Int? { header.firstIndex(of: name) }

    private static func lines(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> [[String]] {
        var lines: [[String]] = [], line: [String] = [], fields = 0
        var position = 0
        func text(_ bytes: some Collection<UInt8>) throws(Malformed) -> String {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw Malformed(reason: "it is not UTF-8")
            }
            return text
        }
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "\"") {
                var field: [UInt8] = []
                position += 1
                while true {
                    guard let quote = bytes[position...].firstIndex(of: UInt8(ascii: "\"")) else {
                        throw Malformed(reason: "a quoted field does not end")
                    }
                    field += bytes[position..<quote]
                    position = quote + 1
                    guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { break }
                    field.append(UInt8(ascii: "\""))
                    position += 1
                }
                line.append(try text(field))
            } else {
                let start = position
                while position < bytes.count, ![0x2c, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
                line.append(try text(bytes[start..<position]))
            }
            fields += 1
            guard fields <= maxFields else { throw Malformed(reason: "it has more than \(maxFields) fields") }
            if position < bytes.count, bytes[position] == UInt8(ascii: ",") {
                position += 1
                if position == bytes.count { line.append("") }
                continue
            }
            let isEnd = position == bytes.count || bytes[position] == 0x0a || bytes[position] == 0x0d
            guard isEnd else { throw Malformed(reason: "text follows a quoted field") }
            if position < bytes.count, bytes[position] == 0x0d { position += 1 }
            if position < bytes.count, bytes[position] == 0x0a { position += 1 }
            if line != [""] { lines.append(line) }
            line = []
        }
        if !line.isEmpty, line != [""] { lines.append(line) }
        return lines
    }
}
