import Patch
import TestSupport
import Testing

@Suite struct WindowTests {
    @Test func windowsFollowROME() {
        #expect(Patch.window(centre: 5, width: 1, layers: 12) == [5])
        #expect(Patch.window(centre: 5, width: 2, layers: 12) == [4, 5])
        #expect(Patch.window(centre: 5, width: 3, layers: 12) == [4, 5, 6])
        #expect(Patch.window(centre: 5, width: 4, layers: 12) == [3, 4, 5, 6])
        #expect(Patch.window(centre: 0, width: 3, layers: 12) == [0, 1])
        #expect(Patch.window(centre: 11, width: 3, layers: 12) == [10, 11])
        #expect(Patch.window(centre: 2, width: 99, layers: 4) == [0, 1, 2, 3])
    }
}

@Suite(.serialized) struct PlanTests {
    @Test func memoryIsNeverExceeded() throws {
        let rig = try Rig(fixture: "tiny")
        let weights = rig.context.allocatedBytes
        for patches in [0, 1, 7, 100] {
            for limit in [80_000, 200_000, 1 << 20, 16 << 20] {
                guard let plan = try? WavePlan(encoder: rig.encoder, patches: patches, images: 50, memory: weights + limit)
                else { continue }
                #expect(plan.bytes <= limit)
                let covered = plan.patchRanges.flatMap { Array($0) }
                #expect(covered == Array(0..<patches))
                #expect(plan.patchRanges.allSatisfy { $0.count <= plan.shape.patches })
                #expect(plan.imageRanges(count: 50).flatMap { Array($0) } == Array(0..<50))

                let wavefront = try Wavefront(encoder: rig.encoder, library: rig.library, shape: plan.shape)
                var random = SplitMix64.fresh()
                let all = (0..<patches).map { Patch(sites: [.attnOut], layers: [$0 % rig.config.layers]) }
                for range in plan.patchRanges {
                    _ = try wavefront.run(rig.input(images: plan.shape.images, &random), patches: Array(all[range]))
                }
                #expect(rig.context.allocatedBytes <= weights + plan.bytes)
            }
        }
    }

    @Test func tooLittleMemoryIsOneSentence() throws {
        let rig = try Rig(fixture: "tiny")
        #expect(performing: {
            _ = try WavePlan(encoder: rig.encoder, patches: 3, images: 1, memory: 1000)
        }, throws: { "\($0)".contains("--memory") })
    }

    @Test func manyPatchesAreCutIntoSeveralWaves() throws {
        let rig = try Rig(fixture: "tiny")
        let one = try WavePlan(encoder: rig.encoder, patches: 500, images: 4, memory: rig.context.allocatedBytes + 300_000)
        #expect(one.shape.images == 1)
        #expect(one.patchRanges.count > 1)
    }
}
