import Patch
import ViT

/// The patches of a sweep as the user gives them: every direction with every site, window, layer, head and token; and
/// patches spelled out part by part. Texts are those of the command line's options.
package struct SweepSpec: Codable, Sendable, Equatable {
    package var direction: [Direction] = [.restore]
    /// Sites joined with `+` are patched together; none: only `places` and `patches`
    package var site: [String] = [Site.attnOut.rawValue]
    /// Layers per patch; nil: 1 and 3 for attn_out and mlp_out, 1 elsewhere
    package var window: [Int]?
    /// Centres of windows, or sets; nil: every layer
    package var layers: String?
    /// each | all | LIST, for sites that have heads
    package var heads = "each"
    /// all | each | cls | patches | LIST | rectangles
    package var tokens = "all"
    /// each | LIST of the MLP's neurons, for mlp_pre and mlp_act; nil: all together
    package var neurons: String?
    package var patchWith = PatchWith.other
    /// Further sites, after those of the fields above
    package var places: [Places] = []
    /// Patches spelled out, after those of the fields above
    package var patches: [Named] = []

    /// Sites with their own windows, layers, heads, tokens and neurons; the fields mean the same as the sweep's
    package struct Places: Codable, Sendable, Equatable {
        package var site: [String], window: [Int]?, layers: String?, heads = "each", tokens = "all", neurons: String?

        package init(site: [String]) { self.site = site }
    }

    /// A patch spelled out; `name` is written to the `site` column.
    package struct Named: Codable, Sendable, Equatable {
        package var name: String
        /// nil: every direction of the sweep
        package var direction: Direction?
        package var parts: [Part]

        package init(name: String, direction: Direction? = nil, parts: [Part]) {
            (self.name, self.direction, self.parts) = (name, direction, parts)
        }
    }

    package init() {}

    /// One patch and the columns that name it in `export`.
    package struct Item: Sendable, Equatable {
        package var patch: Patch
        package var site: String, layer: String, head: String, token: String, window: String
        /// Whether it is one of `patches`
        package var isSpelledOut = false
        /// Whether it is a random place for comparison
        package var isControl = false
        /// Several of the sweep's own patches together, by index; else nil
        package var members: [Int]?
        package var direction: String { patch.direction.rawValue }
    }

    /// All sites, those of the fields above first
    package var allPlaces: [Places] {
        var own = Places(site: site)
        (own.window, own.layers, own.heads, own.tokens, own.neurons) = (window, layers, heads, tokens, neurons)
        return [own] + places
    }

    /// The sweep's patches in the order of `export`: by direction, site, window, head, token, layer; sets of layers
    /// after windows; patches spelled out last.
    /// - Throws: `SpecError` for a site, layer, head or token that does not exist.
    package func items(config: ViTConfig) throws(SpecError) -> [Item] {
        var items: [Item] = []
        for direction in direction {
            for places in allPlaces { items += try places.items(direction, patchWith, config) }
        }
        for named in patches {
            items += (named.direction.map { [$0] } ?? direction).map {
                Item(
                    patch: Patch(direction: $0, with: patchWith, parts: named.parts), site: named.name, layer: "",
                    head: "",
                    token: "", window: "", isSpelledOut: true)
            }
        }
        if patchWith == .mean, items.contains(where: { $0.patch.parts.contains { $0.site == .pattern } }) {
            throw SpecError(
                "--patch-with mean does not go with the site pattern: patch z instead", origin: .commandLine)
        }
        var seen: Set<[String]> = []
        return items.filter { seen.insert([$0.direction, $0.site, $0.layer, $0.head, $0.token, $0.window]).inserted }
    }

    /// The sites of `attn_out+mlp_out`; throws if one is repeated.
    package static func sites(_ text: String) throws(ListError) -> [Site] {
        var sites: [Site] = []
        for name in text.split(separator: "+", omittingEmptySubsequences: false) {
            guard let site = Site(rawValue: String(name)) else { throw .unknownSite(String(name)) }
            if sites.contains(site) { throw .twice(String(name)) }
            sites.append(site)
        }
        return sites
    }
}

