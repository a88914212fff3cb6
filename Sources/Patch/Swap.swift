import Kernels
import ViT

/// The sizes that a schedule needs to know of a network.
struct NetworkShape: Hashable {
    var layers: Int, tokens: Int, heads: Int, headDim: Int, hiddenSize: Int, intermediateSize: Int
    /// Tokens that the last layer computes
    var lastTokens: Int
    /// Whether mlp_pre is but the gate of the hidden layer, which stands beside what it gates
    var isGated: Bool

    init(_ config: ViTConfig) {
        (layers, tokens, heads) = (config.layers, config.tokens, config.heads)
        (headDim, hiddenSize, intermediateSize) = (config.headDim, config.hiddenSize, config.intermediateSize)
        lastTokens = config.tokens(after: config.layers - 1)
        isGated = config.architecture.hasGatedMLP
    }

    /// Tokens that a stage of this layer computes, from the first on
    func tokens(after layer: Int) -> Int { layer == layers - 1 ? lastTokens : tokens }

    /// Tokens that a site has in this layer
    func tokens(of site: Site, layer: Int) -> Int { site.row.isClipped ? tokens(after: layer) : tokens }

    /// Values of a token at a site
    func width(of site: Site) -> Int { site.hasNeurons ? intermediateSize : hiddenSize }

    /// Values of a token that a pass starts from which is born at the site's cut
    func bornWidth(of site: Site) -> Int { site == .mlpPre && isGated ? 2 * intermediateSize : width(of: site) }
}

/// What one patch does at one place, cut to what is computed there.
struct Swap: Hashable {
    var site: Site
    /// nil: all
    var heads: [Int]?
    var tokens: [Int]?
    var neurons: [Int]?

    /// Whether nothing of the site is left as it was
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

    /// Neighbouring indices as ranges; one nil for all of them.
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
    /// What has to be done for this patch, by depth. Tokens that the last layer does not compute are left out, and a
    /// depth where nothing remains with them. A residual stream replaced for all tokens makes all that was before it
    /// irrelevant, so only the last of those counts, and what comes after it.
    func swaps(_ shape: NetworkShape) -> [Depth: [Swap]] {
        var swaps: [Depth: [Swap]] = [:]
        for var part in parts {
            // A pattern of zeros weighs nothing: it is z of zeros. (Slots that are given hold q and k, and no pattern.)
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
            // What is replaced whole hides what comes before it in the same stage.
            guard
                let cut = swaps.filter({ $0.isFull && $0.site.isWholeCut || $0.isFull && $0.site.isResidual })
                    .map(\.site.row.cut).max()
            else { return swaps }
            return swaps.filter { $0.site.row.cut > cut || ($0.site.row.cut == cut && $0.isFull) }
        }
    }

    /// The most ints that this patch's entries take for each image, and its token lists for all.
    func listInts(_ shape: NetworkShape) -> (entries: Int, tokens: Int) {
        var entries = 0, tokens = 0
        for swaps in swaps(shape).values {
            // What a pass starts from: at most q, k and v
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
    /// nil where the part touches nothing that is computed in this layer
    fileprivate func swap(layer: Int, _ shape: NetworkShape) -> Swap? {
        func whole(_ list: [Int]?, _ count: Int) -> [Int]? {
            guard let list else { return nil }
            let set = Set(list).filter { (0..<count).contains($0) }
            return set.count == count ? nil : set.sorted()
        }
        var swap = Swap(
            site: site, heads: whole(heads, shape.heads), tokens: whole(tokens, shape.tokens(of: site, layer: layer)),
            neurons: whole(neurons, shape.intermediateSize))
        // A gate is not all that goes on: what it gates stays the receiving pass's.
        if site == .mlpPre, shape.isGated, swap.neurons == nil { swap.neurons = Array(0..<shape.intermediateSize) }
        let isEmpty = [swap.heads, swap.tokens, swap.neurons].contains { $0?.isEmpty ?? false }
        return isEmpty ? nil : swap
    }
}
