import Kernels
import ViT

/// The steps of each stage of a wave, determined before anything runs.
///
/// Rows of a wave of B images come in blocks of B: block 0 is the clean passes, block 1 the corrupted ones, then the
/// other sources of activations (`Sources`), then one block per patch in order of birth. A patched pass is born where
/// it first differs from the receiving pass, or from another patch's pass with the same swaps until then (`Lineage`):
/// before that, nothing is computed for it. Rows whose `attn_out` (`mlp_out`) is replaced are not in the chunks of the
/// attention (MLP) stage; the add uses the source's output for them. Rows patched inside a stage start from copies of
/// the receiving pass's activations at a cut.
struct Schedule {
    /// Offsets into the lists, `count` entries each
    struct Copy: Equatable { var dst = 0, src = 0, count = 0 }
    struct Add: Equatable { var dst = 0, base = 0, src = 0, count = 0 }

    /// A place on the residual stream: whole rows first (births and full swaps), then slices
    struct StreamStep {
        var copy = Copy()
        var slices = Entries<SliceEntry>()
    }

    /// Attention or MLP
    struct StageStep {
        var chunks: [StageChunk] = []
        /// Outputs that are partly another pass's: copied whole, then swapped in slices
        var outputCopies = Entries<SliceEntry>(), outputSlices = Entries<SliceEntry>()
        /// Outputs that are kept in o until the add: first those of rows born here (their base is another row), then
        /// those of rows that continue in place. Outputs that no other row reads are added to the stream by the GEMM
        /// itself
        var births = Add(), inPlace = Add()
    }

    /// Passes that a stage computes together, with their swaps inside it. All offsets are into the lists.
    struct StageChunk {
        /// Start of its passes: the stream, or copies of other passes' activations at a cut
        var start: Cut
        /// List entries with the rows of x; only their number is used where the start is not the stream
        var rows: Range<Int>
        /// The first pass's slot in the workspace; the others follow
        var slot: Int
        /// The first pass's position in o; the others follow
        var position: Int
        /// Copies that the passes start from, at `start`; and swaps, at each cut
        var copies: [Activation: Entries<SliceEntry>] = [:], swaps: [Activation: Entries<SliceEntry>] = [:]
        /// Patterns taken from other passes
        var patterns = Entries<PatternEntry>()
        /// Patterns from a file
        var given: [GivenPattern] = []
        /// See `Encoder.Output.adds`
        var adds: Int?
        /// The weights: 0 for the model, 1 for the donor
        var model = 0

        var slots: Range<Int> { slot..<(slot + rows.count) }
    }

    /// A pass's patterns for one image, from a file
    struct GivenPattern {
        var slot: Int, image: Int
        var heads: [Int], tokens: [Int]
    }

    struct Layer {
        var stream: [Depth.Stage: StreamStep] = [:]
        var stages: [Depth.Stage: StageStep] = [:]
        /// Number of blocks whose rows hold a pass after each stage
        var alive: [Depth.Stage: Int] = [:]
    }

    /// The source passes, and the receiving and source block of each patch.
    struct Sources: Hashable {
        /// Model of each computed block: 0, or 1 for the donor
        var models: [Int]
        enum Given { case zeros, means, file }
        /// Given blocks, which follow the computed ones
        var given: [Given] = []
        /// Per patch: the receiving block and the source block
        var base: [Int], source: [Int]

        var blocks: Int { models.count + given.count }

        func block(_ kind: Given) -> Int? { given.firstIndex(of: kind).map { models.count + $0 } }
    }

    let images: Int
    let sources: Sources
    let rows: Int
    private(set) var layers: [Layer] = []
    var lists: RowLists
    /// Row block of each patch, in the order of the patches
    private(set) var blocks: [Int]
    /// (row, stage, layer) evaluations
    var evaluations = 0

    let keepsOutputs: Bool
    let shape: NetworkShape
    let workspace: Workspace.Shape
    private let lineage: Lineage

