/// Rows as text: CSV (RFC 4180, but lines end with a plain newline) or one JSON object per line. Numbers are written as
/// the shortest text that reads back as the same number, whatever the locale.
package struct TableText {
    package enum Format { case csv, jsonl }

    package let format: Format
    /// The text written so far that the caller has not taken, UTF-8.
    package var bytes: [UInt8] = []

    package init(_ format: Format) { self.format = format }

    /// The line of column names (CSV only).
    package mutating func header(_ columns: [String]) {
        guard format == .csv else { return }
        raw(columns.joined(separator: ","))
        raw("\n")
    }

    package mutating func beginRow() { if format == .jsonl { raw("{") } }
    package mutating func endRow() { raw(format == .jsonl ? "}\n" : "\n") }

    /// An empty text is an empty CSV field and null in JSON.
    package mutating func field(_ name: String, _ value: String, first: Bool = false) {
        separator(name, first)
        switch format {
        case .csv: csv(value)
        case .jsonl: if value.isEmpty { raw("null") } else { json(value) }
        }
    }

    package mutating func field(_ name: String, _ value: Int) {
        separator(name, false)
        raw(value.description)
    }

    package mutating func field(_ name: String, _ value: Float) {
        separator(name, false)
        number(value, value.isFinite)
    }

    package mutating func field(_ name: String, _ value: Double) {
        separator(name, false)
        number(value, value.isFinite)
    }

    package mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// JSON has neither nan nor inf: both become null.
    private mutating func number(_ value: some CustomStringConvertible, _ isFinite: Bool) {
        raw(isFinite || format == .csv ? value.description : "null")
    }

    private mutating func separator(_ name: String, _ first: Bool) {
        if !first { raw(",") }
        guard format == .jsonl else { return }
        json(name)
        raw(":")
    }

    private mutating func csv(_ text: String) {
        guard text.utf8.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }) else {
            return raw(text)
        }
        bytes.append(0x22)
        for byte in text.utf8 {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }

    private mutating func json(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C:
                bytes.append(0x5C)
                bytes.append(byte)
            case 0..<0x20:
                let hex = String(byte, radix: 16)
                raw("\\u" + String(repeating: "0", count: 4 - hex.count) + hex)
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }
}
