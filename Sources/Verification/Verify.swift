import CLRuntime
import Kernels

/// One check and its result.
package struct VerifyResult: Sendable {
    package var name: String
    /// The sizes, or the subject of the comparison
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
    /// All operations except the GEMMs, which depend on the provider.
    package static var kernelCases: [OpCase] {
        layerNormCases + biasActivationCases + residualCases + embedCases + poolCases + attentionCases
            + attentionPatternCases
            + slicesCases + noiseCases + metricsCases + backwardCases
    }
}

extension OpCase {
    /// Operations of the backward pass and of estimates from gradients
    package static var backwardCases: [OpCase] {
        metricGradientCases + layerNormBackwardCases + activationBackwardCases + attentionBackwardCases + contractCases
            + keyTokensCases
    }
}

/// Parts of `verify`: operations other than GEMMs, GEMMs, and whole passes with each GEMM
package enum VerifyPart: String, CaseIterable, Sendable { case kernel, gemm, pass }

/// Checks a device against the Double reference: every operation, then whole passes, with each GEMM.
/// - Parameters:
///   - parts: the parts to check
///   - maxSize: skips operations with more floating-point operations or bytes; any limit also skips the GEMMs' further
///     checks (`rowsAlone`, `residualChecks`)
///   - seed: seed of weights and inputs
///   - report: called after each check
/// - Throws: errors of the device or its compiler; a wrong result is reported, not thrown.
package func verify(
    context: Context, gemms: [GEMMChoice], parts: Set<VerifyPart> = Set(VerifyPart.allCases), maxSize: Int = .max,
    seed: UInt64, report: (VerifyResult) throws -> Void
) throws {
    let exact = KernelLibrary(context)
    func check(_ operations: [OpCase], _ library: KernelLibrary, suffix: String = "") throws {
        for operation in operations where operation.size <= maxSize {
            var result = try operation.check(library, seed: seed)
            result.name += suffix
            try report(result)
        }
    }
    if parts.contains(.kernel) { try check(OpCase.kernelCases, exact) }
    for choice in gemms {
        let precision = choice.precision ?? .fp32
        let library = precision == .fp32 ? exact : KernelLibrary(context, precision: precision, narrowestHead: 0)
        let gemm = try choice.makeAlone(library)
        if precision != .fp32, parts.contains(.kernel) {
            let operations = OpCase.attentionCases + OpCase.attentionPatternCases
            try check(operations, library, suffix: " (\(precision.rawValue))")
        }
        if parts.contains(.gemm) {
            try check(OpCase.gemmCases(gemm), library)
            if maxSize == .max {
                try report(try rowsAlone(gemm, library, seed: seed))
                for result in try residualChecks(gemm, library, seed: seed) { try report(result) }
            }
        }
        guard parts.contains(.pass) else { continue }
        try EndToEnd(library, gemm: gemm, seed: seed).run { result in
            var result = result
            result.name += " (\(precision == .fp32 ? choice.provider.rawValue : precision.rawValue))"
            try report(result)
        }
    }
}
