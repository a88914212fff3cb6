import Patch
import TestSupport
import Testing
import ViT

/// Unneeded work is skipped, and nothing leaves the device between upload and read.
@Suite(.serialized) struct SkippedWorkTests {
    /// The number of (row, stage, layer) evaluations of one patched pass, counted independently.
    ///
    /// A pass is computed from the stage where it first differs from the receiving one; a site before or inside a stage
    /// makes that stage count. In the last layer only CLS continues. There, all sites except the encoder's input, the
    /// stream before the layer, keys and values are touched only if the patch has token 0, and then wholly if it has
    /// all heads. Outputs patched whole are not computed. A residual stream patched whole makes everything before it
    /// irrelevant.
    private func evaluations(
        _ site: Site, _ layers: [Int], heads: [Int]? = nil, tokens: [Int]? = nil, neurons: [Int]? = nil, of count: Int
    ) -> Int {
        let last = count - 1
        let reachesAll: Set<Site> = [.embed, .residPre, .k, .v]
        func touches(_ layer: Int) -> Bool {
            reachesAll.contains(site) || layer < last || (tokens?.contains(0) ?? true)
        }
        func whole(_ layer: Int) -> Bool {
            let allTokens =
                tokens == nil || (layer == last && !reachesAll.contains(site) && tokens?.contains(0) ?? true)
            return allTokens && heads == nil && neurons == nil
        }
        let touched = (site == .embed ? [0] : layers).filter(touches)
        guard var first = touched.first else { return 0 }
        if [.embed, .residPre, .residMid, .residPost].contains(site), let overwritten = touched.last(where: whole) {
            first = overwritten
        }
        var sum = 0
        for layer in first..<count {
            let given = touched.contains(layer) && whole(layer)
            let beforeAttention: Set<Site> = [.embed, .residPre, .q, .k, .v, .pattern, .z]
            let beforeMLP = beforeAttention.union([.attnOut, .residMid, .mlpPre, .mlpAct])
            if layer > first || beforeAttention.contains(site), !(site == .attnOut && given) { sum += 1 }
            if layer > first || beforeMLP.contains(site), !(site == .mlpOut && given) { sum += 1 }
        }
        return sum
    }

    /// Counts worked out by hand for a network of 5 layers, to check the formula above.
    @Test func theFormulaIsRight() {
        #expect(evaluations(.embed, [], of: 5) == 10)
        #expect(evaluations(.attnOut, [1, 2, 3], of: 5) == 1 + 4)  // attention of 4; every MLP from 1 on
        #expect(evaluations(.attnOut, [1, 2, 3], tokens: [2], of: 5) == 3 + 4)  // computed, then swapped
        #expect(evaluations(.attnOut, [3, 4], tokens: [0], of: 5) == 0 + 2)  // CLS is all of the last layer
        #expect(evaluations(.attnOut, [4], tokens: [2], of: 5) == 0)
        #expect(evaluations(.mlpOut, [1], of: 5) == 3 + 3)
        #expect(evaluations(.z, [2], heads: [0], of: 5) == 3 + 3)
        #expect(evaluations(.z, [1, 2, 3], of: 5) == 4 + 4)
        #expect(evaluations(.k, [4], tokens: [2], of: 5) == 2)
        #expect(evaluations(.q, [4], tokens: [2], of: 5) == 0)
        #expect(evaluations(.mlpAct, [2], of: 5) == 2 + 3)
        #expect(evaluations(.residMid, [1, 2], of: 5) == 2 + 3)
        #expect(evaluations(.residMid, [1, 2], tokens: [1], of: 5) == 3 + 4)
        #expect(evaluations(.residPost, [4], of: 5) == 0)
    }

    /// The states a patched pass computes, as strings that are equal exactly if the computation is: the stage, what was
    /// patched in before it, and inside it. Empty if the output is given or nothing was patched in.
    private func states(_ part: Part, of count: Int) -> [String] {
        let site = part.site, last = count - 1
        let reachesAll: Set<Site> = [.embed, .residPre, .k, .v],
            inside: Set<Site> = [.z, .q, .k, .v, .pattern, .mlpPre, .mlpAct]
        /// The patched-in slice, restricted to the tokens that the layer computes; nil if none is left
        func change(_ layer: Int) -> String? {
            let clipped = layer == last && !reachesAll.contains(site)
            if clipped, !(part.tokens?.contains(0) ?? true) { return nil }
            let whole = (clipped || part.tokens == nil) && part.heads == nil && part.neurons == nil
            return whole ? "all" : "\(part.heads ?? []) \(part.neurons ?? []) \(clipped ? [] : part.tokens ?? [])"
        }
        var changes = (site == .embed ? [0] : part.layers).compactMap { layer in change(layer).map { (layer, $0) } }
        if [.embed, .residPre, .residMid, .residPost].contains(site),
            let overwritten = changes.lastIndex(where: { $0.1 == "all" })
        {
            changes = Array(changes[overwritten...])
        }
        // The first stage after the site: 2 * layer for attention, 2 * layer + 1 for the MLP
        func after(_ layer: Int) -> Int {
            switch site {
            case .embed, .residPre: 2 * layer
            case .z, .q, .k, .v, .pattern, .attnOut, .residMid: 2 * layer + 1
            case .mlpPre, .mlpAct, .mlpOut, .residPost: 2 * layer + 2
            }
        }
        return (0..<2 * count).compactMap { stage in
            let before = changes.filter { after($0.0) <= stage }, own = changes.first { after($0.0) == stage + 1 }?.1
            if [.attnOut, .mlpOut].contains(site), own == "all" { return nil }
            let within = inside.contains(site) ? own : nil
            return before.isEmpty && within == nil ? nil : "\(stage): \(before), \(within ?? "")"
        }
    }

