import CLRuntime
import Kernels
import Testing
import Verification

struct BackwardTests {
    @Test(arguments: tunings) func layerNorm(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.layerNormBackwardCases, on: try library(tuning))
    }

    @Test(arguments: tunings) func activation(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.activationBackwardCases, on: try library(tuning))
    }

    @Test(arguments: tunings) func metricGradient(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.metricGradientCases, on: try library(tuning))
    }

    @Test(arguments: tunings) func attention(_ tuning: Tuning?) throws {
        // Each head dimension is compiled: all on the device's own tuning, the wide ones on one GPU tuning.
        let cases =
            switch tuning?.attentionGroup {
            case nil: OpCase.attentionBackwardCases
            case 64: OpCase.attentionBackwardSmallCases + OpCase.attentionBackwardWideCases
            default: OpCase.attentionBackwardSmallCases
            }
        try expectPassing(cases, on: try library(tuning))
    }

    @Test(arguments: tunings) func contract(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.contractCases, on: try library(tuning))
    }

    @Test(arguments: tunings) func keyTokens(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.keyTokensCases, on: try library(tuning))
    }
}
