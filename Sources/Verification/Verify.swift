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
        layerNormCases + biasActivationCases + residualCases + embedCases + poolCases + attentionCases
            + attentionPatternCases
            + slicesCases + noiseCases + metricsCases + backwardCases
    }
}

extension OpCase {
    /// What a backward pass needs, and estimates from gradients
    package static var backwardCases: [OpCase] {
        metricGradientCases + layerNormBackwardCases + activationBackwardCases + attentionBackwardCases + contractCases
            + keyTokensCases
    }
}

/// Parts of what `verify` checks: the operations but the GEMMs, the GEMMs, and whole passes with each of them
package enum VerifyPart: String, CaseIterable, Sendable { case kernel, gemm, pass }

/// Holds a device to the Double reference: every operation, then whole passes, with each GEMM.
/// - Parameters:
///   - parts: what is checked
///   - maxSize: operations of more floating-point operations or bytes are left out, and with them the checks that GEMMs
///     have beside them
///   - seed: of weights and inputs
///   - report: called after each check
/// - Throws: what the device or a compiler says; a wrong result is reported and not thrown.
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
        let library = precision == .fp32 ? exact : KernelLibrary(context, precision: precision)
        let gemm = try choice.make(library)
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
