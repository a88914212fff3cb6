import Kernels
import ViT

/// The sizes of a network that a schedule needs.
struct NetworkShape: Hashable {
    var layers: Int, tokens: Int, heads: Int, headDim: Int, hiddenSize: Int, intermediateSize: Int
    /// Tokens that the last layer computes
    var lastTokens: Int
    /// Whether the MLP is gated: mlp_pre is then the gate only, stored next to up
    var isGated: Bool

    init(_ config: ViTConfig) {
        (layers, tokens, heads) = (config.layers, config.tokens, config.heads)
        (headDim, hiddenSize, intermediateSize) = (config.headDim, config.hiddenSize, config.intermediateSize)
        lastTokens = config.tokens(after: config.layers - 1)
        isGated = config.architecture.hasGatedMLP
    }

    /// The number of tokens, from the first, that a stage of this layer computes
    func tokens(after layer: Int) -> Int { layer == layers - 1 ? lastTokens : tokens }

    /// The number of tokens that a site has in this layer
    func tokens(of site: Site, layer: Int) -> Int { site.row.isClipped ? tokens(after: layer) : tokens }

    /// Values per token at a site
    func width(of site: Site) -> Int { site.hasNeurons ? intermediateSize : hiddenSize }

    /// Values per token that a pass born at the site's cut starts from
    func bornWidth(of site: Site) -> Int { site == .mlpPre && isGated ? 2 * intermediateSize : width(of: site) }
}

/// What one patch replaces at one place, restricted to what is computed there.
struct Swap: Hashable {
    var site: Site
    /// nil: all
    var heads: [Int]?
    var tokens: [Int]?
    var neurons: [Int]?

    /// Whether the whole site is replaced
    var isFull: Bool { heads == nil && tokens == nil && neurons == nil }

    /// Ranges of a token's values
    func columns(_ shape: NetworkShape) -> [Range<Int>] {
        switch site.row.columns {
        case .whole: [0..<shape.hiddenSize]
        case .neurons: Self.runs(neurons).map { $0 ?? 0..<shape.intermediateSize }
        case .heads:
            Self.runs(heads).map { run in
                run.map { $0.lowerBound * shape.headDim..<$0.upperBound * shape.headDim } ?? 0..<shape.hiddenSize
            }
        }
    }

    /// Consecutive indices as ranges; a single nil for all indices.
    private static func runs(_ indices: [Int]?) -> [Range<Int>?] {
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
}

extension Patch {
    /// The swaps of this patch, by depth. Tokens that the last layer does not compute are left out, and so is a depth
    /// with no tokens left. A residual stream replaced for all tokens makes everything before it irrelevant, so only
    /// the last such swap and what follows it remain.
    func swaps(_ shape: NetworkShape) -> [Depth: [Swap]] {
        var swaps: [Depth: [Swap]] = [:]
        for var part in parts {
            // A pattern of zeros makes z zero. (The slots of given blocks hold q and k, and no pattern.)
            if with == .zero, part.site == .pattern { part.site = .z }
            for layer in part.site.hasLayers ? part.layers : [0] where (0..<shape.layers).contains(layer) {
                guard let swap = part.swap(layer: layer, shape) else { continue }
                let depth = part.site.depth(layer: layer)
                if !(swaps[depth]?.contains(swap) ?? false) { swaps[depth, default: []].append(swap) }
            }
        }
        let overwritten = swaps.filter { $0.value.contains { $0.site.isResidual && $0.isFull } }.keys.max()
        swaps = swaps.filter { depth, _ in overwritten.map { depth >= $0 } ?? true }
        return swaps.mapValues { swaps in
            // A swap of the whole activation hides earlier ones in the same stage.
            guard
                let cut = swaps.filter({ $0.isFull && $0.site.isWholeCut || $0.isFull && $0.site.isResidual })
                    .map(\.site.row.cut).max()
            else { return swaps }
            return swaps.filter { $0.site.row.cut > cut || ($0.site.row.cut == cut && $0.isFull) }
        }
    }

    /// An upper limit of the ints that this patch's entries take per image, and that its token lists take in all.
    func listInts(_ shape: NetworkShape) -> (entries: Int, tokens: Int) {
        var entries = 0, tokens = 0
        for swaps in swaps(shape).values {
            // The copies that a pass starts from: at most q, k and v
            entries += 3 * SliceEntry.size
            for swap in swaps {
                entries +=
                    swap.site.row.home == .pattern
                    ? (swap.heads?.count ?? shape.heads) * PatternEntry.size
                    : swap.columns(shape).count * SliceEntry.size
                tokens += swap.tokens?.count ?? 0
            }
        }
        return (entries, tokens)
    }
}

extension Part {
    /// nil where the part replaces nothing that is computed in this layer
    fileprivate func swap(layer: Int, _ shape: NetworkShape) -> Swap? {
        func whole(_ list: [Int]?, _ count: Int) -> [Int]? {
            guard let list else { return nil }
            let set = Set(list).filter { (0..<count).contains($0) }
            return set.count == count ? nil : set.sorted()
        }
        var swap = Swap(
            site: site, heads: whole(heads, shape.heads), tokens: whole(tokens, shape.tokens(of: site, layer: layer)),
            neurons: whole(neurons, shape.intermediateSize))
        // The gate is not all that continues from its cut: up stays the receiving pass's.
        if site == .mlpPre, shape.isGated, swap.neurons == nil { swap.neurons = Array(0..<shape.intermediateSize) }
        let isEmpty = [swap.heads, swap.tokens, swap.neurons].contains { $0?.isEmpty ?? false }
        return isEmpty ? nil : swap
    }
}
