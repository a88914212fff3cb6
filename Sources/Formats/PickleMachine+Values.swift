// Pushes the values of opcodes: text, numbers, functions and calls.
extension PickleMachine {
    mutating func push(text: Pickle.Text) throws(Malformed) {
        strings.append(text)
        try push(.string(strings.count - 1))
    }

    mutating func pushString(_ length: Int) throws(Malformed) { try push(text: .range(try take(length))) }

    /// Fails if all unescaped text together exceeds three times the pickle's length, which takes decoding the same text
    /// repeatedly.
    mutating func push(unescaped text: [UInt8]) throws(Malformed) {
        unescaped += text.count
        guard unescaped <= 3 * bytes.count else { throw malformed() }
        try push(text: .bytes(text))
    }

    func bytes(of string: Int) -> [UInt8] {
        switch strings[string] {
        case .range(let range): Array(bytes[range])
        case .bytes(let bytes): bytes
        }
    }

    /// A short text: part of a function's name
    func name(_ value: Value) throws(Malformed) -> String {
        guard case .string(let index) = value else { throw malformed() }
        let length =
            switch strings[index] {
            case .range(let range): range.count
            case .bytes(let bytes): bytes.count
            }
        guard 1...200 ~= length else { throw malformed() }
        return String(decoding: bytes(of: index), as: UTF8.self)
    }

    /// Little-endian two's complement; pushed as bytes if longer than an Int.
    mutating func pushLong(_ length: Int) throws(Malformed) {
        let range = try take(length)
        guard length <= 8 else { return try push(text: .range(range)) }
        var value: UInt64 = 0
        for i in range.reversed() { value = value << 8 | UInt64(bytes[i]) }
        let unused = UInt64(64 - 8 * length)
        try push(.integer(length == 0 ? 0 : Int(Int64(bitPattern: value << unused) >> Int64(unused))))
    }

    /// `12`, `12L`, and protocol 0's booleans `00` and `01`
    mutating func pushDecimal(_ range: Range<Int>) throws(Malformed) {
        var text = text(range)
        if text == "00" || text == "01" { return try push(.bool(text == "01")) }
        if text.hasSuffix("L") { text.removeLast() }
        try push(Int(text).map { .integer($0) } ?? .other)
    }

    mutating func pushGlobal(_ module: String, _ name: String) throws(Malformed) {
        let function = "\(module).\(name)"
        guard functions.contains(function) else {
            throw malformed(
                "it refers to \(String(function.prefix(100).debugDescription.dropFirst().dropLast())), which is not supported"
            )
        }
        try push(Node(kind: .global, function: function))
    }

    mutating func call(_ pair: [Value]) throws(Malformed) {
        guard case .node(let global) = pair[0], nodes[global].kind == .global,
            case .node(let arguments) = pair[1], nodes[arguments].kind == .tuple
        else { throw malformed() }
        let function = nodes[global].function, values = nodes[arguments].items
        // Protocols 0 to 2 write bytes as text of code points 0 to 255.
        if function == "_codecs.encode", values.count == 2, case .string(let text) = values[0],
            try name(values[1]) == "latin1"
        {
            guard let decoded = String(validating: bytes(of: text), as: UTF8.self) else { throw malformed() }
            let latin = decoded.unicodeScalars.map { UInt8(exactly: $0.value) }
            guard !latin.contains(nil) else { throw malformed() }
            return try push(unescaped: latin.compactMap { $0 })
        }
        try push(Node(kind: .call, function: function, arguments: values))
    }
}
