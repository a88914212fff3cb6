import Kernels
import ViT

extension Schedule {
    /// An attention or MLP stage: the start of each pass, its swaps, and when its output is added.
    mutating func stage(_ passes: [PatchedPass], _ kind: Depth.Stage, layer: Int) -> StageStep {
        var step = StageStep()
        var positions = Positions(blocks: sources.blocks, images: images)
        let adds = self.adds(passes)

        // Passes that others take activations from come first, so that their kept activations are available.
        let streams = passes.filter { $0.start == .stream }
        if slots(kind) == 0, sources.given.isEmpty, Set(sources.models).count == 1 {
            step.chunks = together(streams, adds: adds, &positions)
        } else {
            step.chunks = sourceChunks(kind, adds: adds)
            step.chunks += chunks(.stream, streams, kind, layer: layer, adds: adds, &positions)
        }
        for start in [Cut.inner, .outer] {
            let some = passes.filter { $0.start == start }
            step.chunks += chunks(start, some, kind, layer: layer, adds: adds, &positions)
        }
        evaluations += step.chunks.map(\.rows.count).reduce(0, +)

        (step.outputCopies, step.outputSlices) = outputSwaps(passes, layer: layer, &positions)
        (step.births, step.inPlace) = outputAdds(passes, adds: adds, positions)
        return step
    }

    /// Positions of the blocks' outputs in o, in rows.
    struct Positions {
        private var rows: [Int: Int]
        private(set) var next: Int
        private let images: Int

        init(blocks: Int, images: Int) {
            rows = Dictionary(uniqueKeysWithValues: (0..<blocks).map { ($0, $0 * images) })
            next = blocks * images
            self.images = images
        }

        /// Gives the next position to this block.
        mutating func append(_ block: Int) {
            rows[block] = next
            next += images
        }

        subscript(_ block: Int) -> Int { rows[block] ?? 0 }
    }

    /// Slots before a chunk's
    private func slots(_ kind: Depth.Stage) -> Int {
        kind == .attention ? workspace.attentionSlots : workspace.hiddenSlots
    }

    /// Blocks whose output the GEMM adds to the stream: nothing else reads it or the stream before the stage.
    private func adds(_ passes: [PatchedPass]) -> Set<Int> {
        if keepsOutputs { return [] }
        var awaited: Set<Int> = []
        for pass in passes {
            if pass.born { awaited.formUnion([pass.block, pass.base]) }
            if pass.swaps.contains(where: \.site.isOutput) { awaited.formUnion([pass.block, pass.source]) }
        }
        return Set(Array(sources.models.indices) + passes.map(\.block)).subtracting(awaited)
    }

    // MARK: Chunks

    /// Source and patched passes in the same chunks, where nothing is kept.
    private mutating func together(
        _ passes: [PatchedPass], adds: Set<Int>, _ positions: inout Positions
    ) -> [StageChunk] {
        for pass in passes { positions.append(pass.block) }
        let blocks = Array(sources.models.indices) + passes.map(\.block)
        let first = lists.append(blocks), added = lists.append(blocks, adds: adds, rows: first)
        return pieces(blocks.count * images).map { piece in
            var chunk = StageChunk(
                start: .stream, rows: (first + piece.lowerBound)..<(first + piece.upperBound), slot: 0,
                position: piece.lowerBound)
            chunk.adds = added.map { $0 + piece.lowerBound }
            return chunk
        }
    }

    /// Chunks of the source passes; where activations are kept, each pass uses the slots of its rows.
    private func sourceChunks(_ kind: Depth.Stage, adds: Set<Int>) -> [StageChunk] {
        var chunks: [StageChunk] = []
        for model in Set(sources.models).sorted() {
            for block in sources.models.indices where sources.models[block] == model {
                for piece in pieces(images) {
                    let row = block * images + piece.lowerBound
                    var chunk = StageChunk(
                        start: .stream, rows: row..<(row + piece.count), slot: slots(kind) == 0 ? 0 : row,
                        position: row)
                    chunk.model = model
                    chunk.adds = adds.contains(block) ? row : nil
                    chunks.append(chunk)
                }
            }
        }
        return chunks
    }

    /// Chunks of patched passes with the same start, with their swaps.
    private mutating func chunks(
        _ start: Cut, _ passes: [PatchedPass], _ kind: Depth.Stage, layer: Int, adds: Set<Int>,
        _ positions: inout Positions
    ) -> [StageChunk] {
        if passes.isEmpty { return [] }
        let firstPosition = positions.next
        for pass in passes { positions.append(pass.block) }
        let blocks = passes.map(\.block)
        let first = lists.append(blocks), added = lists.append(blocks, adds: adds, rows: first)
        let slot = slots(kind)
        return pieces(passes.count * images).map { piece in
            var chunk = StageChunk(
                start: start, rows: (first + piece.lowerBound)..<(first + piece.upperBound), slot: slot,
                position: firstPosition + piece.lowerBound)
            chunk.adds = added.map { $0 + piece.lowerBound }
            var entries = ChunkEntries()
            for index in piece {
                let pass = passes[index / images], image = index % images, dst = slot + index - piece.lowerBound
                if start != .stream {
                    copy(pass, at: start, kind, layer: layer, dst: dst, image: image, into: &entries)
                }
                swap(pass, layer: layer, dst: dst, image: image, into: &entries)
            }
            chunk.copies = entries.copies.mapValues { lists.append($0) }
            chunk.swaps = entries.swaps.mapValues { lists.append($0) }
            chunk.patterns = lists.append(entries.patterns)
            chunk.given = entries.given
            return chunk
        }
    }

