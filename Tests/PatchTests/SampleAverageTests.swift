import Foundation
import TestSupport
import Testing

@testable import Patch

/// Averages over draws, against plain loops.
@Suite struct SampleAverageTests {
    private let images = 3, classes = 5, patches = 2

    private func draw(_ random: inout SplitMix64) -> WaveResult {
        func logits() -> [Float] { (0..<images * classes).map { _ in .random(in: -4...4, using: &random) } }
        let none = [WaveResult.Pass](
            repeating: .init(p: 0, logit: 0, logitDiff: 0, kl: 0, prediction: 0), count: images)
        var output = WaveResult(
            clean: none, corrupted: none, donor: nil, patched: Array(repeating: none, count: patches),
            targets: [4, 0, 2],
            foils: [0, 1, 0])
        output.cleanLogits = logits()
        output.corruptedLogits = logits()
        output.patchedLogits = (0..<patches).map { _ in logits() }
        output.evaluations = 7
        return output
    }

    @Test(arguments: [1, 2, 5]) func everyNumberIsThatOfPlainLoops(_ samples: Int) throws {
        var random = SplitMix64.fresh()
        let seed = random.seed
        var draws = (0..<samples).map { _ in draw(&random) }
        for i in draws.indices { draws[i].cleanLogits = draws[0].cleanLogits }
        var average = SampleAverage(classes: classes)
        #expect(average.result() == nil)
        for draw in draws { average.add(draw) }
        let result = try #require(average.result())
        #expect(result.evaluations == 7 * samples)
        #expect(result.targets == [4, 0, 2])

        let n = Double(samples)
        func row(_ logits: [Float], _ image: Int) -> [Double] {
            logits[(image * classes)..<((image + 1) * classes)].map(Double.init)
        }
        func top(_ values: [Double], but skip: Int = -1) -> Int {
            var best = skip == 0 ? 1 : 0
            for c in values.indices where c != skip && values[c] > values[best] { best = c }
            return best
        }
        func mean(_ rows: [[Double]]) -> [Double] { (0..<classes).map { c in rows.map { $0[c] }.reduce(0, +) / n } }
        for image in 0..<images {
            let target = result.targets[image]
            let foil = top(mean(draws.map { softmax(row($0.corruptedLogits, image)) }), but: target)
            #expect(result.foils[image] == foil, "seed \(seed)")
            var blocks: [(WaveResult.Pass, [[Float]])] = [
                (result.clean[image], draws.map(\.cleanLogits)),
                (result.corrupted[image], draws.map(\.corruptedLogits)),
            ]
            for k in 0..<patches { blocks.append((result.patched[k][image], draws.map { $0.patchedLogits[k] })) }
            for (pass, logits) in blocks {
                let p = mean(logits.map { softmax(row($0, image)) }), averaged = mean(logits.map { row($0, image) })
                var divergence = 0.0
                for (draw, logits) in zip(draws, logits) {
                    let clean = softmax(row(draw.cleanLogits, image)), other = softmax(row(logits, image))
                    for c in 0..<classes { divergence += clean[c] * log(clean[c] / other[c]) / n }
                }
                #expect(abs(Double(pass.p) - p[target]) < 1e-6, "seed \(seed)")
                #expect(abs(Double(pass.logit) - averaged[target]) < 1e-5, "seed \(seed)")
                #expect(abs(Double(pass.logitDiff) - (averaged[target] - averaged[foil])) < 1e-5, "seed \(seed)")
                #expect(abs(Double(pass.kl) - divergence) < 1e-5, "seed \(seed)")
                #expect(pass.prediction == top(p), "seed \(seed)")
            }
        }
    }

    /// One draw's average is what the device says of it.
    @Test func drawsOfTheEngineAreAveraged() throws {
        let lab = try Lab(donor: true, noise: 1)
        let patches = [
            Patch(direction: .noise, sites: [.attnOut], layers: [1]),
            Patch(direction: .noise, sites: [.z], layers: [0]),
        ]
        let output = try lab.run(patches)
        var average = SampleAverage(classes: lab.rig.config.classes)
        average.add(output)
        let result = try #require(average.result())
        #expect(result.targets == output.targets && result.foils == output.foils)
        for (found, wanted) in zip(
            [result.clean, result.corrupted] + result.patched, [output.clean, output.corrupted] + output.patched)
        {
            for (a, b) in zip(found, wanted) {
                #expect(abs(a.p - b.p) < 1e-5 && abs(a.logit - b.logit) < 1e-5 && abs(a.logitDiff - b.logitDiff) < 1e-5)
                #expect(abs(a.kl - b.kl) < 1e-5 && a.prediction == b.prediction, "seed \(lab.seed)")
            }
        }
    }

    /// Where only the donor's noisy pass is run, p_donor is its average.
    @Test func aNoisyDonorIsAveraged() throws {
        var random = SplitMix64.fresh()
        var average = SampleAverage(classes: classes)
        var wanted = [Float](repeating: 0, count: images)
        for _ in 0..<4 {
            var output = draw(&random)
            output.donor = (0..<images).map { image in
                let p = Float.random(in: 0...1, using: &random)
                wanted[image] += p / 4
                return .init(p: p, logit: 0, logitDiff: 0, kl: 0, prediction: 0)
            }
            average.add(output)
        }
        let donor = try #require(average.result()?.donor)
        #expect(zip(donor, wanted).allSatisfy { abs($0.p - $1) < 1e-6 }, "seed \(random.seed)")
    }
}
