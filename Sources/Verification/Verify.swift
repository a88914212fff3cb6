import CLRuntime
import Kernels

/// One check and how it went.
package struct VerifyResult: Sendable {
    package var name: String
    /// The sizes, or what was compared
    package var detail: String
    package var error: Double
    package var tolerance: Double
    package var passed: Bool { error <= tolerance }

    package init(name: String, detail: String, error: Double, tolerance: Double) {
        self.name = name
        self.detail = detail
        self.error = error
        self.tolerance = tolerance
    }
}

extension OpCase {
    /// Every operation but the GEMM, which comes in several.
    package static var kernelCases: [OpCase] {
        layerNormCases + biasActivationCases + residualCases + embedCases + attentionCases + attentionPatternCases
            + slicesCases + noiseCases + metricsCases
    }
}

/// Holds a device to the Double reference: every operation, then whole passes, with each GEMM.
/// - Parameters:
///   - seed: of weights and inputs
///   - report: called after each check
/// - Throws: what the device or a compiler says; a wrong result is reported and not thrown.
package func verify(
    context: Context, gemms: [GEMMChoice], seed: UInt64, report: (VerifyResult) throws -> Void
) throws {
    let exact = KernelLibrary(context)
    for operation in OpCase.kernelCases { try report(try operation.check(exact, seed: seed)) }
    for choice in gemms {
        let precision = choice.precision ?? .fp32
        let library = precision == .fp32 ? exact : KernelLibrary(context, precision: precision)
        let gemm = try choice.make(library)
        if precision != .fp32 {
            for operation in OpCase.attentionCases + OpCase.attentionPatternCases {
                var result = try operation.check(library, seed: seed)
                result.name += " (\(precision.rawValue))"
                try report(result)
            }
        }
        for operation in OpCase.gemmCases(gemm) { try report(try operation.check(library, seed: seed)) }
        try report(try rowsAlone(gemm, library, seed: seed))
        for result in try residualChecks(gemm, library, seed: seed) { try report(result) }
        try EndToEnd(library, gemm: gemm, seed: seed).run { result in
            var result = result
            result.name += " (\(precision == .fp32 ? choice.provider.rawValue : precision.rawValue))"
            try report(result)
        }
    }
}
