import Foundation

/// The contents of a pickle (protocols 0 to 5), read without running anything.
///
/// A pickle is a program for a small stack machine. This reader only builds plain values: function calls are recorded,
/// never made, and a function that the caller did not list is an error that names it.
///
/// Time and memory are linear in the pickle's length. Limits: `maxValues` values and `maxNodes` containers.
package struct Pickle: Sendable {
    package enum Value: Sendable, Equatable {
        case none
        case bool(Bool)
        case integer(Int)
        case double(Double)
        /// A whole number in decimal text that an Int cannot hold
        case other
        /// Text or bytes: an index into ``strings``
        case string(Int)
        /// An index into ``nodes``
        case node(Int)
    }

    /// A container or a call. Nodes refer to each other by index, so freeing them needs no recursion.
    package struct Node: Sendable {
        package enum Kind: Sendable { case tuple, list, dictionary, set, global, call, persistent }
        package let kind: Kind
        /// For a global or a call: `module.name`
        package var function = ""
        /// For a call: its arguments; for a persistent id: the id alone
        package var arguments: [Value] = []
        /// Elements. For a dictionary, or a call that creates one: keys and values alternating
        package var items: [Value] = []
        /// For a call: the state set on the object after its creation (BUILD)
        package var state: Value?
    }

    /// Where text is stored: a range of the pickle, or in memory if the pickle escapes it.
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
    /// Where the pickle ends, in bytes from the start of `data`
    package let end: Int
    private let data: Data

    /// - Parameters:
    ///   - data: contains the pickle from byte `start` on; more may follow it.
    ///   - functions: the functions and types that are accepted, as `module.name`.
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

    /// Where a text or bytes value is stored
    package func text(_ value: Value?) -> Text? {
        if case .string(let index)? = value { strings[index] } else { nil }
    }

    package func string(_ value: Value?) -> String? { bytes(value).map { String(decoding: $0, as: UTF8.self) } }

    package func integer(_ value: Value?) -> Int? {
        if case .integer(let integer)? = value { integer } else { nil }
    }

    /// The elements of a tuple or list as integers
    package func integers(_ value: Value?) -> [Int]? {
        guard let node = node(value), node.kind == .tuple || node.kind == .list else { return nil }
        let integers = node.items.compactMap { integer($0) }
        return integers.count == node.items.count ? integers : nil
    }

    /// The members with string keys of a dictionary or an OrderedDict
    package func members(_ value: Value?) -> [(key: String, value: Value)]? {
        guard let node = node(value), node.kind == .dictionary || node.function == "collections.OrderedDict" else {
            return nil
        }
        return stride(from: 0, to: node.items.count - 1, by: 2).compactMap { i in
            string(node.items[i]).map { ($0, node.items[i + 1]) }
        }
    }
}
