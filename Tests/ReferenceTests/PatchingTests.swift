import Reference
import TestSupport
import Testing

/// Properties of patches that hold in any model, on random weights and images.
struct PatchingTests {
    @Test func patchingTheWholeInputGivesTheSourcePass() {
        var random = SplitMix64.fresh()
        let seed = random.seed
        let model = ReferenceModel.random(using: &random)
        let source = random.doubles(3 * 8 * 8)
        let base = random.doubles(3 * 8 * 8)
        let wanted = model.forward(pixels: source).logits
        let last = model.layers.count - 1
        let whole: [(ReferenceSite, [Int])] = [
            (.embed, []), (.residPre, [0]), (.residMid, [last]), (.residPost, [last]),
        ]
        for (site, layers) in whole {
            let logits = model.patched(source: source, base: base, sites: [site], layers: layers)
            #expect(maxAbsDiff(logits, wanted) == 0, "\(site), seed \(seed)")
        }
        #expect(maxAbsDiff(model.forward(pixels: base).logits, wanted) > 1e-3, "seed \(seed)")
    }

    /// A patch at mlp_pre equals one at mlp_act whose activations are passed through the activation function.
    @Test func theHiddenLayerBeforeItsActivation() throws {
        var random = SplitMix64.fresh()
        let seed = random.seed
        let model = ReferenceModel.random(using: &random)
        let source = random.doubles(3 * 8 * 8), base = random.doubles(3 * 8 * 8)
        let kept = model.forward(pixels: source, capturing: [.mlpPre, .mlpAct]).activations
        for layer in model.layers.indices {
            let pre = try #require(kept[ReferencePlace(.mlpPre, layer: layer)])
            #expect(pre.map { model.activation($0) } == kept[ReferencePlace(.mlpAct, layer: layer)], "seed \(seed)")
        }
        for tokens in [nil, [0, 2]] {
            let before = model.patched(source: source, base: base, sites: [.mlpPre], layers: [0, 1], tokens: tokens)
            let after = model.patched(source: source, base: base, sites: [.mlpAct], layers: [0, 1], tokens: tokens)
            #expect(before == after, "seed \(seed)")
        }
    }

    @Test func patchingAPassIntoItselfChangesNothing() {
        var random = SplitMix64.fresh()
        let seed = random.seed
        let model = ReferenceModel.random(using: &random)
        let image = random.doubles(3 * 8 * 8)
        let wanted = model.forward(pixels: image).logits
        for site in ReferenceSite.allCases {
            let logits = model.patched(source: image, base: image, sites: [site], layers: [0, 1])
            #expect(maxAbsDiff(logits, wanted) == 0, "\(site), seed \(seed)")
        }
    }

    @Test func onlyNamedHeadsAndTokensAreReplaced() throws {
        var random = SplitMix64.fresh()
        let seed = random.seed
        let model = ReferenceModel.random(using: &random)  // H = 3, T = 5, Dh = 2
        let image = random.doubles(3 * 8 * 8)
        let values = random.doubles(3 * 5 * 2, in: 5...6)
        let before = try #require(
            model.forward(pixels: image, capturing: [.z]).activations[ReferencePlace(.z, layer: 0)])
        let patch = Intervention(.z, layer: 0, heads: [1], tokens: [0, 4], values: values)
        let after = try #require(
            model.forward(pixels: image, interventions: [patch], capturing: [.z])
                .activations[ReferencePlace(.z, layer: 0)])
        for i in before.indices {
            let replaced = i / 10 == 1 && [0, 4].contains(i / 2 % 5)
            #expect(after[i] == (replaced ? values[i] : before[i]), "value \(i), seed \(seed)")
        }
    }

    @Test func aDonorsActivationsComeFromTheDonor() {
        var random = SplitMix64.fresh()
        let seed = random.seed
        let model = ReferenceModel.random(using: &random)
        let donor = ReferenceModel.random(using: &random)
        let image = random.doubles(3 * 8 * 8)
        // With the donor's last residual stream, the recipient's norm and classifier read the donor's activations.
        var mixed = donor
        mixed.lnWeight = model.lnWeight
        mixed.lnBias = model.lnBias
        mixed.headWeight = model.headWeight
        mixed.headBias = model.headBias
        let logits = model.patched(source: image, base: image, sites: [.residPost], layers: [1], donor: donor)
        #expect(maxAbsDiff(logits, mixed.forward(pixels: image).logits) == 0, "seed \(seed)")
    }

    @Test func windows() {
        #expect(window(centre: 5, width: 1, layers: 12) == 5..<6)
        #expect(window(centre: 5, width: 2, layers: 12) == 4..<6)
        #expect(window(centre: 5, width: 3, layers: 12) == 4..<7)
        #expect(window(centre: 5, width: 4, layers: 12) == 3..<7)
        #expect(window(centre: 0, width: 3, layers: 12) == 0..<2)
        #expect(window(centre: 11, width: 3, layers: 12) == 10..<12)
        #expect(window(centre: 0, width: 99, layers: 1) == 0..<1)
    }
}

extension ReferenceModel {
    /// D = 6, H = 3, M = 7, two layers, 8 px images in 4 px patches (T = 5), 4 classes; weights in -1...1.
    static func random(using random: inout SplitMix64) -> ReferenceModel {
        let layers = (0..<2).map { _ in
            ReferenceLayer(
                ln1Weight: random.doubles(6), ln1Bias: random.doubles(6), qkvWeight: random.doubles(18 * 6),
                qkvBias: random.doubles(18), projWeight: random.doubles(36), projBias: random.doubles(6),
                ln2Weight: random.doubles(6), ln2Bias: random.doubles(6), fc1Weight: random.doubles(42),
                fc1Bias: random.doubles(7), fc2Weight: random.doubles(42), fc2Bias: random.doubles(6))
        }
        return ReferenceModel(
            hiddenSize: 6, heads: 3, intermediateSize: 7, imageSize: 8, patchSize: 4, activation: .gelu,
            layerNormEps: 1e-6, patchWeight: random.doubles(6 * 48), patchBias: random.doubles(6),
            cls: random.doubles(6), position: random.doubles(30), layers: layers, lnWeight: random.doubles(6),
            lnBias: random.doubles(6), headWeight: random.doubles(24), headBias: random.doubles(4))
    }
}
