import CLRuntime
import Kernels

/// One walk forward and backward through the network: the computed passes, some midpoints, and the backward passes.
///
/// Passes come in blocks of one row per image: computed from pixels, given, midpoints. A pass has the same row in every
/// region of the stream and in o, and the same slot in the workspace.
struct AttributionWalk {
    /// One launch for each table of a pair, with its backward passes
    struct Use {
        var pair: Int
        var weight: Float
        var accumulates: Bool
        /// Rows of gradient, source and receiver; in `mixed`, the row of `Attribution.mixed` replaces the source's
        var entries: Entries<ContractEntry>, mixed: Entries<ContractEntry>
    }

    let images: Int
    /// Number of blocks of passes, including given ones
    let blocks: Int
    /// Model of each block: 0, or 1 for the donor
    let models: [Int]
    /// Given blocks: zeros, means, a file's activations
    let given: Range<Int>
    let regionRows: Int
    /// Blocks with backward passes
    let differentiated: Set<Int>
    /// Number of backward passes
    let backwardPassCount: Int
    let uses: [Use]
    /// Lists of the midpoints: their rows of the encoder's input (dst), and the rows they lie between (a, b)
    let midpoints: [(position: Float, dst: Int, a: Int, b: Int)]

    // Lists with one entry per backward pass: its pass's row (or slot), image, metric
    let slots: Range<Int>, imagesOfGradients: Range<Int>, metricsOfGradients: Range<Int>
    /// The row of x of its pass, by region
    let streamRows: [Range<Int>]
    /// Sets of keys that are put in: the entries that build them in the spare slots, by pair and tokens
    let keySets: [Int: [[Int]: (own: Entries<SliceEntry>, put: Entries<SliceEntry>)]]
    let lists: Buffer<Int32>

    /// The first row of a region
    func region(_ index: Int) -> Int { index * regionRows }
    func rows(_ block: Int) -> Range<Int> { (block * images)..<((block + 1) * images) }
    /// The first slot after those of all passes, for mixed keys
    var spareSlot: Int { blocks * images }

    /// - Parameters:
    ///   - midpoints: the midpoints of this walk
    ///   - isFirst: whether it includes the gradients at the passes themselves
    init(
        _ work: AttributionWork, sources: Schedule.Sources, layers: Int, images: Int,
        midpoints: [AttributionWork.Midpoint], isFirst: Bool, context: Context
    ) throws(CLError) {
        let given = work.computed..<(work.computed + work.given), blocks = given.upperBound + midpoints.count
        (self.images, self.given, self.blocks, regionRows) = (images, given, blocks, blocks * images)
        models = sources.models + [Int](repeating: 0, count: work.given + midpoints.count)
        let metrics = work.estimates.differentiatedMetrics
        var lists = RowLists(images: images, counting: (2 * layers + 1) * regionRows)
        var backward: [(block: Int, metric: Int)] = [], uses: [Use] = []

        /// Adds the backward passes of a block, one per metric, and returns their positions.
        func addBackwardPasses(of block: Int) -> [Int] {
            metrics.indices.map { metric in
                backward.append((block, metric))
                return backward.count - 1
            }
        }
        func entries(_ pair: EstimateLayout.Pair, _ blocks: [Int], method: Int, mixed: Bool) -> Entries<ContractEntry> {
            var list = EntryList<ContractEntry>()
            for (metric, block) in blocks.enumerated() {
                for image in 0..<images {
                    list.append(
                        ContractEntry(
                            g: block * images + image, s: mixed ? image : pair.source * images + image,
                            r: pair.base * images + image, out: (method * metrics.count + metric) * images + image),
                        tokens: 0)
                }
            }
            return lists.append(list)
        }
        func use(_ pair: Int, _ blocks: [Int], method: Int, weight: Float, accumulates: Bool) {
            let both = work.layout.pairs[pair]
            uses.append(
                Use(
                    pair: pair, weight: weight, accumulates: accumulates,
                    entries: entries(both, blocks, method: method, mixed: false),
                    mixed: entries(both, blocks, method: method, mixed: true)))
        }

        if let atp = work.atp, isFirst {
            for base in work.bases {
                let blocks = addBackwardPasses(of: base)
                for pair in work.layout.pairs.indices where work.layout.pairs[pair].base == base {
                    use(pair, blocks, method: atp, weight: 1, accumulates: false)
                }
            }
        }
        var points: [(position: Float, dst: Int, a: Int, b: Int)] = []
        for (index, midpoint) in midpoints.enumerated() {
            let block = given.upperBound + index, pair = work.layout.pairs[midpoint.pair]
            use(
                midpoint.pair, addBackwardPasses(of: block), method: midpoint.method, weight: midpoint.weight,
                accumulates: midpoint.accumulates)
            points.append(
                (midpoint.position, lists.append([block]), lists.append([pair.base]), lists.append([pair.source])))
        }
        (self.uses, self.midpoints) = (uses, points)
        differentiated = Set(backward.map(\.block))
        let count = backward.count * images
        backwardPassCount = count

        func range(_ first: Int) -> Range<Int> { first..<(first + count) }
        slots = range(lists.append(backward.map(\.block)))
        imagesOfGradients = range(lists.append(backward.map { _ in 0 }))
        let codes = metrics.map { metric in
            switch metric {
            case .logOdds, .p: 0
            case .logitDiff: 1
            case .logit: 2
            }
        }
        metricsOfGradients = range(
            lists.append(values: backward.flatMap { [Int](repeating: codes[$0.metric], count: images) }))
        streamRows = (0...(2 * layers)).map { region in
            range(
                lists.append(
                    values: backward.flatMap { pass in
                        (0..<images).map { region * blocks * images + pass.block * images + $0 }
                    }))
        }
        var keySets: [Int: [[Int]: (own: Entries<SliceEntry>, put: Entries<SliceEntry>)]] = [:]
        for table in work.layout.tables {
            guard case .keys(let tokens?) = table.key.cells, keySets[table.pair]?[tokens] == nil else { continue }
            let pair = work.layout.pairs[table.pair]
            func copies(from block: Int, _ tokens: [Int]?) -> Entries<SliceEntry> {
                let where_ = lists.tokens(tokens, all: work.tokens)
                var list = EntryList<SliceEntry>()
                for image in 0..<images {
                    list.append(
                        dst: blocks * images + image, src: block * images + image, columns: 0..<work.width,
                        tokens: where_)
                }
                return lists.append(list)
            }
            keySets[table.pair, default: [:]][tokens] = (
                copies(from: pair.base, nil), copies(from: pair.source, tokens)
            )
        }
        self.keySets = keySets
        self.lists = try Buffer(context, lists.values)
    }
}

extension Attribution {
    /// The walks of a wave of `images` images.
    func walks(images: Int) throws(CLError) -> [AttributionWalk] {
        if let known = walks[images] { return known }
        if walks.count == 2 { walks = [:] }
        let count = work.midpoints.count, most = max(1, shape.midpoints)
        var made: [AttributionWalk] = []
        for first in count == 0 ? [0] : Array(stride(from: 0, to: count, by: most)) {
            made.append(
                try AttributionWalk(
                    work, sources: sources, layers: encoder.config.layers, images: images,
                    midpoints: Array(work.midpoints[first..<min(first + most, count)]), isFirst: first == 0,
                    context: context))
        }
        walks[images] = made
        return made
    }
}
