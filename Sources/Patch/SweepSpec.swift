import ViT

/// Which patches a sweep makes, as a user says it: every direction with every site, window and layer.
public struct SweepSpec: Codable, Sendable, Equatable {
    public var directions: [Direction]
    /// Sites joined with `+` are patched together
    public var sites: [String]
    /// Layers per patch; nil: 1 and 3 for attn_out and mlp_out, 1 elsewhere
    public var windows: [Int]?
    /// One patch per item: a centre, or a set of layers (several)
    public var layers: [[Int]]

    public init(directions: [Direction], sites: [String], windows: [Int]?, layers: [[Int]]) {
        self.directions = directions
        self.sites = sites
        self.windows = windows
        self.layers = layers
    }

    /// One patch and the columns that name it in `export`.
    public struct Item: Sendable, Equatable {
        public var patch: Patch
        public var direction: String, site: String, layer: String, window: String
    }

    /// The sweep's patches in the order of `export`: by direction, site, window, layer.
    /// - Throws: `SweepError.option` for a site that does not exist or cannot be patched yet.
    public func items(config: ViTConfig) throws(SweepError) -> [Item] {
        var items: [Item] = []
        for direction in directions {
            for text in sites {
                let sites = try Self.parse(text)
                func add(_ layers: [Int], layer: String, window: String) {
                    let item = Item(
                        patch: Patch(direction: direction, sites: sites, layers: layers), direction: direction.rawValue,
                        site: text, layer: layer, window: window)
                    if !items.contains(item) { items.append(item) }
                }
                guard sites.contains(where: \.hasLayers) else {
                    add([], layer: "", window: "")
                    continue
                }
                let wide = sites.allSatisfy { $0 == .attnOut || $0 == .mlpOut }
                for window in windows ?? (wide ? [1, 3] : [1]) {
                    for centre in layers where centre.count == 1 {
                        add(
                            Patch.window(centre: centre[0], width: window, layers: config.layers), layer: "\(centre[0])",
                            window: "\(window)")
                    }
                }
                for set in layers where set.count > 1 {
                    add(set, layer: set.map(String.init).joined(separator: "+"), window: "")
                }
            }
        }
        return items
    }

    /// The sites of `attn_out+mlp_out`.
    public static func parse(_ text: String) throws(SweepError) -> [Site] {
        var sites: [Site] = []
        for name in text.split(separator: "+", omittingEmptySubsequences: false) {
            guard let site = Site(rawValue: String(name)) else {
                throw .option(
                    "--site \(text): \"\(name)\" is unknown; valid are "
                        + Site.allCases.map(\.rawValue).joined(separator: ", "))
            }
            if !sites.contains(site) { sites.append(site) }
        }
        return sites
    }
}
