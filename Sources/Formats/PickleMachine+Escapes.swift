extension PickleMachine {
    /// Pushes protocol 0's text: `'a\n\x00'` as Python prints bytes, or a line with \uXXXX escapes.
    mutating func push(unescaped range: Range<Int>, quoted: Bool) throws(Malformed) {
        var range = range
        if quoted {
            guard range.count >= 2, let quote = [0x22, 0x27].first(where: { $0 == bytes[range.lowerBound] }),
                bytes[range.upperBound - 1] == quote
            else { throw malformed() }
            range = range.lowerBound + 1..<range.upperBound - 1
        }
        guard bytes[range].contains(where: { $0 == UInt8(ascii: "\\") || (!quoted && $0 >= 0x80) }) else {
            return try push(text: .range(range))
        }
        var out: [UInt8] = []
        var i = range.lowerBound
        func hexadecimal(_ start: Int, _ digits: Int) throws(Malformed) -> UInt32 {
            guard start + digits <= range.upperBound,
                let value = UInt32(text(start..<start + digits), radix: 16)
            else { throw malformed() }
            return value
        }
        while i < range.upperBound {
            let byte = bytes[i]
            i += 1
            guard byte == UInt8(ascii: "\\"), i < range.upperBound else {
                // Outside its escapes, a unicode line is Latin-1.
                if quoted || byte < 0x80 { out.append(byte) } else { out += String(Unicode.Scalar(byte)).utf8 }
                continue
            }
            let kind = bytes[i]
            switch (kind, quoted) {
            case (UInt8(ascii: "u"), false), (UInt8(ascii: "U"), false):
                let digits = kind == UInt8(ascii: "u") ? 4 : 8
                guard let scalar = Unicode.Scalar(try hexadecimal(i + 1, digits)) else { throw malformed() }
                out += String(scalar).utf8
                i += 1 + digits
            case (_, false): out.append(byte)
            case (UInt8(ascii: "x"), true):
                out.append(UInt8(truncatingIfNeeded: try hexadecimal(i + 1, 2)))
                i += 3
            default:
                let plain: [UInt8: UInt8] = [
                    UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, UInt8(ascii: "\\"): 0x5c,
                    UInt8(ascii: "'"): 0x27, UInt8(ascii: "\""): 0x22,
                ]
                guard let value = plain[kind] else { throw malformed() }
                out.append(value)
                i += 1
            }
        }
        try push(unescaped: out)
    }
}
