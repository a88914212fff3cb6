import ViT

/// The sizes that a schedule needs to know of a network.
struct NetworkShape: Hashable {
    var layers: Int, tokens: Int, heads: Int, headDim: Int, hiddenSize: Int, intermediateSize: Int

    init(_ config: ViTConfig) {
        (layers, tokens, heads) = (config.layers, config.tokens, config.heads)
        (headDim, hiddenSize, intermediateSize) = (config.headDim, config.hiddenSize, config.intermediateSize)
    }

    /// Tokens that a stage of this layer computes
    func tokens(after layer: Int) -> Int { layer == layers - 1 ? 1 : tokens }
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
}

extension Patch {
    /// What has to be done for this patch, by place. Tokens that the last layer does not compute are left out, and a
    /// place where nothing remains with them. A residual stream replaced for all tokens makes all that was before it
    /// irrelevant, so only the last of those counts, and what comes after it.
    func places(_ shape: NetworkShape) -> [Place: [Swap]] {
        var places: [Place: [Swap]] = [:]
        for var part in parts {
            // A pattern of zeros weighs nothing: it is z of zeros. (Slots that are given hold q and k, and no pattern.)
            if with == .zero, part.site == .pattern { part.site = .z }
            for layer in part.site.hasLayers ? part.layers : [0] where (0..<shape.layers).contains(layer) {
                guard let swap = part.swap(layer: layer, shape) else { continue }
                let place = part.site.place(layer: layer)
                if !(places[place]?.contains(swap) ?? false) { places[place, default: []].append(swap) }
            }
        }
        let overwritten = places.filter { $0.value.contains { $0.site.isResidual && $0.isFull } }.keys.max()
        places = places.filter { place, _ in overwritten.map { place >= $0 } ?? true }
        return places.mapValues { swaps in
            // What is replaced whole hides what comes before it in the same stage.
            if swaps.contains(where: { $0.isFull && ($0.site == .attnOut || $0.site == .mlpOut || $0.site.isResidual) })
            {
                return swaps.filter { $0.isFull && ($0.site == .attnOut || $0.site == .mlpOut || $0.site.isResidual) }
            }
            if swaps.contains(where: { $0.isFull && $0.site == .z }) {
                return swaps.filter { $0.site == .attnOut || ($0.site == .z && $0.isFull) }
            }
            return swaps
        }
    }

    /// The most ints that this patch's entries take for each image, and its token lists for all.
    func listInts(_ shape: NetworkShape) -> (entries: Int, tokens: Int) {
        var entries = 0, tokens = 0
        for swaps in places(shape).values {
            // What a pass starts from: at most two copies
            entries += 12
            for swap in swaps {
                let slices =
                    swap.site == .pattern
                    ? swap.heads?.count ?? shape.heads
                    : Schedule.runs(swap.site == .mlpAct ? swap.neurons : swap.heads).count
                entries += 6 * slices
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
        let computed = site.isClippedInLastLayer ? shape.tokens(after: layer) : shape.tokens
        let swap = Swap(
            site: site, heads: whole(heads, shape.heads), tokens: whole(tokens, computed),
            neurons: whole(neurons, shape.intermediateSize))
        let isEmpty = [swap.heads, swap.tokens, swap.neurons].contains { $0?.isEmpty ?? false }
        return isEmpty ? nil : swap
    }
}
