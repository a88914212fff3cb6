import Formats

typealias JSON = Formats.JSON

extension Formats.JSON {
    /// The value for an error message.
    var text: String {
        switch self {
        case .null: "null"
        case .bool(let bool): "\(bool)"
        case .number(let number): int.map(String.init) ?? "\(number)"
        case .string(let string): "\"\(printable(string))\""
        case .array(let array): array.count <= 8 ? "[\(array.map(\.text).joined(separator: ", "))]" : "a list"
        case .object: "an object"
        }
    }
}
