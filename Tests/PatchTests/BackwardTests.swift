import Kernels
import Reference
import TestSupport
import Testing
import Verification
import ViT

/// The backward pass on the device.
@Suite(.serialized) struct BackwardTests {
    /// Relative to 1 + |gradient|
    static let tolerance = 1e-4

    static let metrics = MetricGradient.Metric.allCases

    /// Against float64 autograd through transformers' and timm's models; scripts/fixtures/gradients.py.
    @Test(
        arguments: ["tiny", "gelu-new", "quick-gelu", "relu", "one-head-one-layer"]
            + FamilyTests.names.map { "families/\($0)" })
    func gradientsMatchAutograd(_ name: String) throws {
        let directory = Fixture.directory(name)
        let answers = try SafetensorsFile(directory.appendingPathComponent("gradients.safetensors"))
        let expected = try SafetensorsFile(directory.appendingPathComponent("expected.safetensors"))
        let family = name.split(separator: "/").count == 2 ? String(name.dropFirst("families/".count)) : nil
        let checkpoint = try family.map { try FamilyTests.checkpoint($0) } ?? Checkpoint.load(folder: directory.path)
        let rig = try Rig(checkpoint), config = rig.config
        let pixels = try expected.doubles("clean.pixels").prefix(config.imageValues).map(Float.init)
        let rows = Self.metrics.map { BackwardPass.Row(pass: 0, metric: $0) }
        let found = try BackwardPass(rig, weights: checkpoint.weights).gradients(
            pixels: [pixels], rows: rows, target: 1, foil: 2)
        var compared = 0, largest = 0.0
        for (place, _) in found[0] {
            let all = try answers.doubles(place.site.rawValue)
            let layers = place.site == .embed ? 1 : config.layers
            let size = all.count / (Self.metrics.count * layers)
            for (metric, gradients) in found.enumerated() {
                let start = (metric * layers + place.layer) * size
                let answer = all[start..<(start + size)], own = gradients[place] ?? []
                // Tokens that nothing reads are not computed.
                let padded = own.map(Double.init) + [Double](repeating: 0, count: max(0, size - own.count))
                #expect(padded.count == size, "\(name), \(place)")
                for (a, b) in zip(padded, answer) { largest = max(largest, abs(a - b) / (1 + abs(b))) }
                #expect(
                    zip(padded, answer).allSatisfy { abs($0 - $1) <= Self.tolerance * (1 + abs($1)) },
                    "\(name), \(Self.metrics[metric]), \(place)")
                compared += 1
            }
        }
        #expect(compared == Self.metrics.count * (1 + 11 * config.layers))
    }

    /// Odd sizes, several passes and metrics at once, against the reference in Double.
    @Test(arguments: [ViTConfig.Activation.gelu, .mish]) func gradientsMatchTheReference(
        _ activation: ViTConfig.Activation
    ) throws {
        var random = SplitMix64.fresh()
        let seed = random.seed, model = RandomModel(activation: activation, using: &random)
        let rig = try Rig(config: model.config, weights: model.weights), reference = model.reference
        let pixels = (0..<2).map { _ in model.pixels(using: &random) }
        let rows = [(1, 0), (0, 0), (1, 2), (0, 1)].map {
            BackwardPass.Row(pass: $0.0, metric: Self.metrics[$0.1])
        }
        let found = try BackwardPass(rig, weights: model.weights).gradients(
            pixels: pixels, rows: rows, target: 4, foil: 0)
        for (row, gradients) in zip(rows, found) {
            let metric: ReferenceMetric =
                switch row.metric {
                case .logOdds: .logOdds
                case .logitDifference: .logitDifference
                case .logit: .logit
                }
            let embedded = try #require(
                reference.forward(pixels: pixels[row.pass].map(Double.init), capturing: [.embed])
                    .activations[ReferencePlace(.embed, layer: 0)])
            let answers = reference.gradients(of: metric, embedded: embedded, target: 4, foil: 0).gradients
            for (place, own) in gradients {
                var answer = try #require(answers[place])
                if place.site.hasHeads {
                    answer = joinHeads(
                        answer, heads: reference.heads, tokens: reference.tokens, headDim: reference.headDim)
                }
                // In a random model, a norm over few values magnifies roundings in all gradients before it.
                let tolerance = 5 * Self.tolerance * (1 + (answer.map(abs).max() ?? 0))
                #expect(
                    zip(own, answer).allSatisfy { abs(Double($0) - $1) <= tolerance },
                    "\(row), \(place), seed \(seed): \(maxAbsDiff(own, Array(answer.prefix(own.count))))")
                // Tokens that are not computed have zero gradients.
                #expect(answer.dropFirst(own.count).allSatisfy { $0 == 0 }, "\(row), \(place)")
            }
        }
    }

    /// A gradient row has the same bits alone and among others.
    @Test func rowsDoNotMatter() throws {
        var random = SplitMix64(seed: 8)
        let model = RandomModel(using: &random)
        let rig = try Rig(config: model.config, weights: model.weights)
        let pass = try BackwardPass(rig, weights: model.weights)
        let pixels = (0..<3).map { _ in model.pixels(using: &random) }
        let rows = (0..<3).flatMap { image in Self.metrics.map { BackwardPass.Row(pass: image, metric: $0) } }
        let together = try pass.gradients(pixels: pixels, rows: rows, target: 2, foil: 1)
        for image in 0..<3 {
            let alone = try pass.gradients(
                pixels: [pixels[image]], rows: [BackwardPass.Row(pass: 0, metric: .logOdds)], target: 2, foil: 1)
            #expect(alone[0] == together[image * Self.metrics.count])
        }
    }
}
