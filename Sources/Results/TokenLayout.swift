import Foundation

/// The order of a model's tokens, and the tokens that its classifier reads.
package struct TokenLayout: Codable, Sendable, Equatable {
    /// The tokens in front of the patches: `cls`, `distillation`, `register`
    package var prefix: [String]
    /// Number of image patches; nil if the store does not have it
    package var patches: Int?
    /// Rows of the patch grid; nil if the store does not have it: a square grid
    package var rows: Int?
    /// Ranges `[from, below]` of the tokens that the readout reads after the last layer
    package var read: [[Int]]

    package init(prefix: [String], patches: Int?, rows: Int? = nil, read: [[Int]]) {
        (self.prefix, self.patches, self.rows, self.read) = (prefix, patches, rows, read)
    }

    /// One CLS token, the only one that is read: the layout of stores that do not have theirs.
    package static let cls = TokenLayout(prefix: ["cls"], patches: nil, read: [[0, 1]])

    /// The tokens that a `token` column covers: prefix tokens by index, and whether any image patch is among them.
    package func covered(_ column: String) -> (prefix: [Int], patches: Bool) {
        if column.isEmpty { return (Array(prefix.indices), true) }
        var own: [Int] = [], patches = false
        for part in column.split(separator: "+") {
            let names = ["cls": "cls", "distillation": "distillation", "registers": "register"]
            if let name = names[String(part)] {
                own += prefix.indices.filter { prefix[$0] == name }
            } else if let index = Int(part), index < prefix.count {
                own.append(index)
            } else {
                patches = true
            }
        }
        return (own, patches)
    }

    /// Whether the readout reads a token that a `token` column covers. Image patches count as read if any of them is.
    package func reads(_ column: String) -> Bool {
        let covered = covered(column)
        return read.contains { range in
            guard range.count == 2, range[0] < range[1] else { return false }
            return covered.prefix.contains { range[0] <= $0 && $0 < range[1] }
                || covered.patches && range[1] > prefix.count
        }
    }

    /// A token's name in figures: `CLS`, `distillation`, `register`, `token 7`
    package func name(_ token: Int) -> String {
        guard prefix.indices.contains(token) else { return "token \(token)" }
        return prefix[token] == "cls" ? "CLS" : prefix[token]
    }

    /// The side of the patch grid, if it is square and these `token` columns are all tokens, one each
    package func grid(of columns: [String]) -> Int? {
        let count = columns.count - prefix.count
        let side = Int(Double(max(count, 0)).squareRoot().rounded())
        guard side > 1, side * side == count, rows == nil || rows == side else { return nil }
        return Set(columns) == Set(columns.indices.map(String.init)) ? side : nil
    }
}
