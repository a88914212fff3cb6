import CLRuntime
import Kernels
import Patch
import Reference
import TestSupport
import Testing
import Verification
import ViT

/// Sizes of a random model. Nearly all are prime, so that no vector width divides them.
struct TinySize: Sendable, CustomTestStringConvertible {
    var heads = 2, headDim = 3, layers = 3, intermediateSize = 7, patchSize = 2, grid = 2, channels = 1, classes = 3
    var activation = ViTConfig.Activation.gelu
    var qkvBias = true

    static let usual = TinySize()
    static let oneHeadOneLayer = TinySize(
        heads: 1, headDim: 5, layers: 1, intermediateSize: 11, patchSize: 1, grid: 3, channels: 3, classes: 2)
    static let noBias = TinySize(
        heads: 3, headDim: 5, layers: 2, intermediateSize: 13, patchSize: 3, grid: 2, classes: 5, activation: .relu,
        qkvBias: false)
    static let onePatch = TinySize(
        heads: 5, headDim: 1, layers: 3, intermediateSize: 2, patchSize: 3, grid: 1, activation: .quickGelu)
    static let all = [usual, oneHeadOneLayer, noBias, onePatch]

    var testDescription: String {
        "H \(heads), Dh \(headDim), L \(layers), M \(intermediateSize), grid \(grid), \(activation), qkv_bias \(qkvBias)"
    }
}
