import Foundation

/// A JSON value whose type is not known beforehand. Numbers are Double: whole numbers are exact up to 2^53.
enum JSON: Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: Decoder) throws {
        // In order of how often each occurs in the files we read.
        if let object = try? decoder.container(keyedBy: Key.self) {
            var values: [String: JSON] = [:]
            for key in object.allKeys { values[key.stringValue] = try object.decode(JSON.self, forKey: key) }
            self = .object(values)
            return
        }
        if var array = try? decoder.unkeyedContainer() {
            var values: [JSON] = []
            while !array.isAtEnd { values.append(try array.decode(JSON.self)) }
            self = .array(values)
            return
        }
        let value = try decoder.singleValueContainer()
        if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if value.decodeNil() {
            self = .null
        } else {
            throw DecodingError.dataCorruptedError(in: value, debugDescription: "a number out of range")
        }
    }

    /// The members of the object that `data` must hold; nil if it is not UTF-8, not JSON or not an object.
    static func object(_ data: Data) -> [String: JSON]? {
        guard String(validating: data, as: UTF8.self) != nil,
            case .object(let members)? = try? JSONDecoder().decode(JSON.self, from: data)
        else { return nil }
        return members
    }

    var string: String? { if case .string(let string) = self { string } else { nil } }
    var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
    var array: [JSON]? { if case .array(let array) = self { array } else { nil } }
    var object: [String: JSON]? { if case .object(let object) = self { object } else { nil } }
    /// A whole number, also when written 12.0; nil for anything that an Int cannot hold exactly.
    var int: Int? { number.flatMap(Int.init(exactly:)) }
    /// All elements as whole numbers, or nil.
    var ints: [Int]? {
        guard let array else { return nil }
        let ints = array.compactMap(\.int)
        return ints.count == array.count ? ints : nil
    }

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

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
