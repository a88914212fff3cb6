import Patch
import TestSupport
import Testing

/// The wavefront against one forward pass per patch in Double, on random tiny models.
@Suite(.serialized) struct ReferenceModelTests {
    @Test(arguments: TinySize.all) func everySiteWindowTokenHeadAndNeuron(_ size: TinySize) throws {
        let lab = try Lab(size, images: 1)
        try lab.expectAgreement(lab.everyCombination(), chunkRows: 17)
    }

    /// Skipping must not go too far: in a window of z or attn_out, only outputs patched whole are not computed.
    @Test(arguments: [Site.z, .attnOut, .mlpOut], Direction.allCases)
    func aWindowOfThreeWithSingleTokensIsComputedThenSwapped(_ site: Site, _ direction: Direction) throws {
        let lab = try Lab(TinySize(layers: 5))
        let layers = lab.rig.config.layers, tokens = lab.rig.config.tokens
        let patches = (0..<layers).flatMap { centre in
            let window = Patch.window(centre: centre, width: 3, layers: layers)
            let one = (0..<tokens).map { Patch(direction: direction, sites: [site], layers: window, tokens: [$0]) }
            let heads = site == .z ? [[0], [1]] : []
            return one + heads.map { Patch(direction: direction, sites: [site], layers: window, heads: $0) }
                + heads.map { Patch(direction: direction, sites: [site], layers: window, heads: $0, tokens: [0]) }
                + [Patch(direction: direction, sites: [site], layers: window)]
        }
        try lab.expectAgreement(patches)
    }

    @Test(arguments: [TinySize.usual, .onePatch]) func zerosArePutIn(_ size: TinySize) throws {
        let lab = try Lab(size, images: 1)
        try lab.expectAgreement(lab.everyCombination(with: .zero), chunkRows: 5)
    }

    @Test(arguments: [TinySize.usual, .noBias]) func meansArePutIn(_ size: TinySize) throws {
        // More images than fit one wave when means are computed
        let lab = try Lab(size, images: 1, meanOf: 11)
        try lab.expectAgreement(
            lab.everyCombination(with: .mean, sites: Site.allCases.filter { $0 != .pattern }), chunkRows: 5)
    }

    @Test func anotherImageIsPutIn() throws {
        let lab = try Lab(images: 1)
        try lab.expectAgreement(lab.everyCombination(with: .resample), chunkRows: 5)
    }

    @Test(arguments: [TinySize.usual, .noBias]) func aDonorsActivationsArePutIn(_ size: TinySize) throws {
        let lab = try Lab(size, images: 1, donor: true)
        try lab.expectAgreement(lab.everyCombination(), chunkRows: 5)
    }

    @Test(arguments: TinySize.all) func noiseIsThatOfTheReference(_ size: TinySize) throws {
        let lab = try Lab(size, noise: 1.5)
        try lab.expectAgreement(lab.everyCombination(sites: [.embed, .z, .mlpOut]))
    }

    @Test func aDonorSeesTheSameNoise() throws {
        let lab = try Lab(donor: true, noise: 3)
        try lab.expectAgreement(lab.everyCombination(sites: [.embed, .attnOut, .k, .mlpAct]))
    }

    /// Each kind of patch in one wave with all others, so that rows of all kinds are adjacent.
    @Test(arguments: [false, true]) func allKindsTogether(_ donor: Bool) throws {
        let lab = try Lab(donor: donor, noise: 1, meanOf: 3)
        let window = [0, 1, 2]
        var patches: [Patch] = []
        for direction in Direction.allCases {
            for with in PatchWith.withoutFile {
                for site in Site.allCases where with != .mean || site != .pattern {
                    patches.append(Patch(direction: direction, with: with, sites: [site], layers: [1]))
                    patches.append(
                        Patch(
                            direction: direction, with: with, sites: [site], layers: window, heads: [1], tokens: [0, 2])
                    )
                }
            }
        }
        try lab.expectAgreement(patches, chunkRows: 7)
    }

