import Kernels

/// The integers that a wave's kernels read: rows, tokens and entries, concatenated. Uploaded once per schedule.
///
/// A block is `images` rows, one per image. Lists are appended as blocks and hold rows.
struct RowLists {
    let images: Int
    /// The list begins with 0, 1, 2 ... for all rows and tokens
    private(set) var values: [Int32]
    private var tokenLists: [[Int]: (first: Int, count: Int)] = [:]

    init(images: Int, counting count: Int) {
        self.images = images
        values = (0..<Int32(count)).map { $0 }
    }

    /// Appends the rows of blocks; returns their start.
    mutating func append(_ blocks: [Int]) -> Int {
        let start = values.count
        for block in blocks { values.append(contentsOf: (0..<images).map { Int32(block * images + $0) }) }
        return start
    }

    /// Appends any values; returns their start.
    mutating func append(values new: [Int]) -> Int {
        let start = values.count
        values += new.map { Int32($0) }
        return start
    }

    /// Row lists for `Encoder.Output.adds`: the rows of blocks that are in `adds`, -1 for the others; nil if none is.
    /// `rows` is the start of the list of all these blocks' rows.
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

    /// Start and count of a token list. nil stands for the first `all` tokens.
    mutating func tokens(_ tokens: [Int]?, all: Int) -> (first: Int, count: Int) {
        guard let tokens else { return (0, all) }
        if let known = tokenLists[tokens] { return known }
        let made = (values.count, tokens.count)
        values += tokens.map { Int32($0) }
        tokenLists[tokens] = made
        return made
    }

    /// An upper limit of the ints in a schedule's lists.
    /// - Parameters:
    ///   - blocks: number of source blocks
    ///   - most: ints of the largest patch; see `Patch.listInts`
    static func mostInts(
        images: Int, blocks: Int, patches: Int, shape: NetworkShape, most: (entries: Int, tokens: Int)
    ) -> Int {
        let rows = images * (blocks + patches)
        // A row is in the first list; at its birth in three; in each layer in four of each of the two stages, and in
        // two of each of the three places on the stream.
        return max(rows, shape.tokens) + rows * (3 + 14 * shape.layers) + patches
            * (images * most.entries + most.tokens)
    }
}

/// Entries of one list under construction
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
