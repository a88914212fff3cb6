/// Reads CSV, RFC 4180: commas, optional quotes with "" inside for one, lines that end in \n, \r\n or \r. A byte order
/// mark and empty lines are skipped.
enum CSVText {
    struct Row: Equatable {
        /// Where it starts, from 1
        var line: Int
        var fields: [String]
    }

    /// Hands over row after row.
    ///
    /// - Throws: `ResultsError.failed` with the line of text after a closing quote, of a quote that is never closed, or
    ///   of bytes that are not UTF-8; what `body` throws
    static func forEachRow(_ bytes: [UInt8], path: String, _ body: (Row) throws -> Void) throws {
        let (quote, comma, newline, carriage) = (UInt8(0x22), UInt8(0x2C), UInt8(0x0A), UInt8(0x0D))
        var fields: [String] = [], field: [UInt8] = []
        var line = 1, first = 1, wasQuoted = false
        var at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        func failure(_ line: Int, _ what: String) -> ResultsError {
            .failed(action: "read", path: path, detail: "line \(line): \(what)")
        }
        func endField() throws {
            guard let text = String(validating: field, as: UTF8.self) else {
                throw failure(line, "the text is not UTF-8")
            }
            fields.append(text)
            field.removeAll(keepingCapacity: true)
            wasQuoted = false
        }
        func endRow() throws {
            if !(fields.isEmpty && field.isEmpty && !wasQuoted) {
                try endField()
                try body(Row(line: first, fields: fields))
            }
            fields.removeAll(keepingCapacity: true)
        }
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == quote, field.isEmpty, !wasQuoted {
                let opened = line
                wasQuoted = true
                while true {
                    guard at < bytes.count else { throw failure(opened, "a quote is opened and never closed") }
                    let inner = bytes[at]
                    at += 1
                    if inner == newline { line += 1 }
                    if inner != quote {
                        field.append(inner)
                    } else if at < bytes.count, bytes[at] == quote {
                        field.append(quote)
                        at += 1
                    } else {
                        break
                    }
                }
            } else if byte == comma {
                try endField()
            } else if byte == newline || byte == carriage {
                if byte == carriage, at < bytes.count, bytes[at] == newline { at += 1 }
                try endRow()
                line += 1
                first = line
            } else if wasQuoted {
                throw failure(line, "text follows a closing quote")
            } else {
                field.append(byte)
            }
        }
        try endRow()
    }
}