    /// Sets of heads across layers, and several parts at one site.
    @Test func partsDifferFromLayerToLayer() throws {
        let lab = try Lab(TinySize(heads: 3, layers: 4))
        let sets: [[Part]] = [
            [Part(site: .z, layers: [0], heads: [2]), Part(site: .z, layers: [2], heads: [0, 1])],
            [
                Part(site: .z, layers: [1], heads: [0], tokens: [1]),
                Part(site: .z, layers: [1], heads: [2], tokens: [0, 3]),
            ],
            [Part(site: .q, layers: [0, 3], heads: [1]), Part(site: .k, layers: [0, 2], heads: [1], tokens: [4])],
            [Part(site: .pattern, layers: [1], heads: [1]), Part(site: .v, layers: [1], heads: [0, 1])],
            [Part(site: .q, layers: [1]), Part(site: .k, layers: [1]), Part(site: .v, layers: [1], tokens: [2])],
            [Part(site: .pattern, layers: [2]), Part(site: .z, layers: [2], heads: [0])],
            [
                Part(site: .mlpAct, layers: [0], neurons: [6, 2, 3]),
                Part(site: .mlpAct, layers: [2], tokens: [0], neurons: [0]),
            ],
            [
                Part(site: .mlpAct, layers: [1], neurons: [2]), Part(site: .mlpAct, layers: [1]),
                Part(site: .mlpOut, layers: [1], tokens: [0]),
            ],
            [Part(site: .attnOut, layers: [1, 3]), Part(site: .z, layers: [0, 1, 2], heads: [1])],
            [Part(site: .attnOut, layers: [1], tokens: [3]), Part(site: .z, layers: [1], heads: [1])],
            [Part(site: .residMid, layers: [1], tokens: [0, 1]), Part(site: .mlpOut, layers: [1, 3])],
            [
                Part(site: .residPost, layers: [1]), Part(site: .attnOut, layers: [0]),
                Part(site: .mlpOut, layers: [2], tokens: [1]),
            ],
            [Part(site: .embed, layers: [], tokens: [2]), Part(site: .residPre, layers: [0, 3], tokens: [4])],
            [Part(site: .residPre, layers: [0], tokens: [1]), Part(site: .embed, layers: [])],
        ]
        var patches: [Patch] = []
        for direction in Direction.allCases {
            for with in [PatchWith.other, .zero, .resample] {
                patches += sets.map { Patch(direction: direction, with: with, parts: $0) }
            }
        }
        try lab.expectAgreement(patches)
    }

    /// Random patches of random parts in one wave, from a fresh seed each time.
    @Test(arguments: [false, true]) func randomCombinations(_ donor: Bool) throws {
        var random = SplitMix64.fresh()
        let size = TinySize(
            heads: .random(in: 1...3, using: &random), headDim: .random(in: 1...5, using: &random),
            layers: .random(in: 1...4, using: &random), intermediateSize: .random(in: 1...9, using: &random),
            grid: .random(in: 1...3, using: &random), classes: .random(in: 2...5, using: &random),
            activation: [.gelu, .geluNew, .quickGelu, .relu].randomElement(using: &random) ?? .gelu,
            qkvBias: .random(using: &random))
        let lab = try Lab(
            size.heads * size.headDim > 4 ? size : .usual, donor: donor, noise: Bool.random(using: &random) ? 2 : nil,
            meanOf: 3, seed: random.seed)
        let patches = (0..<48).map { _ in lab.randomPatch(&random, with: PatchWith.withoutFile) }
        let output = try lab.run(patches, chunkRows: .random(in: 1...9, using: &random))
        for result in lab.compare(patches, output) {
            #expect(result.error < 1, "seed \(random.seed), \(size): \(lab.describe(result.patch))")
        }
    }
}
