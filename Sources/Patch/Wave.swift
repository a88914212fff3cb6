/// One wave's images on their way to the device, [images] of pixels [channels, S, S] each, normalised.
package struct Wave: Sendable {
    /// The clean images, and (where there are corrupted passes) the corrupted ones
    package var clean: [[Float]]
    package var corrupted: [[Float]]?
    /// The same images as the donor reads them
    package var donorClean: [[Float]]?, donorCorrupted: [[Float]]?
    /// Another clean image for each, for `PatchWith.resample`
    package var partner: [[Float]]?
    /// Noise on the corrupted passes' patch embeddings: standard deviations, and four words for each image's generator
    package var noise: (strength: Float, keys: [(UInt32, UInt32, UInt32, UInt32)])?
    /// Each image's place in the file of `PatchWith.file`
    package var filePositions: [Int] = []
    /// Target class of each image; -1 for what the clean pass predicts
    package var labels: [Int]

    package init(clean: [[Float]], corrupted: [[Float]]?, labels: [Int]) {
        self.clean = clean
        self.corrupted = corrupted
        self.labels = labels
    }
}

/// What a wave's passes say of their images.
package struct WaveResult: Sendable {
    /// One pass's metrics, by `metrics.cl`
    package struct Pass: Sendable, Equatable {
        package var p: Float, logit: Float, logitDiff: Float, kl: Float
        package var prediction: Int

        package init(p: Float, logit: Float, logitDiff: Float, kl: Float, prediction: Int) {
            (self.p, self.logit, self.logitDiff, self.kl, self.prediction) = (p, logit, logitDiff, kl, prediction)
        }

        /// Whether all of the pass's logits are numbers: one that is none, or is infinite, shows in these.
        var isFinite: Bool { p.isFinite && logit.isFinite && kl.isFinite }
    }

    package var clean: [Pass]  // [images]
    package var corrupted: [Pass]  // [images]; the clean ones where there are none
    /// The donor's passes (the clean ones if it has any), where it has the model's classes
    package var donor: [Pass]?  // [images]
    package var patched: [[Pass]]  // [patches][images]
    package var targets: [Int], foils: [Int]  // [images]
    /// [images, C], where asked for
    package var cleanLogits: [Float] = [], corruptedLogits: [Float] = []
    package var patchedLogits: [[Float]] = []  // [patches][images * C]
    /// (row, stage, layer) evaluations that the wave did
    package var evaluations = 0
}

/// Logits that are no numbers: nothing that is derived from them would mean anything.
package struct NonFinite: Error, Equatable, Sendable, CustomStringConvertible {
    /// The image's position in the wave
    package var image: Int
    /// The first output of the pass that is not finite
    package var place: String

    package init(image: Int, place: String) { (self.image, self.place) = (image, place) }

    package var description: String { "\(place) is not finite (NaN or infinite)" }
}
