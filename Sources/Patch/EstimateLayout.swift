import Kernels
import ViT

/// The tables of gradient times difference that a sweep's patches need, and the cells that each patch sums.
///
/// A table belongs to a place and to a pair of passes. Its cells are
///
///     whole sites          [tokens, 1]
///     heads                [tokens, H]
///     neurons              [tokens, M]; [1, M], summed over tokens, where no patch names tokens
///     k                    [tokens, H] for keys put in one by one; [queries, H] for a set of keys put in together
struct EstimateLayout {
    /// Blocks of the receiving pass and of the source
    struct Pair: Hashable { var base: Int, source: Int }

    struct Key: Hashable {
        var site: Site
        var layer: Int
        var cells: Cells
    }

    enum Cells: Hashable {
        /// One for each token and group of columns
        case tokens
        /// Summed over tokens
        case columns
        /// Keys of these tokens (nil: all) put in together: one for each query token and head
        case keys([Int]?)
        /// Every key alone: one for each key's token and head
        case eachKey
    }

    struct Table {
        var key: Key
        var pair: Int
        var rows: Int, groups: Int
        /// Number of cells of an image in earlier tables
        var start: Int
        var cells: Int { rows * groups }
    }

    /// The cells of a table that a patch sums. nil: all
    struct Term {
        var table: Int
        var rows: [Int]?, groups: [Int]?
    }

    private(set) var pairs: [Pair] = []
    private(set) var tables: [Table] = []
    /// For each patch: its pair, and its terms
    private(set) var terms: [(pair: Int, terms: [Term])] = []
    /// Cells of all tables for one image
    private(set) var cells = 0

    /// - Parameter sources: receiving and source blocks of each patch
    init(patches: [Patch], sources: Schedule.Sources, shape: NetworkShape) {
        // Whether a patch covers a whole place does not depend on what the last layer computes.
        var unclipped = shape
        unclipped.lastTokens = shape.tokens
        let swaps = patches.map { $0.swaps(unclipped) }
        // Neurons need cells per token only where a patch names tokens.
        var byToken: Set<Depth> = []
        for (depth, swaps) in swaps.joined() {
            if swaps.contains(where: { $0.site.hasNeurons && $0.tokens != nil }) { byToken.insert(depth) }
        }
        var known: [Int: [Key: Int]] = [:], pairIndices: [Pair: Int] = [:]
        for (index, swaps) in swaps.enumerated() {
            let pair = Pair(base: sources.base[index], source: sources.source[index])
            let pairIndex = pairIndices[pair] ?? pairs.count
            if pairIndex == pairs.count {
                pairs.append(pair)
                pairIndices[pair] = pairIndex
            }
            var sum: [Term] = []
            for (depth, swap) in swaps.sorted(by: { $0.key < $1.key }).flatMap({ d, s in s.map { (d, $0) } }) {
                let cells = Self.cells(swap, byToken: byToken.contains(depth))
                let key = Key(site: swap.site, layer: depth.layer, cells: cells)
                let table = known[pairIndex]?[key] ?? tables.count
                if table == tables.count {
                    let made = Self.table(key, pair: pairIndex, start: self.cells, shape)
                    tables.append(made)
                    self.cells += made.cells
                    known[pairIndex, default: [:]][key] = table
                }
                let rows: [Int]? =
                    switch cells {
                    // Other tokens of the last layer have no effect.
                    case .tokens, .eachKey: swap.tokens?.filter { $0 < tables[table].rows }
                    case .columns, .keys: nil
                    }
                sum.append(Term(table: table, rows: rows, groups: swap.heads ?? swap.neurons))
            }
            terms.append((pairIndex, sum))
        }
    }

    private static func cells(_ swap: Swap, byToken: Bool) -> Cells {
        if swap.site == .k { return swap.tokens?.count == 1 ? .eachKey : .keys(swap.tokens) }
        return swap.site.hasNeurons && !byToken ? .columns : .tokens
    }

    private static func table(_ key: Key, pair: Int, start: Int, _ shape: NetworkShape) -> Table {
        let tokens =
            switch key.cells {
            case .tokens: shape.tokens(of: key.site, layer: key.layer)
            case .columns: 1
            case .keys: shape.tokens(after: key.layer)
            case .eachKey: shape.tokens
            }
        let groups =
            switch key.site.row.columns {
            case .whole: 1
            case .heads: shape.heads
            case .neurons: shape.intermediateSize
            }
        return Table(key: key, pair: pair, rows: tokens, groups: groups, start: start)
    }

    /// Tables at one site of one layer
    func tables(_ site: Site, _ layer: Int) -> [(index: Int, table: Table)] {
        tables.enumerated().filter { $0.element.key.site == site && $0.element.key.layer == layer }
            .map { ($0.offset, $0.element) }
    }

    /// The first place of any table; nil where there is none
    var lowest: Depth? { tables.map { $0.key.site.depth(layer: $0.key.layer) }.min() }

    /// Whether a table needs activations inside a stage of this layer, not only its output
    func looksInside(_ stage: Depth.Stage, layer: Int) -> Bool {
        tables.contains { table in
            let row = table.key.site.row
            return table.key.layer == layer && row.stage == stage && row.cut != .output && row.cut != .stream
        }
    }

    /// Whether a patch puts in a set of keys that is neither a single key nor all
    var mixesKeys: Bool { tables.contains { if case .keys(.some) = $0.key.cells { true } else { false } } }
}
