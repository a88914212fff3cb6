import Kernels

/// The integers that a wave's kernels read: rows, tokens and entries, one list after the other. Uploaded once a
/// schedule.
///
/// Blocks count passes by what they are, `images` rows each; what is appended counts rows.
struct RowLists {
    let images: Int
    /// The first ones are 0, 1, 2 ...: every row, and every token
    private(set) var values: [Int32]
    private var tokenLists: [[Int]: (first: Int, count: Int)] = [:]

    init(images: Int, counting count: Int) {
        self.images = images
        values = (0..<Int32(count)).map { $0 }
    }

    /// Appends the rows of blocks; returns where they start.
    mutating func append(_ blocks: [Int]) -> Int {
        let start = values.count
        for block in blocks { values.append(contentsOf: (0..<images).map { Int32(block * images + $0) }) }
        return start
    }

    /// Appends any values; returns where they start.
    mutating func append(values new: [Int]) -> Int {
        let start = values.count
        values += new.map { Int32($0) }
        return start
    }

    /// Of the rows of blocks, which stand from `rows` on, those whose blocks are in `adds`; -1 for the others. nil
    /// where none is.
    mutating func append(_ blocks: [Int], adds: Set<Int>, rows: Int) -> Int? {
        if blocks.allSatisfy(adds.contains) { return rows }
        if !blocks.contains(where: adds.contains) { return nil }
        let start = values.count
        for block in blocks {
            values.append(contentsOf: (0..<images).map { adds.contains(block) ? Int32(block * images + $0) : -1 })
        }
        return start
    }

    mutating func append<Entry>(_ list: EntryList<Entry>) -> Entries<Entry> {
        let start = values.count
        values += list.ints
        return Entries(first: start, count: list.count, tokens: list.mostTokens)
    }

    /// Where tokens stand, and how many they are. nil stands for the first `all`.
    mutating func tokens(_ tokens: [Int]?, all: Int) -> (first: Int, count: Int) {
        guard let tokens else { return (0, all) }
        if let known = tokenLists[tokens] { return known }
        let made = (values.count, tokens.count)
        values += tokens.map { Int32($0) }
        tokenLists[tokens] = made
        return made
    }

    /// The most ints that a schedule's lists take.
    /// - Parameters:
    ///   - blocks: that activations come from
    ///   - most: of one patch; see `Patch.listInts`
    static func mostInts(
        images: Int, blocks: Int, patches: Int, shape: NetworkShape, most: (entries: Int, tokens: Int)
    ) -> Int {
        let rows = images * (blocks + patches)
        // A row stands in the first list; where it is born in three; in each layer in four of both stages, and in two
        // of each of the three places on the stream.
        return max(rows, shape.tokens) + rows * (3 + 14 * shape.layers) + patches
            * (images * most.entries + most.tokens)
    }
}

/// Entries of one list while it is made
struct EntryList<Entry: ListEntry> {
    private(set) var ints: [Int32] = []
    private(set) var mostTokens = 0
    var count: Int { ints.count / Entry.size }

    mutating func append(_ entry: Entry, tokens: Int) {
        ints += entry.ints
        mostTokens = max(mostTokens, tokens)
    }
}

extension EntryList<SliceEntry> {
    mutating func append(dst: Int, src: Int, columns: Range<Int>, tokens: (first: Int, count: Int)) {
        append(
            SliceEntry(
                dst: dst, src: src, column: columns.lowerBound, width: columns.count, tokens: tokens.first,
                tokenCount: tokens.count), tokens: tokens.count)
    }
}
