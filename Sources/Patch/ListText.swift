import ViT

/// The LIST syntax of the command line: `0,5,7` and `0-11` make several items, `0+5` one item of both.
package enum ListText {
    /// One item of a list, and how columns show it; nil stands for all.
    package struct Item: Sendable, Equatable {
        package var text: String
        package var indices: [Int]?

        package init(text: String, indices: [Int]?) { (self.text, self.indices) = (text, indices) }
    }

    /// - Parameters:
    ///   - count: indices are below it
    ///   - option: for the message
    package static func parse(_ text: String, below count: Int, option: String) throws(SweepError) -> [Item] {
        var items: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            items += try parse(item: part, of: text, below: count, option: option)
        }
        return items
    }

    /// A LIST, or `each` or `all`.
    package static func heads(
        _ text: String, config: ViTConfig, option: String = "--heads"
    ) throws(SweepError) -> [Item] {
        switch text {
        case "all": [Item(text: "", indices: nil)]
        case "each": (0..<config.heads).map { Item(text: "\($0)", indices: [$0]) }
        default: try parse(text, below: config.heads, option: option)
        }
    }

    /// A LIST whose items may also be `each`, `cls`, `patches` and rectangles of the patch grid, `3:6x2:5` (rows 3 to 5,
    /// columns 2 to 4); or `all`.
    package static func tokens(
        _ text: String, config: ViTConfig, option: String = "--tokens"
    ) throws(SweepError) -> [Item] {
        if text == "all" { return [Item(text: "", indices: nil)] }
        var items: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            switch part {
            case "each": items += (0..<config.tokens).map { Item(text: "\($0)", indices: [$0]) }
            case "cls": items.append(Item(text: "cls", indices: [0]))
            case "patches": items.append(Item(text: "patches", indices: Array(config.patchTokens)))
            default:
                if part.contains("x") {
                    items.append(Item(text: String(part), indices: try rectangle(part, config: config, option: option)))
                } else {
                    items += try parse(item: part, of: text, below: config.tokens, option: option)
                }
            }
        }
        return items
    }

    private static func rectangle(
        _ part: Substring, config: ViTConfig, option: String
    ) throws(SweepError) -> [Int] {
        var ranges: [Range<Int>] = []
        for side in part.split(separator: "x", omittingEmptySubsequences: false) {
            let ends = side.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count == 2, let low = ends[0], let high = ends[1], low >= 0, low < high, high <= config.grid
            else {
                ranges = []
                break
            }
            ranges.append(low..<high)
        }
        guard ranges.count == 2 else {
            throw .option(
                "\(option) \(part): write ROWSxCOLUMNS of the \(config.grid) x \(config.grid) patch grid, e.g. 3:6x2:5 for rows 3-5 and columns 2-4"
            )
        }
        return ranges[0].flatMap { row in ranges[1].map { config.prefixTokens + row * config.grid + $0 } }
    }

    private static func parse(
        item part: Substring, of text: String, below count: Int, option: String
    ) throws(SweepError) -> [Item] {
        func number(_ digits: Substring) throws(SweepError) -> Int {
            guard let value = Int(digits), value >= 0 else {
                throw .option("\(option) \(text): \"\(digits)\" is no number; write e.g. 0-11, 3,7 or 0+5")
            }
            guard value < count else {
                throw .option("\(option) \(text): \(value) does not exist; the model has 0-\(count - 1)")
            }
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
            guard ends.count == 2 else { throw .option("\(option) \(text): \"\(part)\" is no range; write e.g. 0-11") }
            let low = try number(ends[0]), high = try number(ends[1])
            guard low <= high else { throw .option("\(option) \(text): \"\(part)\" is no range; write e.g. 0-11") }
            return (low...high).map { Item(text: "\($0)", indices: [$0]) }
        }
        let index = try number(part)
        return [Item(text: "\(index)", indices: [index])]
    }
}
