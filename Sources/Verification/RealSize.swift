import CLRuntime
import Kernels
import Patch
import Reference
import ViT

/// Checks passes of a model with ViT-B's widths, heads and tokens, and two layers, against the Double reference: sizes
/// that `EndToEnd` does not cover. The reference takes most of the time; all GEMMs share it.
package struct RealSize {
    private let model: RandomModel
    private let clean: [Float], corrupted: [Float]  // [channels, S, S]
    private let patch = Patch(direction: .restore, sites: [.attnOut], layers: [0])
    /// Probabilities of the clean, the corrupted and the patched pass
    private let expected: [[Double]]

    package init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        model = RandomModel(
            heads: 12, headDim: 64, layers: 2, intermediateSize: 3072, imageSize: 224, patchSize: 16, classes: 1000,
            using: &random)
        clean = model.pixels(using: &random)
        corrupted = model.pixels(using: &random)
        let reference = model.reference
        func wide(_ values: [Float]) -> [Double] { values.map(Double.init) }
        let source = reference.forward(pixels: wide(clean), capturing: [.attnOut])
        let patched = reference.patched(
            source: source.activations, base: wide(corrupted), sites: [.attnOut], layers: [0], heads: nil, tokens: nil)
        let base = reference.forward(pixels: wide(corrupted))
        expected = [source.logits, base.logits, patched].map { probabilities($0) }
    }

    /// Runs the passes on the device; the error is that of a probability.
    package func check(_ library: KernelLibrary, gemm: any GEMM) throws -> VerifyResult {
        let encoder = try Encoder(config: model.config, weights: model.weights, library: library, gemm: gemm)
        let wavefront = try Wavefront(
            encoder: encoder, library: library, shape: WaveShape(images: 1, patches: [patch], chunkRows: 3))
        let result = try wavefront.run(
            .init(clean: [clean], corrupted: [corrupted], labels: [-1]), patches: [patch], keepLogits: true)
        var error = 0.0
        for (logits, wanted) in zip([result.cleanLogits, result.corruptedLogits, result.patchedLogits[0]], expected) {
            for (p, q) in zip(probabilities(logits.map(Double.init)), wanted) {
                error = max(error, (p - q).isNaN ? .infinity : abs(p - q))
            }
        }
        return VerifyResult(
            name: "passes at ViT-B size", detail: "D 768, H 12, T 197, 2 layers; probabilities", error: error,
            tolerance: EndToEnd.tolerance)
    }
}
