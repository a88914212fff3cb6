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
    var stack: [Value] = []
    /// Stack heights at the marks
    var marks: [Int] = []
    var memo: [Int: Value] = [:]
    var nodes: [Node] = []
    var strings: [Pickle.Text] = []
    var pushed = 0
    /// Total bytes of unescaped text
    var unescaped = 0

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
        case UInt8(ascii: "G"):  // big-endian, unlike all other numbers
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
        default: throw malformed("it has the pickle opcode \(opcode), which is not supported")
        }
    }
}

// MARK: - Bytes

extension PickleMachine {
    mutating func take(_ count: Int) throws(Malformed) -> Range<Int> {
        guard count >= 0, count <= bytes.count - position else { throw malformed("it ends early") }
        defer { position += count }
        return position..<position + count
    }

    mutating func byte() throws(Malformed) -> UInt8 { bytes[try take(1).lowerBound] }

    /// Little-endian
    mutating func unsigned(_ count: Int) throws(Malformed) -> Int {
        var value: UInt64 = 0
        for i in try take(count).reversed() { value = value << 8 | UInt64(bytes[i]) }
        guard let int = Int(exactly: value) else { throw malformed() }
        return int
    }

    mutating func line() throws(Malformed) -> Range<Int> {
        guard let end = bytes[position...].firstIndex(of: 10) else { throw malformed("it ends early") }
        defer { position = end + 1 }
        return position..<end
    }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    mutating func slot() throws(Malformed) -> Int {
        guard let slot = Int(text(try line())) else { throw malformed() }
        return slot
    }
}
