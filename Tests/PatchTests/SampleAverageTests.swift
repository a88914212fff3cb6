import TestSupport
import Testing

@testable import Patch

/// Averages over draws, against plain loops.
@Suite struct SampleAverageTests {
    private let images = 3, patches = 2

    private func draw(_ random: inout SplitMix64) -> WaveResult {
        func values(_ count: Int) -> [Float] { (0..<count).map { _ in .random(in: -4...4, using: &random) } }
        func passes() -> [WaveResult.Pass] {
            (0..<images).map { _ in
                let v = values(5)
                return .init(
                    p: v[0], logit: v[1], logitDiff: v[2], kl: v[3], prediction: .random(in: 0..<3, using: &random),
                    logOdds: v[4])
            }
        }
        var output = WaveResult(
            clean: passes(), corrupted: passes(), donor: passes(), patched: (0..<patches).map { _ in passes() },
            targets: [4, 0, 2], foils: [0, 1, 0])
        output.cleanLogits = values(15)
        output.corruptedLogits = values(15)
        output.patchedLogits = (0..<patches).map { _ in values(15) }
        output.evaluations = 7
        return output
    }

    @Test(arguments: [1, 2, 5]) func everyNumberIsThatOfPlainLoops(_ samples: Int) throws {
        var random = SplitMix64.fresh()
        let seed = random.seed
        let draws = (0..<samples).map { _ in draw(&random) }
        var average = SampleAverage()
        #expect(average.result() == nil)
        for draw in draws { average.add(draw) }
        let result = try #require(average.result())
        #expect(result.evaluations == 7 * samples)
        #expect(result.targets == [4, 0, 2] && result.foils == [0, 1, 0])

        func mean(_ values: [Float]) -> Float { values.reduce(0, +) / Float(samples) }
        let kinds: [(WaveResult) -> [WaveResult.Pass]] = [
            { $0.clean }, { $0.corrupted }, { $0.donor ?? [] }, { $0.patched[0] }, { $0.patched[1] },
        ]
        for kind in kinds {
            for image in 0..<images {
                let found = kind(result)[image], all = draws.map { kind($0)[image] }
                for metric in [\.p, \.logit, \.logitDiff, \.kl, \.logOdds] as [KeyPath<WaveResult.Pass, Float>] {
                    #expect(abs(found[keyPath: metric] - mean(all.map { $0[keyPath: metric] })) < 1e-5, "seed \(seed)")
                }
                let votes = (0..<3).map { c in all.count { $0.prediction == c } }
                #expect(found.prediction == votes.firstIndex(of: votes.max() ?? 0), "seed \(seed)")
            }
        }
        let logits: [(WaveResult) -> [Float]] = [
            \.cleanLogits, \.corruptedLogits, { $0.patchedLogits[0] }, { $0.patchedLogits[1] },
        ]
        for kind in logits {
            for i in 0..<15 { #expect(abs(kind(result)[i] - mean(draws.map { kind($0)[i] })) < 1e-5, "seed \(seed)") }
        }
    }

    /// The average of one draw is that draw, with and without logits.
    @Test func aSingleDrawStaysAsItIs() throws {
        let lab = try Lab(donor: true, noise: 1)
        let output = try lab.run([Patch(direction: .noising, sites: [.attnOut], layers: [1])])
        var average = SampleAverage()
        average.add(output)
        let result = try #require(average.result())
        #expect(result.clean == output.clean && result.corrupted == output.corrupted, "seed \(lab.seed)")
        #expect(result.patched == output.patched && result.patchedLogits == output.patchedLogits, "seed \(lab.seed)")
    }
}
