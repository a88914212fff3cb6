import CLRuntime
import Kernels
import Patch
import Reference
import TestSupport
import Testing
import Verification
import ViT

extension PatchWith {
    /// All cases that need no file
    static let withoutFile = allCases.filter { $0 != .file }
}

extension Lab {
    /// Every site alone with every window of 1 to 3 layers, token sets (all, CLS, another, three), heads or neurons,
    /// and both directions.
    func everyCombination(with: PatchWith = .other, sites: [Site] = Site.allCases) -> [Patch] {
        let config = rig.config, last = config.tokens - 1
        let tokenSets = ([nil, [0], [last], [last, 0, config.tokens / 2]] as [[Int]?])
        let headSets: [[Int]?] = config.heads > 1 ? [nil, [0], [config.heads - 1, 0]] : [nil]
        let neuronSets: [[Int]?] =
            config.intermediateSize > 3 ? [nil, [1], [0, 2, 3, config.intermediateSize - 1]] : [nil]
        var patches: [Patch] = []
        for direction in Direction.allCases {
            for site in sites {
                for layers in site.hasLayers ? windows() : [[]] {
                    for tokens in tokenSets {
                        for heads in site.hasHeads ? headSets : [nil] {
                            for neurons in site.hasNeurons ? neuronSets : [nil] {
                                let part = Part(
                                    site: site, layers: layers, heads: heads, tokens: tokens, neurons: neurons)
                                patches.append(Patch(direction: direction, with: with, parts: [part]))
                            }
                        }
                    }
                }
            }
        }
        return patches
    }

    /// Windows of 1, 2 and 3 layers at every centre; each set of layers once
    func windows() -> [[Int]] {
        let layers = rig.config.layers
        return [1, 2, 3].flatMap { width in
            (0..<layers).map { Patch.window(centre: $0, width: width, layers: layers) }
        }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// A patch of one to four random parts.
    func randomPatch(_ random: inout SplitMix64, with: [PatchWith]) -> Patch {
        let config = rig.config
        func some(_ count: Int) -> [Int]? {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: nil
            case 1: [Int.random(in: 0..<count, using: &random)]
            default: Array((0..<count).shuffled(using: &random).prefix(Int.random(in: 1...count, using: &random)))
            }
        }
        let with = with.randomElement(using: &random) ?? .other
        let sites = Site.allCases.filter { with != .mean || $0 != .pattern }
        let parts = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            let site = sites.randomElement(using: &random) ?? .z
            return Part(
                site: site, layers: site.hasLayers ? (some(config.layers) ?? Array(0..<config.layers)).sorted() : [],
                heads: site.hasHeads ? some(config.heads) : nil, tokens: some(config.tokens),
                neurons: site.hasNeurons ? some(config.intermediateSize) : nil)
        }
        return Patch(direction: Bool.random(using: &random) ? .restore : .noising, with: with, parts: parts)
    }
}
