import CLRuntime
import Kernels
import Patch
import TestSupport
import Testing
import ViT

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
                let all = (0..<patches).map {
                    Patch(sites: [$0 % 2 == 0 ? .attnOut : .z], layers: [$0 % rig.config.layers])
                }
                guard let plan = try? WavePlan(encoder: rig.encoder, patches: all, images: 50, memory: weights + limit)
                else { continue }
                #expect(plan.bytes <= limit)
                let covered = plan.patchRanges.flatMap { Array($0) }
                #expect(covered == Array(0..<patches))
                #expect(plan.patchRanges.allSatisfy { $0.count <= plan.shape.patches })
                #expect(plan.imageRanges(count: 50).flatMap { Array($0) } == Array(0..<50))

                let wavefront = try Wavefront(encoder: rig.encoder, library: rig.library, shape: plan.shape)
                var random = SplitMix64.fresh()
                for range in plan.patchRanges {
                    _ = try wavefront.run(rig.input(images: plan.shape.images, &random), patches: Array(all[range]))
                }
                #expect(rig.context.allocatedBytes <= weights + plan.bytes)
            }
        }
    }

    /// For everything that takes memory besides the passes: kept activations, entries of many slices, other passes.
    @Test(arguments: WaveTests.Kind.allCases) func memoryIsNeverExceeded(_ kind: WaveTests.Kind) throws {
        let lab = try kind.lab(TinySize(heads: 5, headDim: 1, intermediateSize: 67, channels: 3), images: 9)
        let rig = lab.rig, layers = Array(0..<rig.config.layers)
        let weights = rig.context.allocatedBytes
        let odd = (0..<33).map { 2 * $0 + 1 }
        var lists: [[Patch]] = [
            kind.patches(lab), Array(repeating: Patch(with: kind.with, sites: [.attnOut], layers: [1]), count: 9),
        ]
        let parts = [
            Part(site: .mlpAct, layers: layers, neurons: odd), Part(site: .z, layers: layers, heads: [0, 2, 4]),
            Part(site: kind == .mean ? .v : .pattern, layers: layers),
            Part(site: .attnOut, layers: layers, tokens: [0, 3]),
            Part(site: .k, layers: layers, heads: [1, 3], tokens: [0, 2, 4]),
            Part(site: .residMid, layers: layers, tokens: [3]),
        ]
        lists.append(
            (0..<7).map {
                Patch(direction: $0 % 2 == 0 ? .restore : .noising, with: kind.with, parts: Array(parts[($0 % 3)...]))
            })
        for patches in lists {
            for limit in [60_000, 150_000, 1 << 20] {
                guard
                    let plan = try? WavePlan(
                        encoder: rig.encoder, donor: lab.donor, patches: patches, images: lab.images,
                        memory: weights + limit)
                else { continue }
                #expect(plan.bytes <= limit)
                #expect(plan.patchRanges.flatMap { Array($0) } == Array(patches.indices))
                let wavefront = try Wavefront(
                    encoder: rig.encoder, donor: lab.donor, library: rig.library, shape: plan.shape, means: lab.means)
                for images in plan.imageRanges(count: lab.images) {
                    for range in plan.patchRanges {
                        _ = try wavefront.run(lab.input(images), patches: Array(patches[range]))
                        #expect(
                            rig.context.allocatedBytes <= weights + plan.bytes,
                            "seed \(lab.seed), \(kind), limit \(limit): \(plan.shape)")
                    }
                }
            }
        }
    }

    @Test func tooLittleMemoryIsOneSentence() throws {
        let rig = try Rig(fixture: "tiny")
        #expect(
            performing: {
                _ = try WavePlan(
                    encoder: rig.encoder, patches: [Patch(sites: [.z], layers: [0])], images: 1, memory: 1000)
            }, throws: { "\($0)".contains("needs 1 MiB of device memory") })
    }

    @Test func manyPatchesAreCutIntoSeveralWaves() throws {
        let rig = try Rig(fixture: "tiny")
        let patches = [Patch](repeating: Patch(sites: [.z], layers: [0]), count: 500)
        let one = try WavePlan(
            encoder: rig.encoder, patches: patches, images: 4, memory: rig.context.allocatedBytes + 300_000)
        #expect(one.shape.images == 1)
        #expect(one.patchRanges.count > 1)
    }
}
