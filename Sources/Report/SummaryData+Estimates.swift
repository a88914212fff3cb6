import Results
import Statistics

/// The columns after `summaryColumns` of a sweep with estimates: the number of images with exact passes, the kind of
/// mean of the effect on p, its variance ratio, and every estimate's mean and interval.
func estimateColumns(_ manifest: Manifest) -> [String] {
    manifest.estimates.isEmpty
        ? []
        : ["n_exact", "mean_of", "variance_ratio"]
            + manifest.estimates.flatMap { ["\($0)_mean", "\($0)_ci_low", "\($0)_ci_high"] }
}

extension TableText {
    /// The columns of `estimateColumns`
    mutating func estimates(_ patch: PatchStatistics, _ corruption: CorruptionStatistics) {
        guard !corruption.estimates.isEmpty else { return }
        let isKnown = patch.p.mean.isFinite
        field("n_exact", isKnown ? corruption.exactImages : 0)
        field("mean_of", !isKnown ? "" : patch.powered == nil ? "images" : "prediction-powered")
        field("variance_ratio", patch.powered?.varianceRatio ?? .nan)
        for estimate in corruption.estimates {
            field("\(estimate.name.column)_mean", estimate.mean[patch.patch])
            field("\(estimate.name.column)_ci_low", estimate.low[patch.patch])
            field("\(estimate.name.column)_ci_high", estimate.high[patch.patch])
        }
    }
}
