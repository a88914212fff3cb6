import Foundation

/// What a pickle describes, read without running anything (protocols 0 to 5).
///
/// A pickle is a program for a small stack machine. This reader builds plain values: a call of a function is recorded,
/// never made, and a function that the caller did not list is refused by its name.
///
/// Time and memory grow with the pickle. Limits: `maxValues` values and `maxNodes` containers.
package struct Pickle: Sendable {
    package enum Value: Sendable, Equatable {
        case none
        case bool(Bool)
        case integer(Int)
        case double(Double)
        /// A whole number beyond Int, or one of a type that is of no use here
        case other
        /// Text or bytes, an index into ``strings``
        case string(Int)
        /// An index into ``nodes``
        case node(Int)
    }

    /// A container or a call. Nodes refer to each other by index, so that freeing them takes no recursion.
    package struct Node: Sendable {
        package enum Kind: Sendable { case tuple, list, dictionary, set, global, call, persistent }
        package let kind: Kind
        /// Of a global and of a call: `module.name`
        package var function = ""
        /// Of a call: the arguments; of a persistent id: the id alone
        package var arguments: [Value] = []
        /// Elements; of a dictionary, and of a call that made one: keys and values by turns
        package var items: [Value] = []
        /// Of a call: what was set on the object after it was made
        package var state: Value?
    }

    /// Where text lies: in the pickle, or, if it was escaped there, in memory.
    package enum Text: Sendable {
        case range(Range<Int>)
        case bytes([UInt8])
    }

    package struct Malformed: Error, Equatable {
        package let reason: String
        /// Bytes from the start of the data
        package let position: Int
    }

    package static let maxValues = 4_000_000
    package static let maxNodes = 250_000

    package let root: Value
    package let nodes: [Node]
    package let strings: [Text]
    /// Where the pickle ends in `data`, counted from its start
    package let end: Int
    private let data: Data

    /// - Parameters:
    ///   - data: what holds the pickle, from byte `start` on; more may follow.
    ///   - functions: the functions and types that may occur, as `module.name`.
    package init(_ data: Data, start: Int = 0, functions: Set<String>) throws(Malformed) {
        self.data = data
        let result: Result<PickleMachine.Outcome, Malformed> = data.withUnsafeBytes { bytes in
            var machine = PickleMachine(bytes: bytes, position: start, functions: functions)
            do throws(Malformed) { return .success(try machine.run()) } catch { return .failure(error) }
        }
        let outcome = try result.get()
        (root, nodes, strings, end) = (outcome.root, outcome.nodes, outcome.strings, outcome.end)
    }

    // MARK: - Reading values

    package func node(_ value: Value?) -> Node? {
        if case .node(let index)? = value { nodes[index] } else { nil }
    }

    package func node(_ value: Value?, _ kind: Node.Kind) -> Node? {
        node(value).flatMap { $0.kind == kind ? $0 : nil }
    }

    package func bytes(_ value: Value?) -> Data? {
        guard case .string(let index)? = value else { return nil }
        switch strings[index] {
        case .range(let range):
            return data[data.startIndex + range.lowerBound..<data.startIndex + range.upperBound]
        case .bytes(let bytes): return Data(bytes)
        }
    }

    /// Where text or bytes lie
    package func text(_ value: Value?) -> Text? {
        if case .string(let index)? = value { strings[index] } else { nil }
    }

    package func string(_ value: Value?) -> String? { bytes(value).map { String(decoding: $0, as: UTF8.self) } }

    package func integer(_ value: Value?) -> Int? {
        if case .integer(let integer)? = value { integer } else { nil }
    }

    /// A tuple's or list's elements as integers
    package func integers(_ value: Value?) -> [Int]? {
        guard let node = node(value), node.kind == .tuple || node.kind == .list else { return nil }
        let integers = node.items.compactMap { integer($0) }
        return integers.count == node.items.count ? integers : nil
    }

    /// The members with a string as key of a dictionary, or of an OrderedDict
    package func members(_ value: Value?) -> [(key: String, value: Value)]? {
        guard let node = node(value), node.kind == .dictionary || node.function == "collections.OrderedDict" else {
            return nil
        }
        return stride(from: 0, to: node.items.count - 1, by: 2).compactMap { i in
            string(node.items[i]).map { ($0, node.items[i + 1]) }
        }
    }
}
