/// Runs a pickle's opcodes (CPython's pickletools.py describes each).
struct PickleMachine: ~Copyable {
    typealias Value = Pickle.Value
    typealias Node = Pickle.Node
    typealias Malformed = Pickle.Malformed

    struct Outcome {
        let root: Value, nodes: [Node], strings: [Pickle.Text], end: Int
    }

    let bytes: UnsafeRawBufferPointer
    let functions: Set<String>
    var position: Int
    private var stack: [Value] = []
    /// Heights of the stack where a mark lies
    private var marks: [Int] = []
    private var memo: [Int: Value] = [:]
    private var nodes: [Node] = []
    private var strings: [Pickle.Text] = []
    private var pushed = 0
    /// Bytes of text that had to be unescaped
    private var unescaped = 0

    init(bytes: UnsafeRawBufferPointer, position: Int, functions: Set<String>) {
        (self.bytes, self.position, self.functions) = (bytes, position, functions)
    }

    func malformed(_ reason: String = "it is damaged") -> Malformed { Malformed(reason: reason, position: position) }

    mutating func run() throws(Malformed) -> Outcome {
        while true {
            let opcode = try byte()
            if opcode == UInt8(ascii: ".") {
                return Outcome(root: try pop(), nodes: nodes, strings: strings, end: position)
            }
            try step(opcode)
        }
    }

