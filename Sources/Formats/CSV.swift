import Foundation

/// A CSV file (RFC 4180, UTF-8) with a header: comma-separated, "" for a quote inside quotes, lines ending in \n, \r\n
/// or \r. A byte order mark and empty lines are skipped.
///
/// Time is linear in the file's size. Fields are stored as one text with their end offsets, because a String per field
/// would take many times the file's size. Limits: `maxFields` fields in all, and 4 GiB of text.
package struct CSV: Sendable {
    package struct Malformed: Error, Equatable {
        package let reason: String
    }

    package static let maxFields = 20_000_000

    /// Column names
    package let header: [String]
    private let text: [UInt8]
    /// Where each field below the header ends in `text`, [rows, columns]
    private let ends: [UInt32]
    /// The line of the file where each row starts, from 1
    private let lines: [UInt32]

    /// The number of rows below the header
    package var count: Int { ends.count / max(header.count, 1) }

    /// - Throws: `Malformed`, with the line number, for a row whose field count differs from the header's, text after a
    ///   closing quote, an unclosed quote, or bytes that are not UTF-8
    package init(_ bytes: some ContiguousBytes) throws(Malformed) {
        let result: Result<CSVParser, Malformed> = bytes.withUnsafeBytes { bytes in
            var parser = CSVParser(bytes)
            do throws(Malformed) {
                try parser.run()
                return .success(parser)
            } catch { return .failure(error) }
        }
        let parser = try result.get()
        guard let header = parser.header else { throw Malformed(reason: "it is empty") }
        (self.header, text, ends, lines) = (header, parser.text, parser.ends, parser.lines)
    }

    /// A table of one column
    package init(header: String, values: some Sequence<String>) {
        var text: [UInt8] = [], ends: [UInt32] = []
        for value in values {
            text += value.utf8
            ends.append(UInt32(truncatingIfNeeded: text.count))
        }
        (self.header, self.text, self.ends) = ([header], text, ends)
        lines = []
    }

    /// Position of a column
    package func column(_ name: String) -> Int? { header.firstIndex(of: name) }

    /// The line of the file where a row starts, from 1
    package func line(_ row: Int) -> Int { row < lines.count ? Int(lines[row]) : row + 2 }

    package subscript(row: Int, column: Int) -> String {
        let range = range(row, column)
        return String(decoding: text[range], as: UTF8.self)
    }

    package func isEmpty(_ row: Int, _ column: Int) -> Bool { range(row, column).isEmpty }

    private func range(_ row: Int, _ column: Int) -> Range<Int> {
        let at = row * header.count + column
        return (at == 0 ? 0 : Int(ends[at - 1]))..<Int(ends[at])
    }

    /// A column's values; each String is created on access
    package struct Column: RandomAccessCollection, Sendable {
        let csv: CSV
        let column: Int
        package var startIndex: Int { 0 }
        package var endIndex: Int { csv.count }
        package subscript(row: Int) -> String { csv[row, column] }
    }

    package func values(_ column: Int) -> Column { Column(csv: self, column: column) }
}

/// Parses a CSV file's bytes from front to back.
private struct CSVParser {
    private let bytes: UnsafeRawBufferPointer
    private(set) var header: [String]?
    private(set) var text: [UInt8] = []
    private(set) var ends: [UInt32] = []
    private(set) var lines: [UInt32] = []
    private var position = 0, line = 1
    /// Fields of the current row
    private var fields: [String] = [], count = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private func malformed(_ line: Int, _ what: String) -> CSV.Malformed {
        CSV.Malformed(reason: "line \(line): \(what)")
    }

    private func isEnd(_ byte: UInt8) -> Bool { byte == 0x2c || byte == 0x0a || byte == 0x0d }

    mutating func run() throws(CSV.Malformed) {
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
        // Reserved in advance: growing would hold two copies.
        text.reserveCapacity(bytes.count)
        ends.reserveCapacity(min(bytes.count { $0 == 0x2c || $0 == 0x0a || $0 == 0x0d } + 1, CSV.maxFields))
        while position < bytes.count {
            let first = line, start = position
            while true {
                try field()
                guard position < bytes.count, bytes[position] == 0x2c else { break }
                position += 1
            }
            try endRow(first, isBlank: position == start)
            if position < bytes.count, bytes[position] == 0x0d { position += 1 }
            if position < bytes.count, bytes[position] == 0x0a { position += 1 }
            line += 1
        }
    }

    private mutating func field() throws(CSV.Malformed) {
        let start = text.count
        if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
            try quoted()
        } else {
            let end = bytes[position...].firstIndex(where: isEnd) ?? bytes.count
            text += bytes[position..<end]
            position = end
        }
        count += 1
        let isASCII = text[start...].allSatisfy { $0 < 0x80 }
        if header == nil || !isASCII {
            guard let string = String(validating: text[start...], as: UTF8.self) else {
                throw malformed(line, "the text is not UTF-8")
            }
            if header == nil {
                fields.append(string)
                text.removeSubrange(start...)
                return
            }
        }
        guard ends.count < CSV.maxFields else {
            throw CSV.Malformed(reason: "it has more than \(CSV.maxFields) fields")
        }
        guard let end = UInt32(exactly: text.count) else {
            throw CSV.Malformed(reason: "it has more than 4 GiB of text")
        }
        ends.append(end)
    }

    private mutating func quoted() throws(CSV.Malformed) {
        let opened = line
        position += 1
        while true {
            guard let quote = bytes[position...].firstIndex(of: UInt8(ascii: "\"")) else {
                throw malformed(opened, "a quote is never closed")
            }
            text += bytes[position..<quote]
            line += bytes[position..<quote].count { $0 == 0x0a }
            position = quote + 1
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { break }
            text.append(UInt8(ascii: "\""))
            position += 1
        }
        if position < bytes.count, !isEnd(bytes[position]) { throw malformed(line, "text follows a closing quote") }
    }

    private mutating func endRow(_ first: Int, isBlank: Bool) throws(CSV.Malformed) {
        defer { (fields, count) = ([], 0) }
        guard let header else {
            if !isBlank { self.header = fields }
            return
        }
        if isBlank {
            ends.removeLast()
        } else {
            guard count == header.count else {
                throw malformed(first, "\(count) fields, the header has \(header.count)")
            }
            lines.append(UInt32(truncatingIfNeeded: first))
        }
    }
}
