import Kernels
import ViT

/// What each stage of a wave does, as lists of rows, worked out before anything runs.
///
/// Rows of a wave of B images come in blocks of B: block 0 is the clean passes, block 1 the corrupted ones, then whatever
/// else activations are taken from (`Sources`), then a block a patch in the order of birth. A patched pass is born where it
/// first differs from the receiving pass, or from another patch's that did the same until then (`Lineage`): upstream of that
/// nothing is computed for it. Rows whose `attn_out`
/// (`mlp_out`) is given are not in the chunks of the attention (MLP) stage; the add gives them the source's output. Rows
/// patched inside a stage start from copies of the receiving pass's q, k, v, or z, or hidden layer.
struct Schedule {
    /// Offsets into `lists`, `count` entries each
    struct Copy: Equatable { var dst = 0, src = 0, count = 0 }
    struct Add: Equatable { var dst = 0, base = 0, src = 0, count = 0 }

    /// A place on the residual stream: whole rows first (births and full swaps), then slices
    struct StreamStep {
        var copy = Copy()
        var slices = Entries()
    }

    /// Attention or MLP
    struct StageStep {
        var chunks: [StageChunk] = []
        /// Outputs that are another pass's: copied whole, then swapped in slices
        var outputCopies = Entries(), outputSlices = Entries()
        /// Outputs that wait in o: first those of rows that are born here (their base is another row), then those of rows
        /// that go on in place. What nobody else needs, the chunks add as they compute it
        var births = Add(), inPlace = Add()
    }

    struct Layer {
        var residPre = StreamStep(), attention = StageStep(), residMid = StreamStep()
        var mlp = StageStep(), residPost = StreamStep()
    }

    /// The passes that activations come from, and what a wave's buffers look like.
    struct Sources: Hashable {
        /// Model of each block that is computed: 0, or 1 for the donor
        var models: [Int]
        /// Blocks after those that are not computed: zeros, then means
        var given = 0
        /// Whether the last of them holds means
        var hasMeans = false
        /// Per patch: the block that receives, and the one that gives
        var base: [Int], source: [Int]

        var blocks: Int { models.count + given }
    }

    let images: Int
    let sources: Sources
    let rows: Int
    private(set) var layers: [Layer] = []
    /// All lists, one after the other; the first entries are 0, 1, 2 ...: every row, and every token
    private(set) var lists: [Int32]
    /// Row block of each patch, in the order the patches were given
    private(set) var blocks: [Int]
    /// (row, stage, layer) evaluations
    private(set) var evaluations = 0

    private let keepsOutputs: Bool
    private let lineage: Lineage
    private let shape: NetworkShape
    private let workspace: Workspace.Shape
    private var tokenLists: [[Int]: (Int32, Int32)] = [:]

    /// - Parameter keepsOutputs: have every output in o until all of the stage are there, for who wants to read it
    init(
        patches: [Patch], images: Int, shape: NetworkShape, sources: Sources, workspace: Workspace.Shape,
        keepsOutputs: Bool = false
    ) {
        self.images = images
        self.keepsOutputs = keepsOutputs
        self.sources = sources
        self.shape = shape
        self.workspace = workspace
        let places = patches.map { $0.places(shape) }
        lineage = Lineage(places: places, base: sources.base, source: sources.source)
        let (births, order) = (lineage.births, lineage.order)
        rows = images * (sources.blocks + order.count)
        lists = (0..<Int32(max(rows, shape.tokens))).map { $0 }
        // Passes without a place (a window outside the network, tokens that are not computed) are the receiving pass.
        blocks = sources.base
        for (k, patch) in order.enumerated() { blocks[patch] = sources.blocks + k }
        for (patch, twin) in lineage.twins.enumerated() {
            if let twin { blocks[patch] = blocks[twin] }
        }

        var alive: [Int] = []  // patches, in the order of birth
        for layer in 0..<shape.layers {
            func passes(_ stage: Place.Stage) -> [Pass] {
                let place = Place(layer: layer, stage: stage)
                let going = alive.map { pass($0, swaps: places[$0][place] ?? [], born: false) }
                let born = order.filter { births[$0]?.place == place }
                alive += born
                return going + born.map { pass($0, swaps: places[$0][place] ?? [], born: true) }
            }
            var steps = Layer()
            steps.residPre = stream(passes(.residPre))
            steps.attention = stage(passes(.attention), .attention, layer: layer)
            steps.residMid = stream(passes(.residMid))
            steps.mlp = stage(passes(.mlp), .mlp, layer: layer)
            steps.residPost = stream(passes(.residPost))
            layers.append(steps)
        }
    }

    /// One patched pass at one place
    private struct Pass {
        /// `base`: what it is a copy of where it starts
        var block: Int, base: Int, source: Int
        var swaps: [Swap]
        /// Whether the pass starts here
        var born: Bool

