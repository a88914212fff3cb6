import Patch
import TestSupport
import Testing
import ViT

/// Work that need not be done is not done, and nothing leaves the device in between.
@Suite(.serialized) struct SkippedWorkTests {
    /// (row, stage, layer) evaluations of one patched pass, by counting on paper.
    ///
    /// The window is [a, b). A pass starts where it first differs from the receiving one. `attn_out`: attention is
    /// given in the window, so it runs after it; the MLP runs from a on. `mlp_out`: the other way round, and attention
    /// runs from a + 1 on. A residual site makes everything before its last layer c = b - 1 irrelevant.
    private func evaluations(_ site: Site, _ layers: [Int], of count: Int) -> Int {
        guard let a = layers.first, let c = layers.last else { return site == .embed ? 2 * count : 0 }
        switch site {
        case .attnOut: return (count - (c + 1)) + (count - a)
        case .mlpOut: return (count - (a + 1)) + (count - (c + 1))
        case .residPre: return 2 * (count - c)
        case .residMid: return (count - c - 1) + (count - c)
        case .residPost: return 2 * (count - c - 1)
        default: return -1
        }
    }

    @Test func evaluationsAreThoseOfTheFormula() throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: "relu"), layers = rig.config.layers
        for site in Site.built {
            for width in 1...4 {
                let patches =
                    site == .embed
                    ? [Patch(sites: [.embed], layers: [])]
                    : (0..<layers).map {
                        Patch(sites: [site], layers: Patch.window(centre: $0, width: width, layers: layers))
                    }
                let output = try rig.wavefront(images: 2, patches: patches.count).run(
                    rig.input(images: 2, &random), patches: patches)
                let expected = 2 * 2 * 2 * layers + 2 * patches.map { evaluations(site, $0.layers, of: layers) }.reduce(0, +)
                #expect(output.evaluations == expected, "\(site) window \(width)")
            }
        }
    }

    @Test func aWaveIsOneUploadAndOneRead() throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: "tiny")
        let patches = rig.patches()
        let wavefront = try rig.wavefront(images: 3, patches: patches.count)
        // The first wave of a shape uploads its row lists too.
        _ = try wavefront.run(rig.input(images: 3, &random), patches: patches)
        let before = rig.context.counters
        for _ in 0..<4 { _ = try wavefront.run(rig.input(images: 3, &random), patches: patches) }
        let after = rig.context.counters
        #expect(after.uploads - before.uploads == 4)
        #expect(after.reads - before.reads == 4)
        let values = 3 * (2 * rig.config.channels * rig.config.imageSize * rig.config.imageSize + 1)
        #expect(after.uploadedBytes - before.uploadedBytes == 4 * 4 * values)
        #expect(after.readBytes - before.readBytes == 4 * 4 * (3 * (2 + patches.count) * 5 + 3 * 2))
    }
}
