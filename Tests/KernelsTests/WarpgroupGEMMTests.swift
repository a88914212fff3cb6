import Testing
import Verification

@testable import CLRuntime
@testable import Kernels

/// `gemm_wgmma.cl` on a model of its instructions (kernels/wgmma.cl), which finds weights as the PTX ISA says ("Matrix
/// descriptor", "Swizzling modes"); and the PTX that is made for it.
@Suite(.serialized) struct WarpgroupGEMMTests {
    /// All of the kernel but its instructions, which plain OpenCL stands for. Unoptimised, so small products only.
    @Test(arguments: WarpgroupGEMM.precisions) func agreesWithTheReference(precision: Precision) throws {
        let library = try library()
        // Two warpgroups for one of the precisions
        let tile: WarpgroupGEMM.Tile = precision == .bf16 ? .init(rows: 128, columns: 128, efficiency: 1) : .small
        let gemm = try WarpgroupGEMM(library, precision: precision, tiles: [tile], isModel: true)
        try expectPassing(OpCase.gemmCases(gemm).filter { !$0.shape.hasPrefix("M 509") }, on: library)
        if precision != .fp16x3 { return }
        let seed = freshSeed()
        for result in try residualChecks(gemm, library, seed: seed) {
            #expect(result.passed, "\(result.detail): \(result.error) values differ, seed \(seed)")
        }
    }

    @Test func commentsBecomeInstructions() throws {
        let ptx = "//\n.version 9.0\n.target sm_90, texmode_independent\n\t//!wgmma.fence.sync.aligned;\n\t// end\n"
        let changed = try #require(Retargeting.ptx(Array(ptx.utf8), target: "sm_90a"))
        #expect(
            String(decoding: changed, as: UTF8.self)
                == "//\n.version 9.0\n.target sm_90a, texmode_independent\n\twgmma.fence.sync.aligned;\n\t// end\n")
        #expect(Retargeting.ptx([0x7f, 0x45, 0x4c, 0x46, 0xff], target: "sm_90a") == nil)
    }

    @Test func otherDevicesHaveNone() throws {
        let library = try library()
        guard !library.context.device.hasWarpgroupMatrices else { return }
        expectShapeError(library.context) { _ = try WarpgroupGEMM(library, precision: .bf16x3) }
    }
}
