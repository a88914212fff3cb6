import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The dictionary in a CIFAR python batch: lists of numbers and strings, and one NumPy array of bytes.
package struct CIFARBatch {
    private let pickle: Pickle
    private let members: [(key: String, value: Pickle.Value)]
    private let path: String

    private static let functions: Set<String> = [
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype",
        "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer", "_codecs.encode",
    ]

    package init(_ bytes: [UInt8], path: String) throws {
        self.path = path
        do {
            pickle = try Pickle(Data(bytes), functions: Self.functions)
        } catch {
            throw ImageError.dataset(
                path: path,
                reason: "it is not a CIFAR batch in the python version: \(error.reason) (byte \(error.position))")
        }
        guard let members = pickle.members(pickle.root) else {
            throw ImageError.dataset(
                path: path, reason: "it is not a CIFAR batch in the python version: it holds no dictionary")
        }
        self.members = members
    }

    private func value(_ key: String) -> Pickle.Value? { members.first { $0.key == key }?.value }

    private func list(_ key: String) throws -> [Pickle.Value] {
        guard let list = pickle.node(value(key), .list) else {
            throw ImageError.dataset(path: path, reason: "it has no list '\(key)'")
        }
        return list.items
    }

    package func integers(_ key: String) throws -> [Int] {
        try list(key).map {
            guard let integer = pickle.integer($0) else {
                throw ImageError.dataset(path: path, reason: "'\(key)' does not hold integers only")
            }
            return integer
        }
    }

    package func strings(_ key: String) throws -> [String] {
        try list(key).map {
            guard let string = pickle.string($0) else {
                throw ImageError.dataset(path: path, reason: "'\(key)' does not hold strings only")
            }
            return string
        }
    }

    /// The bytes of a NumPy array, [N, columns] in C order: a range of the file, or decoded bytes where the pickle
    /// escapes them.
    package func byteArray(_ key: String, columns: Int) throws -> Pickle.Text {
        guard let call = pickle.node(value(key), .call),
            let array = fromBuffer(call) ?? reconstructed(call),
            let type = pickle.node(array.type, .call), type.function == "numpy.dtype",
            pickle.string(type.arguments.first) == "u1",
            let shape = pickle.integers(array.shape), shape.count == 2, shape[0] > 0, shape[1] == columns,
            let text = pickle.text(array.data)
        else {
            throw ImageError.dataset(
                path: path, reason: "it has no array '\(key)' of bytes with \(columns) columns")
        }
        let count =
            switch text {
            case .range(let range): range.count
            case .bytes(let bytes): bytes.count
            }
        guard count % columns == 0, count / columns == shape[0] else {
            throw ImageError.dataset(
                path: path, reason: "its array '\(key)' has \(count) bytes, expected \(shape[0]) x \(columns)")
        }
        return text
    }

    private typealias ArrayParts = (type: Pickle.Value, shape: Pickle.Value, data: Pickle.Value)

    /// Protocols 0 to 4: an empty array whose state is version, shape, dtype, Fortran order, data
    private func reconstructed(_ call: Pickle.Node) -> ArrayParts? {
        guard call.function.hasSuffix("multiarray._reconstruct"),
            let state = pickle.node(call.state, .tuple)?.items, state.count == 5, state[3] == .bool(false)
        else { return nil }
        return (state[2], state[1], state[4])
    }

    /// Protocol 5: data, dtype, shape, order
    private func fromBuffer(_ call: Pickle.Node) -> ArrayParts? {
        guard call.function.hasSuffix("numeric._frombuffer"), call.arguments.count == 4,
            pickle.string(call.arguments[3]) == "C"
        else { return nil }
        return (call.arguments[1], call.arguments[2], call.arguments[0])
    }
}