    private mutating func step(_ opcode: UInt8) throws(Malformed) {
        switch opcode {
        case 0x80: _ = try take(1)  // PROTO
        case 0x95: _ = try take(8)  // FRAME
        case UInt8(ascii: "("): try mark()
        case UInt8(ascii: "0"): if stack.count > marks.last ?? 0 { _ = try pop() } else { _ = try popMark() }
        case UInt8(ascii: "1"): _ = try popMark()
        case UInt8(ascii: "2"): try push(try top())
        case UInt8(ascii: "N"): try push(.none)
        case 0x88, 0x89: try push(.bool(opcode == 0x88))
        case UInt8(ascii: "K"): try push(.integer(try unsigned(1)))
        case UInt8(ascii: "M"): try push(.integer(try unsigned(2)))
        case UInt8(ascii: "J"): try push(.integer(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
        case 0x8a: try pushLong(try unsigned(1))  // LONG1
        case 0x8b: try pushLong(try unsigned(4))  // LONG4
        case UInt8(ascii: "I"), UInt8(ascii: "L"): try pushDecimal(try line())
        case UInt8(ascii: "F"):
            guard let number = Double(text(try line())) else { throw malformed() }
            try push(.double(number))
        case UInt8(ascii: "G"):  // big-endian, unlike everything else
            let pattern = bytes[try take(8)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            try push(.double(Double(bitPattern: pattern)))
        case UInt8(ascii: "U"), UInt8(ascii: "C"), 0x8c: try pushString(try unsigned(1))
        case UInt8(ascii: "T"), UInt8(ascii: "B"), UInt8(ascii: "X"): try pushString(try unsigned(4))
        case 0x8d, 0x8e, 0x96: try pushString(try unsigned(8))
        case UInt8(ascii: "S"): try push(unescaped: try line(), quoted: true)
        case UInt8(ascii: "V"): try push(unescaped: try line(), quoted: false)
        case UInt8(ascii: "]"): try push(.list, [])
        case UInt8(ascii: "}"): try push(.dictionary, [])
        case 0x8f: try push(.set, [])
        case UInt8(ascii: ")"): try push(.tuple, [])
        case 0x85, 0x86, 0x87: try push(.tuple, try pop(Int(opcode) - 0x84))
        case UInt8(ascii: "t"): try push(.tuple, try popMark())
        case UInt8(ascii: "l"): try push(.list, try popMark())
        case UInt8(ascii: "d"): try push(.dictionary, try pairs(popMark()))
        case 0x91: try push(.set, try popMark())
        case UInt8(ascii: "a"): try extend(try pop(1))
        case UInt8(ascii: "e"), 0x90: try extend(try popMark())
        case UInt8(ascii: "s"): try extend(try pop(2), pairs: true)
        case UInt8(ascii: "u"): try extend(try popMark(), pairs: true)
        case UInt8(ascii: "p"): try remember(try slot())
        case UInt8(ascii: "q"): try remember(try unsigned(1))
        case UInt8(ascii: "r"): try remember(try unsigned(4))
        case 0x94: try remember(memo.count)
        case UInt8(ascii: "g"): try recall(try slot())
        case UInt8(ascii: "h"): try recall(try unsigned(1))
        case UInt8(ascii: "j"): try recall(try unsigned(4))
        case UInt8(ascii: "c"):
            let module = text(try line()), name = text(try line())
            try pushGlobal(module, name)
        case 0x93:  // STACK_GLOBAL
            let pair = try pop(2)
            try pushGlobal(try name(pair[0]), try name(pair[1]))
        case UInt8(ascii: "R"), 0x81: try call(try pop(2))
        case UInt8(ascii: "b"):
            let state = try pop()
            guard case .node(let index) = try top(), nodes[index].kind == .call else { throw malformed() }
            nodes[index].state = state
        case UInt8(ascii: "Q"): try push(Node(kind: .persistent, arguments: [try pop()]))
        default: throw malformed("it has the pickle opcode \(opcode), which is not read")
        }
    }
}

// MARK: - Bytes

extension PickleMachine {
    private mutating func take(_ count: Int) throws(Malformed) -> Range<Int> {
        guard count >= 0, count <= bytes.count - position else { throw malformed("it ends early") }
        defer { position += count }
        return position..<position + count
    }

    private mutating func byte() throws(Malformed) -> UInt8 { bytes[try take(1).lowerBound] }

    /// Little-endian
    private mutating func unsigned(_ count: Int) throws(Malformed) -> Int {
        var value: UInt64 = 0
        for i in try take(count).reversed() { value = value << 8 | UInt64(bytes[i]) }
        guard let int = Int(exactly: value) else { throw malformed() }
        return int
    }

    private mutating func line() throws(Malformed) -> Range<Int> {
        guard let end = bytes[position...].firstIndex(of: 10) else { throw malformed("it ends early") }
        defer { position = end + 1 }
        return position..<end
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private mutating func slot() throws(Malformed) -> Int {
        guard let slot = Int(text(try line())) else { throw malformed() }
        return slot
    }
}

// MARK: - The stack

extension PickleMachine {
    private mutating func count() throws(Malformed) {
        pushed += 1
        if pushed > Pickle.maxValues { throw malformed("it has more than \(Pickle.maxValues) values") }
    }

    private mutating func mark() throws(Malformed) {
        try count()
        marks.append(stack.count)
    }

    private mutating func push(_ value: Value) throws(Malformed) {
        try count()
        stack.append(value)
    }

    private mutating func push(_ node: Node) throws(Malformed) {
        if nodes.count == Pickle.maxNodes { throw malformed("it has more than \(Pickle.maxNodes) containers") }
        nodes.append(node)
        try push(.node(nodes.count - 1))
    }

    private mutating func push(_ kind: Node.Kind, _ items: [Value]) throws(Malformed) {
        try push(Node(kind: kind, items: items))
    }

    private func top() throws(Malformed) -> Value {
        guard let top = stack.last, stack.count > marks.last ?? 0 else { throw malformed() }
        return top
    }

    private mutating func pop() throws(Malformed) -> Value {
        _ = try top()
        return stack.removeLast()
    }

    private mutating func pop(_ count: Int) throws(Malformed) -> [Value] {
        guard stack.count - (marks.last ?? 0) >= count else { throw malformed() }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popMark() throws(Malformed) -> [Value] {
        guard let mark = marks.popLast() else { throw malformed() }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private func pairs(_ items: [Value]) throws(Malformed) -> [Value] {
        guard items.count % 2 == 0 else { throw malformed() }
        return items
    }

    private mutating func extend(_ items: [Value], pairs isPairs: Bool = false) throws(Malformed) {
        guard case .node(let index) = try top() else { throw malformed() }
        switch nodes[index].kind {
        case .list, .set: guard !isPairs else { throw malformed() }
        case .dictionary, .call: guard isPairs, items.count % 2 == 0 else { throw malformed() }
        default: throw malformed()
        }
        nodes[index].items += items
    }

    private mutating func remember(_ slot: Int) throws(Malformed) {
        try count()
        memo[slot] = try top()
    }

    private mutating func recall(_ slot: Int) throws(Malformed) {
        guard let value = memo[slot] else { throw malformed() }
        try push(value)
    }
}

// MARK: - Values

extension PickleMachine {
    private mutating func push(text: Pickle.Text) throws(Malformed) {
        strings.append(text)
        try push(.string(strings.count - 1))
    }

    private mutating func pushString(_ length: Int) throws(Malformed) { try push(text: .range(try take(length))) }

    /// All unescaped text together is at most three times as long as the pickle, unless that asks for the same text
    /// again and again.
    private mutating func push(unescaped text: [UInt8]) throws(Malformed) {
        unescaped += text.count
        guard unescaped <= 3 * bytes.count else { throw malformed() }
        try push(text: .bytes(text))
    }

    private func bytes(of string: Int) -> [UInt8] {
        switch strings[string] {
        case .range(let range): Array(bytes[range])
        case .bytes(let bytes): bytes
        }
    }

    /// A short text: a part of a function's name
    private func name(_ value: Value) throws(Malformed) -> String {
        guard case .string(let index) = value else { throw malformed() }
        let length =
            switch strings[index] {
            case .range(let range): range.count
            case .bytes(let bytes): bytes.count
            }
        guard 1...200 ~= length else { throw malformed() }
        return String(decoding: bytes(of: index), as: UTF8.self)
    }

    /// Little-endian two's complement; as text where an Int cannot hold it.
    private mutating func pushLong(_ length: Int) throws(Malformed) {
        let range = try take(length)
        guard length <= 8 else { return try push(text: .range(range)) }
        var value: UInt64 = 0
        for i in range.reversed() { value = value << 8 | UInt64(bytes[i]) }
        let unused = UInt64(64 - 8 * length)
        try push(.integer(length == 0 ? 0 : Int(Int64(bitPattern: value << unused) >> Int64(unused))))
    }

    /// `12`, `12L`, and protocol 0's booleans `00` and `01`
    private mutating func pushDecimal(_ range: Range<Int>) throws(Malformed) {
        var text = text(range)
        if text == "00" || text == "01" { return try push(.bool(text == "01")) }
        if text.hasSuffix("L") { text.removeLast() }
        try push(Int(text).map { .integer($0) } ?? .other)
    }

    private mutating func pushGlobal(_ module: String, _ name: String) throws(Malformed) {
        let function = "\(module).\(name)"
        guard functions.contains(function) else {
            throw malformed(
                "it refers to \(String(function.prefix(100).debugDescription.dropFirst().dropLast())), which is not read"
            )
        }
        try push(Node(kind: .global, function: function))
    }

    private mutating func call(_ pair: [Value]) throws(Malformed) {
        guard case .node(let global) = pair[0], nodes[global].kind == .global,
            case .node(let arguments) = pair[1], nodes[arguments].kind == .tuple
        else { throw malformed() }
        let function = nodes[global].function, values = nodes[arguments].items
        // How protocols 0 to 2 write bytes: as text of code points 0 to 255.
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

    /// Protocol 0's text: `'a\n\x00'` as Python prints bytes, or a line with \uXXXX escapes.
    private mutating func push(unescaped range: Range<Int>, quoted: Bool) throws(Malformed) {
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
                // A line of unicode is Latin-1 outside its escapes.
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