        func full(_ site: Site) -> Bool { swaps.contains { $0.site == site && $0.isFull } }
        func has(_ sites: Site...) -> Bool { swaps.contains { sites.contains($0.site) } }
    }

    private func pass(_ patch: Int, swaps: [Swap], born: Bool) -> Pass {
        let parent = lineage.births[patch]?.parent
        return Pass(
            block: blocks[patch], base: parent.map { blocks[$0] } ?? sources.base[patch], source: sources.source[patch],
            swaps: swaps, born: born)
    }

    // MARK: The residual stream

    private mutating func stream(_ passes: [Pass]) -> StreamStep {
        var step = StreamStep()
        let whole = passes.filter { pass in pass.born || pass.swaps.contains(where: \.isFull) }
        step.copy = Copy(
            dst: append(whole.map(\.block)),
            src: append(whole.map { $0.swaps.contains(where: \.isFull) ? $0.source : $0.base }),
            count: whole.count * images)
        var slices: [Int32] = []
        var most = 0
        for pass in passes {
            for swap in pass.swaps where !swap.isFull {
                let (tokens, count) = tokenList(swap.tokens, all: shape.tokens)
                most = max(most, Int(count))
                for image in 0..<images {
                    slices += [
                        Int32(pass.block * images + image), Int32(pass.source * images + image), 0,
                        Int32(shape.hiddenSize),
                        tokens, count,
                    ]
                }
            }
        }
        step.slices = append(entries: slices, tokens: most)
        return step
    }

    // MARK: Attention and MLP

    private mutating func stage(_ passes: [Pass], _ kind: Place.Stage, layer: Int) -> StageStep {
        let output: Site = kind == .attention ? .attnOut : .mlpOut
        let computed = shape.tokens(after: layer)
        func start(_ pass: Pass) -> StageChunk.Start? {
            if pass.full(output) { return nil }
            if kind == .attention {
                if pass.full(.z) { return .outer }
                if !pass.born { return .stream }
                return pass.has(.q, .k, .v, .pattern) ? .inner : pass.has(.z) ? .outer : nil
            }
            if pass.full(.mlpAct) { return .inner }
            return !pass.born ? .stream : pass.has(.mlpAct) ? .inner : nil
        }
        let kept = kind == .attention ? workspace.keptAttention : workspace.keptHidden
        var step = StageStep()
        var position = Dictionary(uniqueKeysWithValues: (0..<sources.blocks).map { ($0, $0 * images) })
        var next = sources.blocks * images

        // An output is added to the stream as it is computed, if nothing else reads it or the stream in front of it.
        let bases = sources.models.indices
        var awaited: Set<Int> = []
        for pass in passes {
            if pass.born { awaited.formUnion([pass.block, pass.base]) }
            if pass.swaps.contains(where: { $0.site == output }) { awaited.formUnion([pass.block, pass.source]) }
        }
        let adds = keepsOutputs ? [] : Set(Array(bases) + passes.map(\.block)).subtracting(awaited)

        // The passes that others take from come first, so that what they keep is there.
        let streams = passes.filter { start($0) == .stream }
        if kept == 0, sources.given == 0, Set(sources.models).count == 1 {
            for pass in streams {
                position[pass.block] = next
                next += images
            }
            let blocks = Array(bases) + streams.map(\.block)
            let first = append(blocks), added = append(blocks, adds: adds, rows: first)
            for piece in pieces(blocks.count * images) {
                var chunk = StageChunk(
                    start: .stream, rows: (first + piece.lowerBound)..<(first + piece.upperBound), slot: 0,
                    position: piece.lowerBound)
                chunk.adds = added.map { $0 + piece.lowerBound }
                step.chunks.append(chunk)
            }
        } else {
            for model in Set(sources.models).sorted() {
                for block in bases where sources.models[block] == model {
                    for piece in pieces(images) {
                        let row = block * images + piece.lowerBound
                        var chunk = StageChunk(
                            start: .stream, rows: row..<(row + piece.count), slot: kept == 0 ? 0 : row, position: row)
                        chunk.model = model
                        chunk.adds = adds.contains(block) ? row : nil
                        step.chunks.append(chunk)
                    }
                }
            }
            step.chunks += chunks(.stream, streams, kind, layer: layer, kept: kept, adds: adds, &position, &next)
        }
        for kindOfStart in [StageChunk.Start.inner, .outer] {
            let some = passes.filter { start($0) == kindOfStart }
            step.chunks += chunks(kindOfStart, some, kind, layer: layer, kept: kept, adds: adds, &position, &next)
        }
        evaluations += step.chunks.map(\.rows.count).reduce(0, +)

        // Outputs in part another pass's.
        var copies: [Int32] = [], slices: [Int32] = []
        var most = 0
        let everything = tokenList(nil, all: computed)
        for pass in passes {
            if pass.born, start(pass) == nil, !pass.full(output) {
                position[pass.block] = next
                for image in 0..<images {
                    copies += [
                        Int32(next + image), Int32((position[pass.base] ?? 0) + image), 0, Int32(shape.hiddenSize),
                        everything.0, everything.1,
                    ]
                }
                next += images
            }
            for swap in pass.swaps where swap.site == output && !swap.isFull {
                let (tokens, count) = tokenList(swap.tokens, all: computed)
                most = max(most, Int(count))
                for image in 0..<images {
                    slices += [
                        Int32((position[pass.block] ?? 0) + image), Int32(pass.source * images + image), 0,
                        Int32(shape.hiddenSize), tokens, count,
                    ]
                }
            }
        }
        step.outputCopies = append(entries: copies, tokens: computed)
        step.outputSlices = append(entries: slices, tokens: most)

        // Where each block's output lies, as a block of positions: everything starts at whole blocks.
        func from(_ pass: Pass) -> Int {
            (pass.full(output) ? pass.source * images : position[pass.block] ?? 0) / max(images, 1)
        }
        let born = passes.filter(\.born), going = passes.filter { !$0.born }
        step.births = Add(
            dst: append(born.map(\.block)), base: append(born.map(\.base)), src: append(born.map(from)),
            count: born.count * images)
        let waiting = bases.filter { !adds.contains($0) }, others = going.filter { !adds.contains($0.block) }
        let inPlace = append(waiting + others.map(\.block))
        step.inPlace = Add(
            dst: inPlace, base: inPlace, src: append(waiting + others.map(from)),
            count: (waiting.count + others.count) * images)
        return step
    }

