import Images
import Patch
import ViT

extension SweepSpec {
    /// Random places to compare a sweep's patches with: for every direction and extent among `items` that covers
    /// several places, up to `count` patches of that extent elsewhere. A patch is moved by random permutations of the
    /// network's layers, heads, image patches and neurons, so its places are drawn without replacement and its form
    /// stays: a window of 3 becomes any 3 layers. No place is drawn twice, and none that `items` has; so there are
    /// fewer than `count` if the network has fewer.
    ///
    /// The draws depend on the seed and the extent alone, so both directions see the same places.
    package static func controls(of items: [Item], count: Int, config: ViTConfig, seed: UInt64) -> [Item] {
        var controls: [Item] = []
        var known = Set(items.map { Patch(merging: [$0.patch]) }), extents: Set<[String]> = []
        for item in items where count > 0 && item.patch.coversSeveralPlaces(config) {
            let extent = item.patch.extent(config)
            guard extents.insert([item.direction, extent]).inserted else { continue }
            let last = controls.count + count
            for draw in 0..<100 * count where controls.count < last {
                // Only what a part names needs an order.
                func order(_ count: Int, _ what: String, _ list: (Part) -> [Int]?) -> [Int] {
                    item.patch.parts.contains { list($0) != nil }
                        ? RandomKey.order(count, of: "\(extent): \(what)", draw: draw, seed: seed) : []
                }
                let patch = item.patch.moved(
                    layers: order(config.layers, "layers", \.layers), heads: order(config.heads, "heads", \.heads),
                    tokens: order(config.patches, "tokens", \.tokens),
                    neurons: order(config.intermediateSize, "neurons", \.neurons), prefixTokens: config.prefixTokens)
                if known.insert(Patch(merging: [patch])).inserted { controls.append(item.control(patch)) }
            }
        }
        return controls
    }
}

extension SweepSpec.Item {
    /// An item of another patch of the same form, with columns that name its places. The site of a patch spelled out is
    /// the list of its parts.
    fileprivate func control(_ patch: Patch) -> Self {
        func text(_ list: [Int]?) -> String? { list.map { $0.map(String.init).joined(separator: "+") } }
        var item = self
        (item.patch, item.isControl) = (patch, true)
        if isSpelledOut {
            item.site = patch.parts.map(\.text).joined(separator: ", ")
            return item
        }
        let layers = patch.parts.first { !$0.layers.isEmpty }?.layers
        if let neurons = text(patch.parts.lazy.compactMap(\.neurons).first), let bracket = site.firstIndex(of: "[") {
            item.site = site[..<bracket] + "[\(neurons)]"
        }
        item.layer = text(layers) ?? ""
        if (layers?.count ?? 0) > 1 { item.window = "" }
        item.head = text(patch.parts.lazy.compactMap(\.heads).first) ?? ""
        // Sets that the move does not change keep their name: `cls`, `patches`.
        if patch.parts.map(\.tokens) != self.patch.parts.map(\.tokens) {
            item.token = text(patch.parts.lazy.compactMap(\.tokens).first) ?? ""
        }
        return item
    }
}
