import CLRuntime
import Foundation
import Kernels
import Testing
import Verification
import ViT

/// Whole passes on fresh random models.
@Suite(.serialized) struct EndToEndTests {
    @Test(
        arguments: [
            (nil, GEMMProvider.packed, ViTConfig.Activation.silu, .all),
            (Tuning(vector: 4, group: 8, attentionLanes: 1, attentionGroup: 4), .clblast, .quickGelu, []),
            (Tuning(vector: 4, group: 64, attentionLanes: 1, attentionGroup: 64), .tiled, .geluNew, .all),
        ] as [(Tuning?, GEMMProvider, ViTConfig.Activation, RandomModel.Pieces)])
    func agreesWithTheReference(
        _ tuning: Tuning?, _ provider: GEMMProvider, _ activation: ViTConfig.Activation, _ pieces: RandomModel.Pieces
    ) throws {
        let cache = ProgramCache(folder: FileManager.default.temporaryDirectory.path + "/vitpatch-tests")
        let library = KernelLibrary(try Context(device: try Device.select(nil), cache: cache), tuning: tuning)
        let seed = UInt64.random(in: 0..<1 << 32)
        var results = 0
        try EndToEnd(library, gemm: try provider.make(library), activation: activation, pieces: pieces, seed: seed).run
        {
            result in
            #expect(result.passed, "\(result.name), \(result.detail), seed \(seed): \(result.error)")
            results += 1
        }
        #expect(results == 5 + EndToEnd.sites.count)
    }

    /// With kernels built both as for CPUs and as for GPUs
    @Test func passesOfARealSizeAgreeWithTheReference() throws {
        let seed = UInt64.random(in: 0..<1 << 32), passes = RealSize(seed: seed)
        let cache = ProgramCache(folder: FileManager.default.temporaryDirectory.path + "/vitpatch-tests")
        for (tuning, provider) in [
            (nil, GEMMProvider.packed), (Tuning(vector: 4, group: 64, attentionLanes: 1, attentionGroup: 64), .tiled),
        ] as [(Tuning?, GEMMProvider)] {
            let library = KernelLibrary(try Context(device: try Device.select(nil), cache: cache), tuning: tuning)
            let result = try passes.check(library, gemm: try provider.make(library))
            #expect(result.passed, "\(result.name), \(provider), seed \(seed): \(result.error)")
        }
    }
}