    /// - Parameter keepsOutputs: keep all outputs of a stage in o until the add, for readers
    init(
        patches: [Patch], images: Int, shape: NetworkShape, sources: Sources, workspace: Workspace.Shape,
        keepsOutputs: Bool = false
    ) {
        self.images = images
        self.keepsOutputs = keepsOutputs
        self.sources = sources
        self.shape = shape
        self.workspace = workspace
        let swaps = patches.map { $0.swaps(shape) }
        lineage = Lineage(swaps: swaps, base: sources.base, source: sources.source)
        let (births, order) = (lineage.births, lineage.order)
        rows = images * (sources.blocks + order.count)
        lists = RowLists(images: images, counting: max(rows, shape.tokens))
        // Patches without swaps (a window outside the network, tokens that are not computed) are the receiving pass.
        blocks = sources.base
        for (k, patch) in order.enumerated() { blocks[patch] = sources.blocks + k }
        for (patch, twin) in lineage.twins.enumerated() {
            if let twin { blocks[patch] = blocks[twin] }
        }

        var alive: [Int] = []  // patches, in order of birth
        for index in 0..<shape.layers {
            var layer = Layer()
            for stage in Depth.Stage.allCases {
                let depth = Depth(layer: index, stage: stage)
                let going = alive.map { pass($0, swaps: swaps[$0][depth] ?? [], born: false) }
                let born = order.filter { births[$0]?.depth == depth }
                alive += born
                let passes = going + born.map { pass($0, swaps: swaps[$0][depth] ?? [], born: true) }
                if stage.hasOutput {
                    layer.stages[stage] = self.stage(passes, stage, layer: index)
                } else {
                    layer.stream[stage] = stream(passes)
                }
                layer.alive[stage] = sources.blocks + alive.count
            }
            layers.append(layer)
        }
    }

    /// One patched pass at one depth
    struct PatchedPass {
        /// `base`: the block that it is a copy of at its birth
        var block: Int, base: Int, source: Int
        var swaps: [Swap]
        /// Whether the pass is born here
        var born: Bool

        /// Whether the stage's whole output is another pass's
        var hasGivenOutput: Bool { swaps.contains { $0.site.isOutput && $0.isFull } }

        /// The cut from which the pass is computed in a stage; nil if there is nothing to compute
        var start: Cut? {
            if hasGivenOutput { return nil }
            if let whole = givenCut { return whole }
            return born ? swaps.filter { !$0.site.isOutput }.map(\.site.row.cut).min() : .stream
        }

        /// The last cut at which everything that continues is the source's
        var givenCut: Cut? {
            swaps.filter { $0.isFull && $0.site.isWholeCut && !$0.site.isOutput }.map(\.site.row.cut).max()
        }
    }

    private func pass(_ patch: Int, swaps: [Swap], born: Bool) -> PatchedPass {
        let parent = lineage.births[patch]?.parent
        return PatchedPass(
            block: blocks[patch], base: parent.map { blocks[$0] } ?? sources.base[patch], source: sources.source[patch],
            swaps: swaps, born: born)
    }

    private mutating func stream(_ passes: [PatchedPass]) -> StreamStep {
        var step = StreamStep()
        let whole = passes.filter { pass in pass.born || pass.swaps.contains(where: \.isFull) }
        step.copy = Copy(
            dst: lists.append(whole.map(\.block)),
            src: lists.append(whole.map { $0.swaps.contains(where: \.isFull) ? $0.source : $0.base }),
            count: whole.count * images)
        var slices = EntryList<SliceEntry>()
        for pass in passes {
            for swap in pass.swaps where !swap.isFull {
                let tokens = lists.tokens(swap.tokens, all: shape.tokens)
                for image in 0..<images {
                    slices.append(
                        dst: pass.block * images + image, src: pass.source * images + image,
                        columns: 0..<shape.hiddenSize, tokens: tokens)
                }
            }
        }
        step.slices = lists.append(slices)
        return step
    }
}
