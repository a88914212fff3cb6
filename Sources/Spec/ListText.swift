import Patch
import ViT

/// An error in a LIST; its description follows the option and its text.
package enum ListError: Error, Equatable, Sendable, CustomStringConvertible {
    case noNumber(String)
    case noRange(String)
    /// An index that the model does not have
    case absent(Int, count: Int)
    /// Not a rectangle of the patch grid
    case noRectangle(String, rows: Int, columns: Int)
    /// A named token that the model does not have
    case noToken(String, model: String)
    case unknownSite(String)
    case twice(String)

    package var description: String {
        switch self {
        case .noNumber(let text): "\"\(text)\" is not a number; write e.g. 0-11, 3,7 or 0+5"
        case .noRange(let text): "\"\(text)\" is not a range; write e.g. 0-11"
        case .absent(let value, let count): "\(value) does not exist; the model has 0-\(count - 1)"
        case .noRectangle(let text, let rows, let columns):
            "\"\(text)\" is not a rectangle; write ROWSxCOLUMNS of the \(rows) x \(columns) patch grid, e.g. 3:6x2:5 for rows 3-5 "
                + "and columns 2-4"
        case .noToken(let name, let model):
            "the model has no \(name); the tokens before its patches are \(model.isEmpty ? "none" : model)"
        case .unknownSite(let name):
            "\"\(name)\" is unknown; valid are " + Site.allCases.map(\.rawValue).joined(separator: ", ")
        case .twice(let text): "\"\(text)\" is given twice"
        }
    }
}

/// The LIST syntax of the command line: `0,5,7` and `0-11` make several items, `0+5` one item of both.
package enum ListText {
    /// One item of a list, and its text in columns; `indices` is nil for all.
    package struct Item: Sendable, Equatable {
        package var text: String
        package var indices: [Int]?

        package init(text: String, indices: [Int]?) { (self.text, self.indices) = (text, indices) }
    }

    /// - Parameter count: indices are below it
    package static func parse(_ text: String, below count: Int) throws(ListError) -> [Item] {
        var items: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            items += try parse(item: part, below: count)
        }
        return items
    }

    /// A LIST, or `each` or `all`.
    package static func heads(_ text: String, config: ViTConfig) throws(ListError) -> [Item] {
        switch text {
        case "all": [Item(text: "", indices: nil)]
        case "each": (0..<config.heads).map { Item(text: "\($0)", indices: [$0]) }
        default: try parse(text, below: config.heads)
        }
    }

    /// A LIST, or `each`.
    package static func neurons(_ text: String, config: ViTConfig) throws(ListError) -> [Item] {
        text == "each"
            ? (0..<config.intermediateSize).map { Item(text: "\($0)", indices: [$0]) }
            : try parse(text, below: config.intermediateSize)
    }

    /// A LIST whose items may also be `each`, `cls`, `distillation`, `registers`, `patches` and rectangles of the patch
    /// grid, `3:6x2:5` (rows 3 to 5, columns 2 to 4); or `all`.
    package static func tokens(_ text: String, config: ViTConfig) throws(ListError) -> [Item] {
        if text == "all" { return [Item(text: "", indices: nil)] }
        var items: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            switch part {
            case "each": items += (0..<config.tokens).map { Item(text: "\($0)", indices: [$0]) }
            case "cls", "distillation", "registers":
                let prefix = config.architecture.prefix
                let token: Architecture.PrefixToken =
                    part == "cls" ? .cls : part == "registers" ? .register : .distillation
                let indices = prefix.indices.filter { prefix[$0] == token }
                if indices.isEmpty {
                    throw .noToken(
                        part == "cls" ? "CLS token" : part == "registers" ? "registers" : "distillation token",
                        model: config.architecture.prefixText)
                }
                items.append(Item(text: String(part), indices: indices))
            case "patches": items.append(Item(text: "patches", indices: Array(config.patchTokens)))
            default:
                if part.contains("x") {
                    items.append(
                        Item(
                            text: String(part),
                            indices: try rectangle(part, grid: config.grid, first: config.prefixTokens)))
                } else {
                    items += try parse(item: part, below: config.tokens)
                }
            }
        }
        return items
    }

    private static func rectangle(_ part: Substring, grid: ViTConfig.Grid, first: Int) throws(ListError) -> [Int] {
        var ranges: [Range<Int>] = []
        for side in part.split(separator: "x", omittingEmptySubsequences: false) {
            let ends = side.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
            let most = ranges.isEmpty ? grid.rows : grid.columns
            guard ends.count == 2, let low = ends[0], let high = ends[1], low >= 0, low < high, high <= most
            else {
                ranges = []
                break
            }
            ranges.append(low..<high)
        }
        guard ranges.count == 2 else { throw .noRectangle(String(part), rows: grid.rows, columns: grid.columns) }
        return ranges[0].flatMap { row in ranges[1].map { first + row * grid.columns + $0 } }
    }

    private static func parse(item part: Substring, below count: Int) throws(ListError) -> [Item] {
        func number(_ digits: Substring) throws(ListError) -> Int {
            guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
                throw .noNumber(String(digits))
            }
            guard let value = Int(digits), value < count else { throw .absent(Int(digits) ?? .max, count: count) }
            return value
        }
        if part.contains("+") {
            var set: Set<Int> = []
            for digits in part.split(separator: "+", omittingEmptySubsequences: false) {
                set.insert(try number(digits))
            }
            let indices = set.sorted()
            return [Item(text: indices.map(String.init).joined(separator: "+"), indices: indices)]
        }
        if part.contains("-") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count == 2 else { throw .noRange(String(part)) }
            let low = try number(ends[0]), high = try number(ends[1])
            guard low <= high else { throw .noRange(String(part)) }
            return (low...high).map { Item(text: "\($0)", indices: [$0]) }
        }
        let index = try number(part)
        return [Item(text: "\(index)", indices: [index])]
    }
}
