import Kernels
import Patch
import TestSupport
import Testing

/// Identities that hold bit for bit in any model, without a reference.
@Suite(.serialized) struct IdentityTests {
    @Test(arguments: ["tiny", "relu"], [GEMMProvider.packed, .clblast])
    func patchingTheWholeResidualStreamGivesTheOtherPass(_ name: String, _ provider: GEMMProvider) throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: name, provider: provider)
        let patches = Direction.allCases.flatMap { direction in
            [Site.residPre, .residMid, .residPost].flatMap { site in
                [Patch(direction: direction, sites: [site], layers: Array(0..<rig.config.layers))]
                    + (0..<rig.config.layers).map { Patch(direction: direction, sites: [site], layers: [$0]) }
            } + [Patch(direction: direction, sites: [.embed], layers: [])]
        }
        let images = 3
        let output = try rig.wavefront(images: images, patches: patches).run(
            rig.input(images: images, &random), patches: patches, keepLogits: true)
        #expect(output.cleanLogits != output.corruptedLogits)
        for (patch, logits) in zip(patches, output.patchedLogits) {
            let source = patch.direction == .restore ? output.cleanLogits : output.corruptedLogits
            #expect(logits == source, "seed \(random.seed): \(patch)")
        }
    }

    @Test(arguments: ["tiny", "one-head-one-layer", "relu"])
    func ownActivationsChangeNoBit(_ name: String) throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: name)
        let patches = rig.patches()
        let output = try rig.wavefront(images: 2, patches: patches).run(
            rig.input(images: 2, &random), patches: patches, keepLogits: true, own: true)
        for (patch, logits) in zip(patches, output.patchedLogits) {
            let base = patch.direction == .restore ? output.corruptedLogits : output.cleanLogits
            #expect(logits == base, "seed \(random.seed): \(patch)")
        }
    }

    /// Images and patches together or alone, in any order, in chunks of any size: the same bits.
    @Test(arguments: [GEMMProvider.packed, .clblast])
    func noResultDependsOnTheWave(_ provider: GEMMProvider) throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: "tiny", provider: provider)
        let patches = rig.patches(), images = 5
        let input = rig.input(images: images, &random)
        let whole = try rig.wavefront(images: images, patches: patches, chunkRows: 64).run(
            input, patches: patches)

        let single = try rig.wavefront(images: 1, patches: patches, chunkRows: 1)
        for image in 0..<images {
            let alone = try single.run(
                .init(
                    clean: [input.clean[image]], corrupted: input.corrupted.map { [$0[image]] },
                    labels: [input.labels[image]]), patches: patches)
            #expect(alone.clean[0] == whole.clean[image], "seed \(random.seed)")
            #expect(alone.corrupted[0] == whole.corrupted[image], "seed \(random.seed)")
            #expect(alone.targets[0] == whole.targets[image] && alone.foils[0] == whole.foils[image])
            for k in patches.indices {
                #expect(alone.patched[k][0] == whole.patched[k][image], "seed \(random.seed): \(patches[k])")
            }
        }
        let few = try rig.wavefront(images: images, patches: Array(patches[..<4]), chunkRows: 7, kept: true)
        for k in stride(from: 0, to: patches.count, by: 13) {
            let some = try few.run(input, patches: [patches[patches.count - 1 - k], patches[k]])
            #expect(some.patched[1] == whole.patched[k], "seed \(random.seed): \(patches[k])")
        }
    }

    @Test func aWindowOutsideTheNetworkIsTheReceivingPass() throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: "tiny")
        let patches = Direction.allCases.map { Patch(direction: $0, sites: [.attnOut], layers: []) }
        let output = try rig.wavefront(images: 2, patches: patches).run(rig.input(images: 2, &random), patches: patches)
        #expect(output.patched[0] == output.corrupted)
        #expect(output.patched[1] == output.clean)
    }
}
