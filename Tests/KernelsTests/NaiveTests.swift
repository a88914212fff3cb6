import CLRuntime
import Kernels
import Reference
import Testing
import Verification

/// The baselines of benchmarks must compute the same results.
@Suite(.serialized) struct NaiveTests {
    @Test func agreesWithTheReference() throws {
        let library = KernelLibrary(naive: try library().context)
        try expectPassing(OpCase.kernelCases, on: library)
        let gemm = try NaiveGEMM(library), seed = freshSeed()
        try expectPassing(OpCase.gemmCases(gemm), on: library)
        for result in try residualChecks(gemm, library, seed: seed) {
            #expect(result.passed, "\(result.detail): \(result.error) values differ, seed \(seed)")
        }
    }

    @Test func aNaiveLibraryRunsTheNaiveKernels() throws {
        let library = KernelLibrary(naive: try library().context), seed = freshSeed()
        func bits(_ library: KernelLibrary) throws -> [UInt32] {
            var random = SplitMix64(seed: seed)
            let op = try OpCase.layerNorm(stream: 1, rows: [0], tokens: 1, of: 1, width: 1031).prepare(library, &random)
            try op.launch()
            return try op.output().map(\.bitPattern)
        }
        // The same sums, but a division and an addition where the other kernel has a multiplication and an fma
        #expect(try bits(library) != bits(KernelLibrary(library.context, tuning: .scalar)))
    }
}
