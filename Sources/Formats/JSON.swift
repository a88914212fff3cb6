import Foundation

/// A JSON value of any type. Numbers are Double: whole numbers are exact up to 2^53.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    package var string: String? { if case .string(let string) = self { string } else { nil } }
    package var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    package var number: Double? { if case .number(let number) = self { number } else { nil } }
    package var array: [JSON]? { if case .array(let array) = self { array } else { nil } }
    package var object: [String: JSON]? { if case .object(let object) = self { object } else { nil } }
    package var isNull: Bool { if case .null = self { true } else { false } }
    /// A whole number, also if written 12.0; nil for anything that an Int cannot hold exactly.
    package var int: Int? { number.flatMap(Int.init(exactly:)) }
    /// All elements as whole numbers; nil if any is not one.
    package var ints: [Int]? {
        guard let array else { return nil }
        let ints = array.compactMap(\.int)
        return ints.count == array.count ? ints : nil
    }
}
