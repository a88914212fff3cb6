/// Reads the dictionary in a CIFAR python batch: lists of numbers and strings, and one NumPy array of bytes.
///
/// A pickle is a program for a small stack machine. This one only builds plain values: names of functions are kept as
/// text and calls are recorded, never made. Protocol 0's text opcodes are not read.
struct Pickle {
    private let bytes: [UInt8]
    private let path: String
    private var root: [(key: String, value: Value)] = []

    fileprivate enum Value {
        case mark
        case other  // None, booleans, floats: nothing here needs them
        case flag(Bool)
        case integer(Int)
        case string(Range<Int>)  // where it lies in the file
        case name(String)  // module.name
        case tuple([Value])
        case list(List)
        case call(Call)
    }

    /// A list, or a dictionary as its keys and values by turns; shared through the memo.
    fileprivate final class List {
        let isDictionary: Bool
        var items: [Value] = []
        init(isDictionary: Bool) { self.isDictionary = isDictionary }
    }

    fileprivate final class Call {
        let function: String
        let arguments: [Value]
        var state: [Value] = []
        init(function: String, arguments: [Value]) {
            self.function = function
            self.arguments = arguments
        }
    }

    init(_ bytes: [UInt8], path: String) throws {
        self.bytes = bytes
        self.path = path
        var machine = Machine(bytes: bytes)
        guard let result = machine.run(), case .list(let list) = result, list.isDictionary else {
            throw ImageError.dataset(
                path: path, reason: "it is not a CIFAR batch in the python version (byte \(machine.position))")
        }
        for i in stride(from: 0, to: list.items.count - 1, by: 2) {
            if case .string(let range) = list.items[i] {
                root.append((String(decoding: bytes[range], as: UTF8.self), list.items[i + 1]))
            }
        }
    }

    private func list(_ key: String) throws -> [Value] {
        for (name, value) in root where name == key {
            if case .list(let list) = value, !list.isDictionary { return list.items }
        }
        throw ImageError.dataset(path: path, reason: "it has no list '\(key)'")
    }

    func integers(_ key: String) throws -> [Int] {
        try list(key).map {
            guard case .integer(let value) = $0 else {
                throw ImageError.dataset(path: path, reason: "'\(key)' does not hold integers only")
            }
            return value
        }
    }

    func strings(_ key: String) throws -> [String] {
        try list(key).map {
            guard case .string(let range) = $0 else {
                throw ImageError.dataset(path: path, reason: "'\(key)' does not hold strings only")
            }
            return String(decoding: bytes[range], as: UTF8.self)
        }
    }

    /// Where a NumPy array of bytes, [N, columns] in C order, lies in the file.
    func byteArray(_ key: String, columns: Int) throws -> Range<Int> {
        for (name, value) in root where name == key {
            // state: version, shape, dtype, Fortran order, data
            guard case .call(let array) = value, array.function.hasSuffix("multiarray._reconstruct"),
                array.state.count == 5, case .tuple(let shape) = array.state[1], shape.count == 2,
                case .integer(let rows) = shape[0], case .integer(columns) = shape[1],
                case .call(let type) = array.state[2], type.function == "numpy.dtype",
                case .string(let typeName)? = type.arguments.first, bytes[typeName].elementsEqual("u1".utf8),
                case .flag(false) = array.state[3], case .string(let data) = array.state[4],
                rows > 0, data.count / columns == rows, data.count % columns == 0
            else { break }
            return data
        }
        throw ImageError.dataset(path: path, reason: "it has no array '\(key)' of bytes with \(columns) columns")
    }
}

extension Pickle.Value {
    fileprivate var integer: Int? {
        if case .integer(let value) = self { value } else { nil }
    }
}

/// Runs the opcodes; nil from any of its functions means that the file is not what is read here.
private struct Machine {
    typealias Value = Pickle.Value

    let bytes: [UInt8]
    var position = 0
    var stack: [Value] = []
    var memo: [Int: Value] = [:]
    // Nested containers are freed recursively, so their number is bounded; a batch has a dozen.
    var containers = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func take(_ count: Int) -> Range<Int>? {
        guard count >= 0, count <= bytes.count - position else { return nil }
        defer { position += count }
        return position..<position + count
    }

    /// Little-endian, unsigned
    mutating func number(_ count: Int) -> Int? {
        guard let range = take(count) else { return nil }
        var value: UInt64 = 0
        for i in range.reversed() { value = value << 8 | UInt64(bytes[i]) }
        return Int(exactly: value)
    }