extension SweepSpec.Places {
    fileprivate func items(
        _ direction: Direction, _ patchWith: PatchWith, _ config: ViTConfig
    ) throws(SpecError) -> [SweepSpec.Item] {
        func list<Value>(
            _ key: SweepKey, _ text: String, _ parse: (String) throws(ListError) -> Value
        ) throws(SpecError) -> Value {
            try Written(text: text, name: key.flag).parsed(parse)
        }
        func indices(_ key: SweepKey, _ text: String, below count: Int) throws(SpecError) -> [ListText.Item] {
            try list(key, text) { (text) throws(ListError) in try ListText.parse(text, below: count) }
        }
        let layers =
            try self.layers.map { (text) throws(SpecError) in try indices(.layers, text, below: config.layers) }
            ?? (0..<config.layers).map { ListText.Item(text: "\($0)", indices: [$0]) }
        let allHeads = try list(.heads, heads) { (text) throws(ListError) in
            try ListText.heads(text, config: config)
        }
        let tokens = try list(.tokens, self.tokens) { (text) throws(ListError) in
            try ListText.tokens(text, config: config)
        }
        let none = [ListText.Item(text: "", indices: nil)]
        let neurons =
            try self.neurons.map { (text) throws(SpecError) in
                try list(.neurons, text) { (text) throws(ListError) in try ListText.neurons(text, config: config) }
            } ?? none

        var items: [SweepSpec.Item] = []
        for text in site {
            let sites = try list(.site, text, SweepSpec.sites)
            let heads = sites.contains(where: \.hasHeads) ? allHeads : none
            let places = sites.contains(where: \.hasLayers) ? places(sites, layers, config) : [([], "", "")]
            let inner = sites.contains(where: \.hasNeurons) ? neurons : none
            for (window, group) in grouped(places) {
                for head in heads {
                    for token in tokens {
                        for neuron in inner {
                            for (indices, layer, _) in group {
                                let parts = sites.map {
                                    Part(
                                        site: $0, layers: $0.hasLayers ? indices : [],
                                        heads: $0.hasHeads ? head.indices : nil, tokens: token.indices,
                                        neurons: $0.hasNeurons ? neuron.indices : nil)
                                }
                                items.append(
                                    SweepSpec.Item(
                                        patch: Patch(direction: direction, with: patchWith, parts: parts),
                                        site: text + (neuron.text.isEmpty ? "" : "[\(neuron.text)]"), layer: layer,
                                        head: head.text, token: token.text, window: window))
                            }
                        }
                    }
                }
            }
        }
        return items
    }

    private typealias Layers = (indices: [Int], layer: String, window: String)

    private func places(_ sites: [Site], _ layers: [ListText.Item], _ config: ViTConfig) -> [Layers] {
        let wide = sites.allSatisfy { $0 == .attnOut || $0 == .mlpOut }
        var places: [Layers] = []
        for width in window ?? (wide ? [1, 3] : [1]) {
            for centre in layers {
                guard let indices = centre.indices, indices.count == 1 else { continue }
                places.append(
                    (Patch.window(centre: indices[0], width: width, layers: config.layers), centre.text, "\(width)"))
            }
        }
        for set in layers {
            guard let indices = set.indices, indices.count > 1 else { continue }
            places.append((indices, set.text, ""))
        }
        return places
    }

    /// Groups neighbours with the same window.
    private func grouped(_ places: [Layers]) -> [(window: String, places: [Layers])] {
        var groups: [(window: String, places: [Layers])] = []
        for place in places {
            if groups.last?.window == place.window {
                groups[groups.count - 1].places.append(place)
            } else {
                groups.append((place.window, [place]))
            }
        }
        return groups
    }
}