    private struct ChunkEntries {
        var copies: [Activation: EntryList<SliceEntry>] = [:], swaps: [Activation: EntryList<SliceEntry>] = [:]
        var patterns = EntryList<PatternEntry>()
        var given: [GivenPattern] = []
    }

    /// Copies a pass's start at a cut: all activations there, of the receiving pass or of the source.
    private mutating func copy(
        _ pass: PatchedPass, at cut: Cut, _ kind: Depth.Stage, layer: Int, dst: Int, image: Int,
        into entries: inout ChunkEntries
    ) {
        let from = (pass.givenCut == cut ? pass.source : pass.base) * images + image
        for site in Site.of(kind) where site.row.cut == cut {
            guard let activation = site.activation else { continue }
            let tokens = lists.tokens(nil, all: shape.tokens(of: site, layer: layer))
            entries.copies[activation, default: EntryList()].append(
                dst: dst, src: from, columns: 0..<shape.bornWidth(of: site), tokens: tokens)
        }
    }

    /// Adds a pass's swaps inside a stage.
    private mutating func swap(
        _ pass: PatchedPass, layer: Int, dst: Int, image: Int, into entries: inout ChunkEntries
    ) {
        let source = pass.source * images + image
        for swap in pass.swaps where !(swap.isFull && swap.site.row.cut == pass.givenCut) {
            let tokens = lists.tokens(swap.tokens, all: shape.tokens(of: swap.site, layer: layer))
            switch swap.site.row.home {
            case .stream, .output: continue
            case .pattern where pass.source == sources.block(.file):
                entries.given.append(
                    GivenPattern(
                        slot: dst, image: image, heads: swap.heads ?? Array(0..<shape.heads),
                        tokens: swap.tokens ?? Array(0..<shape.tokens(of: swap.site, layer: layer))))
            case .pattern:
                for head in swap.heads ?? Array(0..<shape.heads) {
                    let entry = PatternEntry(
                        from: source, to: dst, head: head, tokens: tokens.first, tokenCount: tokens.count)
                    entries.patterns.append(entry, tokens: tokens.count)
                }
            case .slot(let activation):
                for columns in swap.columns(shape) {
                    entries.swaps[activation, default: EntryList()].append(
                        dst: dst, src: source, columns: columns, tokens: tokens)
                }
            }
        }
    }

    // MARK: Outputs

    /// Outputs that are partly another pass's: first copied from the parent where the pass starts here, then swapped.
    private mutating func outputSwaps(
        _ passes: [PatchedPass], layer: Int, _ positions: inout Positions
    ) -> (copies: Entries<SliceEntry>, slices: Entries<SliceEntry>) {
        let computed = shape.tokens(after: layer), columns = 0..<shape.hiddenSize
        var copies = EntryList<SliceEntry>(), slices = EntryList<SliceEntry>()
        for pass in passes {
            if pass.born, pass.start == nil, !pass.hasGivenOutput {
                positions.append(pass.block)
                for image in 0..<images {
                    copies.append(
                        dst: positions[pass.block] + image, src: positions[pass.base] + image, columns: columns,
                        tokens: (0, computed))
                }
            }
            for swap in pass.swaps where swap.site.isOutput && !swap.isFull {
                let tokens = lists.tokens(swap.tokens, all: computed)
                for image in 0..<images {
                    slices.append(
                        dst: positions[pass.block] + image, src: pass.source * images + image, columns: columns,
                        tokens: tokens)
                }
            }
        }
        return (lists.append(copies), lists.append(slices))
    }

    /// The adds for outputs that are in o.
    private mutating func outputAdds(
        _ passes: [PatchedPass], adds: Set<Int>, _ positions: Positions
    ) -> (births: Add, inPlace: Add) {
        // Position of each block's output, in blocks
        func from(_ pass: PatchedPass) -> Int {
            (pass.hasGivenOutput ? pass.source * images : positions[pass.block]) / max(images, 1)
        }
        let born = passes.filter(\.born), going = passes.filter { !$0.born && !adds.contains($0.block) }
        let waiting = sources.models.indices.filter { !adds.contains($0) }
        let births = Add(
            dst: lists.append(born.map(\.block)), base: lists.append(born.map(\.base)),
            src: lists.append(born.map(from)), count: born.count * images)
        let inPlace = lists.append(waiting + going.map(\.block))
        return (
            births,
            Add(
                dst: inPlace, base: inPlace, src: lists.append(waiting + going.map(from)),
                count: (waiting.count + going.count) * images)
        )
    }

    /// Splits `count` rows into pieces of at most a chunk, as even as possible.
    private func pieces(_ count: Int) -> [Range<Int>] {
        let pieces = (count + workspace.rows - 1) / workspace.rows
        return (0..<pieces).map { count * $0 / pieces..<count * ($0 + 1) / pieces }
    }
}
