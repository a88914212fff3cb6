import Foundation

/// The members of a JSON object. Members of a text are parsed on access, so unread members take no memory.
package struct JSONMembers: Sendable {
    private enum Source {
        case text(Data, [String: Range<Int>])
        case values([String: JSON])
    }

    private let source: Source

    /// nil if `data` is not UTF-8, not JSON, not an object, or beyond the limits of `JSONReader`. If a name occurs more
    /// than once, the last member counts.
    package init?(_ data: Data) {
        var ranges: [String: Range<Int>] = [:]
        do {
            try JSONReader.read(data) { reader in try reader.members { ranges[$0] = try $1.skip() } }
        } catch { return nil }
        source = .text(data, ranges)
    }

    package init(_ values: [String: JSON]) { source = .values(values) }

    package var names: [String] {
        switch source {
        case .text(_, let ranges): Array(ranges.keys)
        case .values(let values): Array(values.keys)
        }
    }

    package subscript(name: String) -> JSON? {
        switch source {
        case .text(let data, let ranges):
            ranges[name].flatMap { range in
                let text = data[data.startIndex + range.lowerBound..<data.startIndex + range.upperBound]
                return try? JSONReader.read(text) { try $0.value() }
            }
        case .values(let values): values[name]
        }
    }
}
