/// Which pass gives and which receives.
public enum Direction: String, Codable, Sendable, CaseIterable {
    /// clean activations into the corrupted pass (denoising; Meng et al. 2022 call it causal tracing)
    case restore
    /// corrupted activations into the clean pass
    case noise
}

/// One patched pass, as data: at `sites`, in `layers`, the receiving pass's activations are replaced.
public struct Patch: Codable, Sendable, Hashable {
    public var direction: Direction
    public var sites: [Site]
    /// Layers from 0, ascending; empty for `embed`
    public var layers: [Int]

    public init(direction: Direction = .restore, sites: [Site], layers: [Int]) {
        self.direction = direction
        self.sites = sites
        self.layers = layers
    }

    /// The layers of a window of `width` centred on `centre`: [centre - floor(width / 2), centre + ceil(width / 2)),
    /// cut to the network (the rule of ROME, Meng et al. 2022, `causal_trace.py`).
    public static func window(centre: Int, width: Int, layers: Int) -> [Int] {
        let low = max(0, centre - width / 2), high = min(layers, centre + (width + 1) / 2)
        return low < high ? Array(low..<high) : []
    }

    /// What has to be done for this patch, in the order of a pass. A residual stream replaced for all tokens makes all
    /// that was before it irrelevant, so only the last of those counts, and what comes after it.
    var places: [Place: Set<Site>] {
        var places: [Place: Set<Site>] = [:]
        for site in sites {
            if site.hasLayers {
                for layer in layers { places[site.place(layer: layer), default: []].insert(site) }
            } else {
                places[site.place(layer: 0), default: []].insert(site)
            }
        }
        let overwritten = places.filter { $0.value.contains(where: \.isResidual) }.keys.max()
        return places.filter { place, _ in overwritten.map { place >= $0 } ?? true }
    }
}

/// What can go wrong before or in a sweep; one sentence each.
public enum SweepError: Error, CustomStringConvertible, Sendable {
    case option(String)
    case memory(String)

    public var description: String {
        switch self {
        case .option(let message), .memory(let message): message
        }
    }
}