    /// Chunks of patched passes that start alike, with what is swapped in each.
    private mutating func chunks(
        _ start: StageChunk.Start, _ passes: [Pass], _ kind: Place.Stage, layer: Int, kept: Int, adds: Set<Int>,
        _ position: inout [Int: Int], _ next: inout Int
    ) -> [StageChunk] {
        if passes.isEmpty { return [] }
        let firstPosition = next
        for pass in passes {
            position[pass.block] = next
            next += images
        }
        let first = append(passes.map(\.block)), added = append(passes.map(\.block), adds: adds, rows: first)
        var chunks: [StageChunk] = []
        for piece in pieces(passes.count * images) {
            var chunk = StageChunk(
                start: start, rows: (first + piece.lowerBound)..<(first + piece.upperBound), slot: kept,
                position: firstPosition + piece.lowerBound)
            chunk.adds = added.map { $0 + piece.lowerBound }
            var swaps = ChunkSwaps()
            for index in piece {
                let pass = passes[index / images], image = index % images
                collect(
                    pass, start, kind, layer: layer, dst: kept + index - piece.lowerBound, image: image, into: &swaps)
            }
            chunk.copies = append(swaps.copies)
            chunk.qCopies = append(swaps.qCopies)
            chunk.slices = append(swaps.slices)
            chunk.qSlices = append(swaps.qSlices)
            chunk.patterns = append(swaps.patterns)
            chunk.zSlices = append(swaps.zSlices)
            chunks.append(chunk)
        }
        return chunks
    }

    /// Entries of one list while it is made
    private struct EntryList {
        var values: [Int32] = []
        var most = 0
    }
    private struct ChunkSwaps {
        var copies = EntryList(), qCopies = EntryList(), slices = EntryList(), qSlices = EntryList()
        var patterns = EntryList(), zSlices = EntryList()
    }

