import CMMALayout
import Testing
import Verification

@testable import CLRuntime
@testable import Kernels

/// What `gemm_wgmma.cl` leaves to the hardware: where wgmma finds an element of w in local memory, by the PTX ISA
/// ("Matrix descriptor", "Swizzling modes"); and the PTX that is made for it.
@Suite(.serialized) struct WarpgroupGEMMTests {
    /// The byte that wgmma reads for column n and the byte `inRow` of its 32 bytes of 16 k: rows are 64 bytes, groups
    /// of 8 rows `stride` bytes apart, and bits 4 and 5 of an address change by its bits 7 and 8.
    private func address(start: Int, stride: Int, column: Int, inRow: Int) -> Int {
        let linear = start + column / 8 * stride + column % 8 * 64 + inRow
        return linear ^ (linear >> 7 & 3) << 4
    }

    /// Weights as SplitPacking packs them, copied to local memory as they are, are where the descriptors look.
    @Test(arguments: WarpgroupGEMM.precisions, [64, 256]) func descriptorsFindTheWeights(precision: Precision, n: Int) {
        let packing = SplitPacking(precision), (step, blocks) = (packing.step, 3), k = packing.step * blocks
        let weight = (0..<(n * k)).map { _ in Float.random(in: -4...4) }
        var words = [UInt32](repeating: 0, count: packing.words(rows: n, inputs: k))
        words.withUnsafeMutableBufferPointer { packing.pack(weight, rows: n, paddedRows: n, inputs: k, into: $0) }
        let isHalf = precision == .fp16 || precision == .fp16x3
        func high(_ x: Float) -> UInt16 { isHalf ? Float16Bits.bits(x) : SplitPacking.bf16(x) }
        func low(_ x: Float) -> UInt16 {
            isHalf
                ? Float16Bits.bits((x - Float16Bits.value(high(x))) * 2048)
                : SplitPacking.bf16(x - Float(bitPattern: UInt32(high(x)) << 16))
        }
        var wrong = 0
        for block in 0..<blocks {
            // copy_weights: panel after panel of 64 rows
            let local = (0..<(n / 64)).flatMap { words[(($0 * blocks + block) * 1024)...].prefix(1024) }
            for (pair, column, i) in (0..<2).flatMap({ pair in
                (0..<n).flatMap { column in (0..<16).map { (pair, column, $0) } }
            }) {
                let at = address(start: pair * 32, stride: 512, column: column, inRow: i * 2)
                let found = UInt16(truncatingIfNeeded: local[at / 4] >> (at % 4 * 8))
                let value = weight[column * k + block * step + (precision.isSplit ? i : pair * 16 + i)]
                if found != (precision.isSplit && pair == 1 ? low(value) : high(value)) { wrong += 1 }
            }
        }
        #expect(wrong == 0)
    }

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
