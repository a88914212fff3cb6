/// One wave's images for the device, [images] of pixels [channels, height, width] each, normalised.
package struct Wave: Sendable {
    /// The clean images, and the corrupted ones, if there are corrupted passes
    package var clean: [[Float]]
    package var corrupted: [[Float]]?
    /// The same images, preprocessed for the donor
    package var donorClean: [[Float]]?, donorCorrupted: [[Float]]?
    /// Another clean image for each, used by `PatchWith.resample`
    package var partner: [[Float]]?
    /// Noise on the corrupted passes' patch embeddings: strength in standard deviations, and four generator words per
    /// image
    package var noise: (strength: Float, keys: [(UInt32, UInt32, UInt32, UInt32)])?
    /// Each image's index in the file of `PatchWith.file`
    package var filePositions: [Int] = []
    /// Standard deviation of the model's and (if there is one) the donor's patch projections, as the unit of noise;
    /// nil: each image's own
    package var noiseDeviations: [Float]?
    /// Target class of each image; -1 for the clean pass's prediction
    package var labels: [Int]
    /// Foil of each image; -1 for the one that `foilPasses` determine
    package var foils: [Int]
    package var foilPasses = FoilPasses.both

    /// The passes whose mean logits determine the foil: the class other than the target with the highest mean
    package enum FoilPasses: Sendable { case clean, corrupted, both }

    package init(clean: [[Float]], corrupted: [[Float]]?, labels: [Int]) {
        self.clean = clean
        self.corrupted = corrupted
        self.labels = labels
        foils = labels.map { _ in -1 }
    }

    /// The first rows of those passes
    var foilRows: (Int, Int) {
        let corrupted = corrupted == nil ? 0 : labels.count
        return switch foilPasses {
        case .clean: (0, 0)
        case .corrupted: (corrupted, corrupted)
        case .both: (0, corrupted)
        }
    }
}

/// The metrics of a wave's passes.
package struct WaveResult: Sendable {
    /// One pass's metrics, from `metrics.cl`
    package struct Pass: Sendable, Equatable {
        package var p: Float, logit: Float, logitDiff: Float, kl: Float, logOdds: Float
        package var prediction: Int

        package init(p: Float, logit: Float, logitDiff: Float, kl: Float, prediction: Int, logOdds: Float) {
            (self.p, self.logit, self.logitDiff, self.kl) = (p, logit, logitDiff, kl)
            (self.prediction, self.logOdds) = (prediction, logOdds)
        }

        /// Whether all of the pass's logits are finite: NaN or infinity shows in these metrics.
        var isFinite: Bool { p.isFinite && logit.isFinite && kl.isFinite }
    }

    package var clean: [Pass]  // [images]
    package var corrupted: [Pass]  // [images]; the clean ones if there are no corrupted passes
    /// The donor's passes (the clean ones if it has any), if it has the model's classes
    package var donor: [Pass]?  // [images]
    package var patched: [[Pass]]  // [patches][images]
    package var targets: [Int], foils: [Int]  // [images]
    /// [images, C], if requested
    package var cleanLogits: [Float] = [], corruptedLogits: [Float] = []
    package var patchedLogits: [[Float]] = []  // [patches][images * C]
    /// Number of (row, stage, layer) evaluations in the wave
    package var evaluations = 0
}

/// Logits that are not finite: nothing derived from them would be meaningful.
package struct NonFinite: Error, Equatable, Sendable, CustomStringConvertible {
    /// The image's position in the wave
    package var image: Int
    /// The first output of the pass that is not finite
    package var place: String

    package init(image: Int, place: String) { (self.image, self.place) = (image, place) }

    package var description: String { "\(place) is not finite (NaN or infinite)" }
}
