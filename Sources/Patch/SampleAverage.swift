/// Averages the results of several noise draws of the same images and patches: the mean of every metric over the draws,
/// and the class that most draws predict, the lower one in a tie.
///
/// The metrics of each draw come from the device. All draws use the targets and foils of the first (`Wave.foils`), so
/// that the mean logit difference refers to the recorded foil.
package struct SampleAverage {
    private var count = 0
    private var first: WaveResult?
    /// Clean, corrupted and patched passes, [images] each; and the donor's
    private var sums: [[Sum]] = [], donor: [Sum] = []
    private var evaluations = 0
    /// Clean, corrupted and patched passes, [images * C] each; empty where logits are not kept
    private var logits: [[Double]] = []

    package init() {}

    private struct Sum {
        private var metrics = SIMD8<Double>.zero
        private var votes: [Int: Int] = [:]

        mutating func add(_ pass: WaveResult.Pass) {
            metrics += SIMD8(
                Double(pass.p), Double(pass.logit), Double(pass.logitDiff), Double(pass.kl), Double(pass.logOdds), 0, 0,
                0)
            votes[pass.prediction, default: 0] += 1
        }

        func average(_ count: Int) -> WaveResult.Pass {
            let mean = SIMD8<Float>(metrics / Double(count))
            let top = votes.max { ($0.value, -$0.key) < ($1.value, -$1.key) }
            return WaveResult.Pass(
                p: mean[0], logit: mean[1], logitDiff: mean[2], kl: mean[3], prediction: top?.key ?? 0, logOdds: mean[4]
            )
        }
    }

    package mutating func add(_ draw: WaveResult) {
        let passes = [draw.clean, draw.corrupted] + draw.patched
        let values = [draw.cleanLogits, draw.corruptedLogits] + draw.patchedLogits
        if first == nil {
            first = draw
            sums = passes.map { $0.map { _ in Sum() } }
            donor = (draw.donor ?? []).map { _ in Sum() }
            logits = values.map { [Double](repeating: 0, count: $0.count) }
        }
        for (block, passes) in passes.enumerated() {
            for (image, pass) in passes.enumerated() { sums[block][image].add(pass) }
        }
        for (image, pass) in (draw.donor ?? []).enumerated() { donor[image].add(pass) }
        for (block, values) in values.enumerated() {
            for (i, value) in values.enumerated() { logits[block][i] += Double(value) }
        }
        evaluations += draw.evaluations
        count += 1
    }

    /// The average; nil before the first draw.
    package func result() -> WaveResult? {
        guard var result = first else { return nil }
        let passes = sums.map { $0.map { $0.average(count) } }
        (result.clean, result.corrupted, result.patched) = (passes[0], passes[1], Array(passes[2...]))
        if result.donor != nil { result.donor = donor.map { $0.average(count) } }
        let means = logits.map { $0.map { Float($0 / Double(count)) } }
        (result.cleanLogits, result.corruptedLogits, result.patchedLogits) = (means[0], means[1], Array(means[2...]))
        result.evaluations = evaluations
        return result
    }
}
