import Results
import Statistics

/// Patches of one direction and site whose estimates are shown in one kind of figure.
struct EstimateGroup {
    enum Shape {
        /// Layers by heads
        case heads
        /// Tokens at their places in the image: one map per layer, or per layer and head
        case tokens(grid: Int, TokenLayout)
        /// Layers by windows
        case layers
        /// Neurons, and patches that no map can show
        case list
    }

    var direction: String
    /// The site without neurons
    var site: String
    /// The token and the window that all members share
    var detail = ""
    var shape: Shape
    var hasHeads: Bool
    /// Indices into the manifest's patches
    var members: [Int]

    static func all(_ manifest: Manifest) -> [EstimateGroup] {
        let own = manifest.ownPatches
        func key(_ record: PatchRecord) -> [String] {
            [
                record.direction, record.baseSite, record.head.isEmpty ? "" : "each",
                record.token.isEmpty ? "" : "each",
                record.neuron.isEmpty ? "" : "each",
            ]
        }
        let byPlace = Dictionary(grouping: own.indices) { key(own[$0]) }
        return unique(own.map(key)).flatMap { place -> [EstimateGroup] in
            let members = byPlace[place] ?? []
            let tokens = unique(members.map { own[$0].token }), heads = unique(members.map { own[$0].head })
            func group(_ shape: Shape, _ members: [Int], _ detail: String = "") -> EstimateGroup {
                EstimateGroup(
                    direction: place[0], site: place[1], detail: detail, shape: shape, hasHeads: heads.count > 1,
                    members: members)
            }
            if !place[4].isEmpty { return [group(.list, members)] }
            let layout = manifest.tokens ?? .cls
            if tokens.count > 4 {
                return [group(layout.grid(of: tokens).map { .tokens(grid: $0, layout) } ?? .list, members)]
            }
            let parts = Dictionary(grouping: members) { [own[$0].token, heads.count > 1 ? own[$0].window : ""] }
            return unique(members.map { [own[$0].token, heads.count > 1 ? own[$0].window : ""] }).map { part in
                let detail = [
                    part[0].isEmpty ? "" : "token \(part[0])",
                    part[1] == "1" || part[1].isEmpty ? "" : "window \(part[1])",
                ]
                return group(
                    heads.count > 1 ? .heads : .layers, parts[part] ?? [],
                    detail.filter { !$0.isEmpty }.joined(separator: ", "))
            }
        }
    }

    func index(_ members: [Int], _ manifest: Manifest, _ key: (PatchRecord) -> [String]) -> [[String]: Int] {
        Dictionary(members.map { (key(manifest.patches[$0]), $0) }) { first, _ in first }
    }

    /// In deep layers CLS has nearly all of the effect; on its scale the image patches would have no colour.
    func setsScale(_ patch: Int, _ manifest: Manifest) -> Bool {
        guard case .tokens(_, let layout) = shape else { return true }
        return layout.covered(manifest.patches[patch].token).patches
    }

    /// A layer, or a head of a layer, whose tokens form one map.
    struct Plane: Hashable {
        var layer: String, head: String, window: String

        var title: String {
            [layer.isEmpty ? "" : "layer \(layer)", head.isEmpty ? "" : "head \(head)"].filter { !$0.isEmpty }
                .joined(separator: ", ")
        }
        /// `L0H2`
        var short: String { (layer.isEmpty ? "" : "L" + layer) + (head.isEmpty ? "" : "H" + head) }
    }

    /// The planes with the largest sums of absolute estimates over image patches, ordered by layer, then head
    func strongestPlanes(_ estimate: EstimateStatistics, _ manifest: Manifest, most: Int) -> [Plane] {
        var sums: [Plane: Double] = [:]
        func plane(_ record: PatchRecord) -> Plane {
            Plane(layer: record.layer, head: record.head, window: record.window)
        }
        for patch in members where setsScale(patch, manifest) && estimate.mean[patch].isFinite {
            sums[plane(manifest.patches[patch]), default: 0] += abs(estimate.mean[patch])
        }
        let all = unique(members.map { plane(manifest.patches[$0]) })
        let largest = Set(all.sorted { sums[$0] ?? 0 > sums[$1] ?? 0 }.prefix(most))
        func place(_ plane: Plane) -> (Int, Int) { (Int(plane.layer) ?? .max, Int(plane.head) ?? .max) }
        return all.filter(largest.contains).sorted { place($0) < place($1) }
    }
}
