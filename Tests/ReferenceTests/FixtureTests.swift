import Reference
import TestSupport
import Testing

/// The reference against transformers, both in float64.
struct FixtureTests {
    static let tolerance = 1e-9

    @Test(arguments: Fixture.names)
    func logitsAndHiddenStates(name: String) throws {
        let fixture = try Fixture.load(name)
        #expect(!fixture.pairs.isEmpty)
        for pass in fixture.pairs.flatMap({ [$0.clean, $0.corrupted] }) {
            let (logits, kept) = fixture.model.forward(pixels: pass.pixelsDouble, capturing: [.embed, .residPost])
            #expect(maxAbsDiff(logits, pass.logits) < Self.tolerance)
            #expect(pass.hidden.count == fixture.model.layers.count + 1)
            for (i, hidden) in pass.hidden.enumerated() {
                let place: ReferencePlace = i == 0 ? .init(.embed, layer: 0) : .init(.residPost, layer: i - 1)
                #expect(maxAbsDiff(kept[place] ?? [], hidden) < Self.tolerance, "hidden state \(i)")
            }
        }
    }

    /// Within the rounding of the stock float32 model, which is far below the error of any wrong formula.
    @Test(arguments: Fixture.names)
    func floatLogits(name: String) throws {
        let fixture = try Fixture.load(name)
        for pass in fixture.pairs.flatMap({ [$0.clean, $0.corrupted] }) {
            #expect(maxAbsDiff(pass.logitsFloat, pass.logits) < 1e-4)
        }
    }

    @Test(arguments: Fixture.names)
    func patchedLogits(name: String) throws {
        let fixture = try Fixture.load(name)
        #expect(!fixture.cases.isEmpty)
        for (index, pair) in fixture.pairs.enumerated() {
            for direction in [FixtureCase.Direction.restore, .noising] {
                let (source, base) = pair.passes(direction)
                let activations = fixture.model.forward(
                    pixels: source.pixelsDouble, capturing: Set(ReferenceSite.allCases)
                ).activations
                for example in fixture.cases where example.pair == index && example.direction == direction {
                    #expect(!example.sites.isEmpty)
                    let logits = fixture.model.patched(
                        source: activations, base: base.pixelsDouble, sites: example.sites, layers: example.layers,
                        heads: example.heads, tokens: example.tokens)
                    #expect(maxAbsDiff(logits, example.logits) < Self.tolerance, "\(name): \(example)")

                    let moved = abs(
                        probabilities(logits)[pair.target] - probabilities(base.logits)[pair.target])
                    #expect(example.noop ? moved < 1e-12 : moved > 1e-3, "\(name): \(example)")
                }
            }
        }
    }

    /// Patching from two images gives the same as patching captured activations.
    @Test func patchedFromPixels() throws {
        let fixture = try Fixture.load("tiny")
        for index in stride(from: 0, to: fixture.cases.count, by: 25) {
            let example = fixture.cases[index]
            let (source, base) = fixture.pairs[example.pair].passes(example.direction)
            let logits = fixture.model.patched(
                source: source.pixelsDouble, base: base.pixelsDouble, sites: example.sites, layers: example.layers,
                heads: example.heads, tokens: example.tokens)
            #expect(maxAbsDiff(logits, example.logits) < Self.tolerance, "\(example)")
        }
    }

    /// Every site is covered, in both directions, with patches that have an effect.
    @Test func everySiteHasCases() throws {
        for name in ["tiny", "one-head-one-layer", "gelu-new", "quick-gelu", "relu"] {
            let cases = try Fixture.load(name).cases
            // mlp_pre is compared with mlp_act in PatchingTests.
            for site in ReferenceSite.allCases where site != .mlpPre {
                for direction in [FixtureCase.Direction.restore, .noising] {
                    // With one layer a patch of q has no effect: only CLS's row is read, the same in every image.
                    #expect(
                        cases.contains {
                            $0.sites == [site] && $0.direction == direction
                                && (!$0.noop || name == "one-head-one-layer" && site == .q)
                        }, "\(name) \(site) \(direction)")
                }
            }
        }
    }
}