    /// What one pass copies and swaps inside a stage. `dst` is its slot.
    private mutating func collect(
        _ pass: Pass, _ start: StageChunk.Start, _ kind: Place.Stage, layer: Int, dst: Int, image: Int,
        into swaps: inout ChunkSwaps
    ) {
        let computed = shape.tokens(after: layer), width = shape.hiddenSize
        let source = pass.source * images + image, base = pass.base * images + image
        func add(_ list: inout EntryList, from: Int, column: Int, width: Int, _ tokens: (Int32, Int32)) {
            list.values += [Int32(dst), Int32(from), Int32(column), Int32(width), tokens.0, tokens.1]
            list.most = max(list.most, Int(tokens.1))
        }
        switch (kind, start) {
        case (.attention, .inner):
            add(&swaps.copies, from: base, column: 0, width: 2 * width, tokenList(nil, all: shape.tokens))
            add(&swaps.qCopies, from: base, column: 0, width: width, tokenList(nil, all: computed))
        case (.attention, .outer):
            add(
                &swaps.copies, from: pass.full(.z) ? source : base, column: 0, width: width,
                tokenList(nil, all: computed))
        case (.mlp, .inner):
            add(
                &swaps.copies, from: pass.full(.mlpAct) ? source : base, column: 0, width: shape.intermediateSize,
                tokenList(nil, all: computed))
        default: break
        }
        for swap in pass.swaps {
            let tokens = tokenList(swap.tokens, all: swap.site.isClippedInLastLayer ? computed : shape.tokens)
            let columns: [(column: Int, width: Int)] = Self.runs(swap.heads).map { run in
                guard let run else { return (0, width) }
                return (run.lowerBound * shape.headDim, run.count * shape.headDim)
            }
            switch swap.site {
            case .q:
                for run in columns { add(&swaps.qSlices, from: source, column: run.column, width: run.width, tokens) }
            case .k:
                for run in columns { add(&swaps.slices, from: source, column: run.column, width: run.width, tokens) }
            case .v:
                for run in columns {
                    add(&swaps.slices, from: source, column: width + run.column, width: run.width, tokens)
                }
            case .z where !swap.isFull:
                for run in columns { add(&swaps.zSlices, from: source, column: run.column, width: run.width, tokens) }
            case .pattern:
                for head in swap.heads ?? Array(0..<shape.heads) {
                    swaps.patterns.values += [Int32(source), Int32(dst), Int32(head), 0, tokens.0, tokens.1]
                    swaps.patterns.most = max(swaps.patterns.most, Int(tokens.1))
                }
            case .mlpAct where !swap.isFull:
                for run in Self.runs(swap.neurons) {
                    add(
                        &swaps.slices, from: source, column: run?.lowerBound ?? 0,
                        width: run?.count ?? shape.intermediateSize, tokens)
                }
            default: break
            }
        }
    }

    /// Neighbouring indices as ranges; one nil for all of them.
    static func runs(_ indices: [Int]?) -> [Range<Int>?] {
        guard let indices else { return [nil] }
        var runs: [Range<Int>] = []
        for index in indices {
            if let last = runs.last, last.upperBound == index {
                runs[runs.count - 1] = last.lowerBound..<(index + 1)
            } else {
                runs.append(index..<(index + 1))
            }
        }
        return runs
    }

    // MARK: Lists

    /// Appends the rows of blocks; returns where they start.
    private mutating func append(_ blocks: [Int]) -> Int {
        let start = lists.count
        for block in blocks { lists.append(contentsOf: (0..<images).map { Int32(block * images + $0) }) }
        return start
    }

    /// `StageChunk.adds` of the rows of blocks, which stand from `rows` on; nil where none of them is in `adds`.
    private mutating func append(_ blocks: [Int], adds: Set<Int>, rows: Int) -> Int? {
        if blocks.allSatisfy(adds.contains) { return rows }
        if !blocks.contains(where: adds.contains) { return nil }
        let start = lists.count
        for block in blocks {
            lists.append(contentsOf: (0..<images).map { adds.contains(block) ? Int32(block * images + $0) : -1 })
        }
        return start
    }

    private mutating func append(entries: [Int32], tokens: Int) -> Entries {
        let start = lists.count
        lists += entries
        return Entries(first: start, count: entries.count / 6, tokens: tokens)
    }

    private mutating func append(_ list: EntryList) -> Entries { append(entries: list.values, tokens: list.most) }

    /// Where the tokens stand, and how many they are. Nil stands for the first `all`.
    private mutating func tokenList(_ tokens: [Int]?, all: Int) -> (Int32, Int32) {
        guard let tokens else { return (0, Int32(all)) }
        if let known = tokenLists[tokens] { return known }
        let made = (Int32(lists.count), Int32(tokens.count))
        lists += tokens.map { Int32($0) }
        tokenLists[tokens] = made
        return made
    }

    /// Pieces of at most a chunk, as even as they come.
    private func pieces(_ count: Int) -> [Range<Int>] {
        let pieces = (count + workspace.rows - 1) / workspace.rows
        return (0..<pieces).map { count * $0 / pieces..<count * ($0 + 1) / pieces }
    }

    /// The most ints that `lists` takes.
    /// - Parameters:
    ///   - blocks: that activations come from
    ///   - most: of one patch; see `Patch.listInts`
    static func mostInts(
        images: Int, blocks: Int, patches: Int, shape: NetworkShape, most: (entries: Int, tokens: Int)
    ) -> Int {
        let rows = images * (blocks + patches)
        // A row stands in the first list; where it is born in three; in each layer in four of both stages, and in two of
        // each of the three places on the stream.
        return max(rows, shape.tokens) + rows * (3 + 14 * shape.layers) + patches
            * (images * most.entries + most.tokens)
    }
}