    mutating func line() -> String? {
        guard let end = bytes[position...].firstIndex(of: 10) else { return nil }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }

    mutating func text(_ lengthBytes: Int) -> Bool {
        guard let length = number(lengthBytes), let range = take(length) else { return false }
        stack.append(.string(range))
        return true
    }

    /// The values above the last mark, which are removed with it
    mutating func popMark() -> [Value]? {
        guard let mark = stack.lastIndex(where: { if case .mark = $0 { true } else { false } }) else { return nil }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[(mark + 1)...])
    }

    mutating func pop(_ count: Int) -> [Value]? {
        guard stack.count >= count else { return nil }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    mutating func pushTuple(_ items: [Value]?) -> Bool {
        guard let items else { return false }
        return push(.tuple(items))
    }

    mutating func push(_ container: Value) -> Bool {
        containers += 1
        stack.append(container)
        return containers <= 1000
    }

    mutating func extend(_ items: [Value]?, dictionary: Bool) -> Bool {
        guard let items, case .list(let list)? = stack.last, list.isDictionary == dictionary,
            !dictionary || items.count % 2 == 0
        else { return false }
        list.items += items
        return true
    }

    mutating func remember(_ slot: Int?) -> Bool {
        guard let slot, let top = stack.last else { return false }
        memo[slot] = top
        return true
    }

    mutating func recall(_ slot: Int?) -> Bool {
        guard let slot, let value = memo[slot] else { return false }
        stack.append(value)
        return true
    }

    mutating func run() -> Value? {
        while let opcode = number(1) {
            if opcode == Character(".").asciiValue.map(Int.init) { return stack.last }
            guard step(UInt8(truncatingIfNeeded: opcode)) else { return nil }
        }
        return nil
    }

    mutating func step(_ opcode: UInt8) -> Bool {
        switch Character(UnicodeScalar(opcode)) {
        case "\u{80}": return take(1) != nil  // PROTO
        case "\u{95}": return take(8) != nil  // FRAME
        case "(": stack.append(.mark)
        case "N": stack.append(.other)
        case "\u{88}": stack.append(.flag(true))
        case "\u{89}": stack.append(.flag(false))
        case "G":  // BINFLOAT
            stack.append(.other)
            return take(8) != nil
        case "K": return integer(1)
        case "M": return integer(2)
        case "J":  // BININT, signed
            guard let value = number(4) else { return false }
            stack.append(.integer(Int(Int32(truncatingIfNeeded: value))))
        case "U", "C", "\u{8C}": return text(1)  // SHORT_BINSTRING, SHORT_BINBYTES, SHORT_BINUNICODE
        case "T", "B", "X": return text(4)  // BINSTRING, BINBYTES, BINUNICODE
        case "\u{8E}", "\u{8D}": return text(8)  // BINBYTES8, BINUNICODE8
        case "]": return push(.list(.init(isDictionary: false)))
        case "}": return push(.list(.init(isDictionary: true)))
        case ")": return pushTuple([])
        case "\u{85}": return pushTuple(pop(1))
        case "\u{86}": return pushTuple(pop(2))
        case "\u{87}": return pushTuple(pop(3))
        case "t": return pushTuple(popMark())
        case "a": return extend(pop(1), dictionary: false)
        case "e": return extend(popMark(), dictionary: false)
        case "s": return extend(pop(2), dictionary: true)
        case "u": return extend(popMark(), dictionary: true)
        case "q": return remember(number(1))
        case "r": return remember(number(4))
        case "\u{94}": return remember(memo.count)  // MEMOIZE
        case "h": return recall(number(1))
        case "j": return recall(number(4))
        case "c":  // GLOBAL
            guard let module = line(), let name = line() else { return false }
            stack.append(.name(module + "." + name))
        case "\u{93}":  // STACK_GLOBAL
            guard let pair = pop(2), case .string(let module) = pair[0], case .string(let name) = pair[1] else {
                return false
            }
            stack.append(.name(String(decoding: bytes[module] + [46] + bytes[name], as: UTF8.self)))
        case "R":  // REDUCE
            guard let pair = pop(2), case .name(let function) = pair[0], case .tuple(let arguments) = pair[1]
            else { return false }
            return push(.call(.init(function: function, arguments: arguments)))
        case "b":  // BUILD
            guard let state = pop(1), case .tuple(let items) = state[0], case .call(let call)? = stack.last else {
                return false
            }
            call.state = items
        default: return false
        }
        return true
    }

    mutating func integer(_ count: Int) -> Bool {
        guard let value = number(count) else { return false }
        stack.append(.integer(value))
        return true
    }
}
