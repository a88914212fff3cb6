import Foundation
import Patch
import TestSupport
import Testing
import ViT

private let config = ViTConfig(
    hiddenSize: 12, layers: 6, heads: 3, intermediateSize: 10, imageSize: 8, patchSize: 2, labels: ["a", "b"])

@Suite struct PatchTests {
    @Test func hugeWindowsAreTheWholeNetwork() {
        #expect(Patch.window(centre: 3, width: .max, layers: 6) == Array(0..<6))
        #expect(Patch.window(centre: 3, width: 0, layers: 6).isEmpty)
    }

    @Test func patchesSurviveJSON() throws {
        var random = SplitMix64.fresh()
        let lab = try Lab(images: 1)
        let patches =
            lab.everyCombination() + (0..<50).map { _ in lab.randomPatch(&random, with: PatchWith.withoutFile) }
        #expect(try JSONDecoder().decode([Patch].self, from: JSONEncoder().encode(patches)) == patches)
        // The names used in options and in the results store.
        let text = String(decoding: try JSONEncoder().encode(Part(site: .attnOut, layers: [1])), as: UTF8.self)
        #expect(text.contains("\"attn_out\"") && !text.contains("heads"))
    }

    @Test func donorsOfOtherSizesAreRefused() throws {
        let stream = [Patch(sites: [.attnOut], layers: [0])], heads = [Patch(sites: [.q], layers: [0])]
        let hidden = [Patch(sites: [.mlpAct], layers: [0])]
        func check(_ patches: [Patch], _ change: (inout ViTConfig) -> Void) throws {
            var donor = config
            change(&donor)
            try Patch.checkDonor(donor, recipient: config, patches: patches)
        }
        #expect(throws: DonorError.size("layers", donor: 5, model: 6)) { try check(stream) { $0.layers = 5 } }
        #expect(throws: DonorError.size("tokens", donor: 5, model: 17)) { try check(stream) { $0.imageSize = 4 } }
        #expect(throws: DonorError.size("hidden_size", donor: 24, model: 12)) {
            try check(stream) { $0.hiddenSize = 24 }
        }
        #expect(throws: DonorError.size("heads (for sites z, q, k, v, pattern)", donor: 4, model: 3)) {
            try check(heads) { $0.heads = 4 }
        }
        #expect(throws: DonorError.size("intermediate_size (for sites mlp_pre, mlp_act)", donor: 9, model: 10)) {
            try check(hidden) { $0.intermediateSize = 9 }
        }
        // The same number of patches in another grid
        #expect(throws: DonorError.size("rows of the patch grid", donor: 2, model: 4)) {
            try check(stream) {
                let patch = $0.patchSize
                $0.imageSize = .init(height: 2 * patch.height, width: 8 * patch.width)
            }
        }
        #expect(
            throws: DonorError.size(
                "maps before the hidden layer (for sites mlp_pre, mlp_act)", donor: 2, model: 1)
        ) { try check(hidden) { $0.architecture.hasGatedMLP = true } }
        #expect(throws: DonorError.patchWith(.zero)) {
            try check([Patch(with: .zero, sites: [.attnOut], layers: [0])]) { _ in }
        }
        // Parts of the model that no patch touches may differ.
        try check(stream) { $0.architecture.hasGatedMLP = true }
        try check(stream) { ($0.heads, $0.intermediateSize, $0.labels) = (4, 9, ["x"]) }
        try check(heads) { $0.intermediateSize = 9 }
        try check(hidden) { $0.heads = 4 }
    }

    /// p_donor is for the model's class only if both have the same classes in the same order.
    @Test func classesAreComparedByName() {
        func same(_ labels: [String], _ others: [String]) -> Bool {
            var (a, b) = (config, config)
            (a.labels, b.labels) = (labels, others)
            return a.hasClasses(of: b)
        }
        #expect(same(["cat", "sea_lion"], ["cat", "sea_lion"]))
        #expect(same(["Cat", "sea lion"], ["cat", "Sea-Lion"]))
        #expect(!same(["cat", "dog"], ["dog", "cat"]))
        #expect(!same(["cat", "dog"], ["cat", "cow"]))
        #expect(!same(["cat", "dog"], ["cat"]))
    }
}
