import Results
import Statistics

/// Patches of one corruption, direction and site that are shown in one kind of figure.
struct PlaceGroup {
    enum Shape {
        /// Layers by windows
        case layers
        /// Layers by heads
        case heads
        /// Layers by tokens; `grid`: the side of the grid of image patches, if each token is patched by itself
        case tokens(grid: Int?)
        /// Heads and tokens at once, or neurons
        case places
    }
    var direction: String
    var words: InterventionWords
    var site: String
    /// In words, the head, token and window that all patches share; may be empty
    var detail: String
    var shape: Shape
    var patches: [PatchStatistics]
    /// The model's tokens
    var layout = TokenLayout.cls

    /// The side of the grid of image patches, if each image patch is patched by itself
    var grid: Int? { if case .tokens(let grid) = shape { grid } else { nil } }

    /// `denoising z, window 3`
    var title: String { "\(words.name) \(site)" + (detail.isEmpty ? "" : ", \(detail)") }
    var layers: [String] { unique(patches.map(\.record.layer)) }
    var windows: [String] { unique(patches.map(\.record.window)) }
    /// Whether layers are numbers, so that a line can connect neighbours
    var layersAreNumbers: Bool { layers.count > 1 && layers.allSatisfy { Int($0) != nil } }

    /// The title of an x axis of layers; windows are placed at their centres
    func axisTitle(_ windows: [String]) -> String {
        if layers.allSatisfy(\.isEmpty) { return "site" }
        return windows.contains("") ? "layers" : windows.allSatisfy { $0 == "1" } ? "layer" : "centre layer"
    }

    func patch(layer: String, window: String) -> PatchStatistics? {
        patches.first { $0.record.layer == layer && $0.record.window == window }
    }

    var strongest: PatchStatistics? { Statistics.strongest(patches) }

    /// The strongest image patch, if each image patch is patched by itself
    var strongestImagePatch: PatchStatistics? {
        guard grid != nil else { return nil }
        return Statistics.strongest(patches.filter { layout.covered($0.record.token).patches })
    }

    static func all(_ statistics: CorruptionStatistics, _ manifest: Manifest) -> [PlaceGroup] {
        func split(_ patches: [PatchStatistics], by key: (PatchRecord) -> [String]) -> [[PatchStatistics]] {
            let groups = Dictionary(grouping: patches) { key($0.record) }
            return unique(patches.map { key($0.record) }).compactMap { groups[$0] }
        }
        return split(statistics.patches, by: site(among: statistics.patches)).flatMap { place -> [PlaceGroup] in
            let isNeurons = unique(place.map(\.record.site)).count > 1
            let tokens = unique(place.map(\.record.token)), heads = unique(place.map(\.record.head))
            let isTokens = tokens.count > 4
            func group(_ patches: [PatchStatistics], _ shape: Shape, names: [(String, String)]) -> PlaceGroup {
                PlaceGroup(
                    direction: place[0].record.direction,
                    words: InterventionWords(
                        manifest, direction: place[0].record.direction, corruption: statistics.spec),
                    site: isNeurons ? place[0].record.baseSite : place[0].record.site,
                    detail: names.filter { !$0.1.isEmpty && $0 != ("window", "1") }.map {
                        $0.0 == "token" ? tokenText($0.1) : "\($0.0) \($0.1)"
                    }.joined(
                        separator: ", "),
                    shape: shape, patches: patches, layout: manifest.tokens ?? .cls)
            }
            if isNeurons || isTokens && heads.count > 1 { return [group(place, .places, names: [])] }
            if isTokens {
                return split(place) { [$0.window] }.map {
                    let record = $0[0].record
                    return group(
                        $0, .tokens(grid: (manifest.tokens ?? .cls).grid(of: tokens)),
                        names: [("head", record.head), ("window", record.window)])
                }
            }
            if heads.count > 1 {
                return split(place) { [$0.token, $0.window] }.map {
                    let record = $0[0].record
                    return group($0, .heads, names: [("token", record.token), ("window", record.window)])
                }
            }
            return split(place) { [$0.token] }.map {
                group($0, .layers, names: [("head", $0[0].record.head), ("token", $0[0].record.token)])
            }
        }
    }

    /// The key that groups patches by site; more than four neurons of one site share a key.
    static func site(among patches: [PatchStatistics]) -> (PatchRecord) -> [String] {
        let sites = Dictionary(grouping: unique(patches.map(\.record.site)), by: PatchRecord.baseSite)
        let many = Set(sites.filter { $0.value.count > 4 }.keys)
        return { record in
            var key = site(record)
            if many.contains(record.baseSite) { key[1] = record.baseSite }
            return key
        }
    }

    /// Patches of all heads or tokens have another key than those of single ones at the same site.
    static func site(_ patch: PatchRecord) -> [String] {
        [patch.direction, patch.site, patch.head.isEmpty ? "all" : "", patch.token.isEmpty ? "all" : ""]
    }
}

extension PatchRecord {
    /// `mlp_act` of `mlp_act[7]`
    static func baseSite(_ site: String) -> String { String(site.prefix { $0 != "[" }) }
    var baseSite: String { Self.baseSite(site) }
    /// `7` of `mlp_act[7]`; empty for other sites
    var neuron: String {
        site.hasSuffix("]") ? String(site.drop { $0 != "[" }.dropFirst().dropLast()) : ""
    }

    /// The patched sites; neurons count as their site if there would be more than 12
    static func sites(_ patches: some Sequence<PatchRecord>) -> [String] {
        let all = unique(patches.map(\.site))
        return all.count > 12 ? unique(all.map(baseSite)) : all
    }
}
