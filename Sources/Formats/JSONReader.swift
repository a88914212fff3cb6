import Foundation

/// Reads JSON (RFC 8259, UTF-8) from front to back, in time and memory linear in the text's length.
///
/// Limits: `maxDepth` levels of nesting, and `maxValues` values in any one member of the outermost object.
package struct JSONReader: ~Copyable {
    /// Not JSON, or beyond a limit
    package struct Malformed: Error, Equatable {
        /// Bytes from the start
        package let position: Int
    }

    package static let maxDepth = 256
    package static let maxValues = 2_000_000

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth = 0
    private var values = 0

    private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Reads one JSON text; only white space may follow the value that `body` reads.
    package static func read<Value>(_ data: Data, _ body: (inout JSONReader) throws -> Value) throws -> Value {
        try data.withUnsafeBytes { bytes in
            var reader = JSONReader(bytes)
            let value = try body(&reader)
            reader.skipSpace()
            guard reader.position == bytes.count else { throw reader.malformed }
            return value
        }
    }

    private var malformed: Malformed { Malformed(position: position) }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[position]) { position += 1 }
    }

    /// The next byte that is not white space, without consuming it.
    private mutating func peek() throws -> UInt8 {
        skipSpace()
        guard position < bytes.count else { throw malformed }
        return bytes[position]
    }

    private mutating func take(_ text: StaticString) throws {
        guard bytes.count - position >= text.utf8CodeUnitCount else { throw malformed }
        for i in 0..<text.utf8CodeUnitCount where bytes[position + i] != text.utf8Start[i] { throw malformed }
        position += text.utf8CodeUnitCount
    }

    /// Reads a whole value.
    package mutating func value() throws -> JSON {
        values += 1
        guard values <= Self.maxValues else { throw malformed }
        switch try peek() {
        case UInt8(ascii: "{"):
            var members: [String: JSON] = [:]
            try self.members { key, reader in members[key] = try reader.value() }
            return .object(members)
        case UInt8(ascii: "["):
            var items: [JSON] = []
            try array { reader in items.append(try reader.value()) }
            return .array(items)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try take("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try take("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try take("null")
            return .null
        default: return .number(try number())
        }
    }

    /// Skips a whole value, with the same checks as `value`.
    /// - Returns: the value's byte range
    package mutating func skip() throws -> Range<Int> {
        values += 1
        guard values <= Self.maxValues else { throw malformed }
        let next = try peek(), start = position
        switch next {
        case UInt8(ascii: "{"): try members { _, reader in _ = try reader.skip() }
        case UInt8(ascii: "["): try array { reader in _ = try reader.skip() }
        default:
            values -= 1
            _ = try value()
        }
        return start..<position
    }

    /// Calls `body` with each member's name; `body` must read the member's value.
    package mutating func members(_ body: (String, inout JSONReader) throws -> Void) throws {
        guard try peek() == UInt8(ascii: "{") else { throw malformed }
        try enter()
        if try peek() == UInt8(ascii: "}") { return leave() }
        repeat {
            guard try peek() == UInt8(ascii: "\"") else { throw malformed }
            let key = try string()
            guard try peek() == UInt8(ascii: ":") else { throw malformed }
            position += 1
            if depth == 1 { values = 0 }
            try body(key, &self)
        } while try goesOn(until: UInt8(ascii: "}"))
        depth -= 1
    }

    private mutating func array(_ body: (inout JSONReader) throws -> Void) throws {
        try enter()
        if try peek() == UInt8(ascii: "]") { return leave() }
        repeat { try body(&self) } while try goesOn(until: UInt8(ascii: "]"))
        depth -= 1
    }

    private mutating func enter() throws {
        depth += 1
        guard depth <= Self.maxDepth else { throw malformed }
        position += 1
    }

    private mutating func leave() {
        depth -= 1
        position += 1
    }

    /// Consumes a comma (true) or the end of the object or array (false).
    private mutating func goesOn(until end: UInt8) throws -> Bool {
        let next = try peek()
        guard next == UInt8(ascii: ",") || next == end else { throw malformed }
        position += 1
        return next != end
    }

    private mutating func number() throws -> Double {
        let start = position
        func digits(_ reader: inout JSONReader) throws {
            let first = reader.position
            while reader.position < reader.bytes.count, 0x30...0x39 ~= reader.bytes[reader.position] {
                reader.position += 1
            }
            guard reader.position > first else { throw reader.malformed }
        }
        func takes(_ options: UInt8..., from reader: inout JSONReader) -> Bool {
            guard reader.position < reader.bytes.count, options.contains(reader.bytes[reader.position]) else {
                return false
            }
            reader.position += 1
            return true
        }
        _ = takes(UInt8(ascii: "-"), from: &self)
        if !takes(UInt8(ascii: "0"), from: &self) { try digits(&self) }
        if takes(UInt8(ascii: "."), from: &self) { try digits(&self) }
        if takes(UInt8(ascii: "e"), UInt8(ascii: "E"), from: &self) {
            _ = takes(UInt8(ascii: "+"), UInt8(ascii: "-"), from: &self)
            try digits(&self)
        }
        guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)), value.isFinite else {
            throw malformed
        }
        return value
    }

    private mutating func string() throws -> String {
        position += 1
        let start = position
        while position < bytes.count, bytes[position] >= 0x20, bytes[position] != UInt8(ascii: "\""),
            bytes[position] != UInt8(ascii: "\\")
        {
            position += 1
        }
        guard position < bytes.count else { throw malformed }
        if bytes[position] == UInt8(ascii: "\"") {  // the common case: no escapes
            guard let text = String(validating: bytes[start..<position], as: UTF8.self) else { throw malformed }
            position += 1
            return text
        }
        var text = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw malformed }
                return string
            case UInt8(ascii: "\\"): text += String(try escaped()).utf8
            case 0..<0x20: throw malformed
            default: text.append(byte)
            }
        }
        throw malformed
    }

    /// Reads what follows a backslash
    private mutating func escaped() throws -> Unicode.Scalar {
        guard position < bytes.count else { throw malformed }
        let kind = bytes[position]
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(kind)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if 0xd800..<0xdc00 ~= code {  // the first half of a surrogate pair
                try take("\\u")
                let low = try hexadecimal()
                guard 0xdc00..<0xe000 ~= low else { throw malformed }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw malformed }
            return scalar
        default: throw malformed
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard bytes.count - position >= 4 else { throw malformed }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else { throw malformed }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