    /// Every site, window, some heads or all, some neurons or all, all tokens or one. Alone in its wave a patch takes
    /// the formula's number of evaluations; together, patches compute no state twice.
    @Test(arguments: Site.allCases) func evaluationsAreThoseOfTheFormula(_ site: Site) throws {
        var random = SplitMix64.fresh()
        let lab = try Lab(TinySize(layers: 5), images: 2)
        let layers = 5, images = 2
        var patches: [Patch] = []
        for width in site == .embed ? [1] : Array(1...4) {
            for centre in site == .embed ? [0] : Array(0..<layers) {
                let window = site == .embed ? [] : Patch.window(centre: centre, width: width, layers: layers)
                for tokens in [nil, [0], [.random(in: 1..<5, using: &random)], [0, 1]] as [[Int]?] {
                    for heads in site.hasHeads ? [nil, [1]] : [nil] as [[Int]?] {
                        for neurons in site.hasNeurons ? [nil, [3]] : [nil] as [[Int]?] {
                            patches.append(
                                Patch(parts: [
                                    Part(site: site, layers: window, heads: heads, tokens: tokens, neurons: neurons)
                                ]))
                        }
                    }
                }
            }
        }
        func expected(_ patches: [Patch]) -> Int {
            let patched = patches.flatMap(\.parts).map {
                evaluations($0.site, $0.layers, heads: $0.heads, tokens: $0.tokens, neurons: $0.neurons, of: layers)
            }
            return images * (2 * 2 * layers + patched.reduce(0, +))
        }
        let distinct = Set(patches.flatMap(\.parts).flatMap { states($0, of: layers) })
        let shape = WaveShape(images: images, patches: patches, chunkRows: 3)
        let wavefront = try Wavefront(encoder: lab.rig.encoder, library: lab.rig.library, shape: shape)
        #expect(
            try wavefront.run(lab.input, patches: patches).evaluations == images * (2 * 2 * layers + distinct.count))
        for patch in patches.shuffled(using: &random).prefix(12) {
            #expect(
                try wavefront.run(lab.input, patches: [patch]).evaluations == expected([patch]),
                "\(lab.describe(patch))")
            #expect(
                patch.parts.map { states($0, of: layers).count }.reduce(0, +) * images + images * 4 * layers
                    == expected([patch]))
        }
    }

    /// Source passes are computed once, and zeros not at all.
    @Test func otherPassesCountOnce() throws {
        let base = 2 * 3, images = 2  // stages of 3 layers
        func evaluations(_ lab: Lab, _ with: PatchWith, _ directions: [Direction]) throws -> Int {
            let patches = directions.flatMap { direction in
                [[0], [1]].map { Patch(direction: direction, with: with, sites: [.residPost], layers: $0) }
            }
            return try lab.run(patches).evaluations / images - directions.count * (4 + 2)
        }
        let lab = try Lab(images: images), donor = try Lab(images: images, donor: true)
        for directions in [[.restore], [.noising], [.restore, .noising]] as [[Direction]] {
            #expect(try evaluations(lab, .other, directions) == 2 * base)
            #expect(try evaluations(lab, .zero, directions) == 2 * base)
            #expect(try evaluations(lab, .resample, directions) == 3 * base)
            #expect(try evaluations(donor, .other, directions) == (2 + directions.count) * base)
        }
    }

    @Test func aWaveIsOneUploadAndOneRead() throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: "tiny")
        let patches = rig.patches()
        let wavefront = try rig.wavefront(images: 3, patches: patches)
        // The first wave of a shape also uploads its row lists.
        _ = try wavefront.run(rig.input(images: 3, &random), patches: patches)
        let before = rig.context.counters
        for _ in 0..<4 { _ = try wavefront.run(rig.input(images: 3, &random), patches: patches) }
        let after = rig.context.counters
        #expect(after.uploads - before.uploads == 2 * 4)  // pixels; classes and noise words
        #expect(after.reads - before.reads == 4)
        let values = 3 * (2 * rig.config.imageValues + 2)
        #expect(after.uploadedBytes - before.uploadedBytes == 4 * 4 * values)
        // Six metrics per row, and target and foil per image; equal patches share a row.
        #expect(after.readBytes - before.readBytes <= 4 * 4 * (3 * (2 + patches.count) * 6 + 3 * 2))
    }
}
