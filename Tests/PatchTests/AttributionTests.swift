import Foundation
import Kernels
import Patch
import TestSupport
import Testing
import ViT

/// Estimates from gradients against float64 autograd through transformers' and timm's own models
/// (`scripts/fixtures/estimates.py`), and properties that hold for any model.
@Suite(.serialized) struct AttributionTests {
    struct CaseList: Decodable { let cases: [FamilyTests.Case] }

    static let all = Estimates(methods: [.atp, .ig(3)], metrics: EstimateMetric.allCases)

    @Test(arguments: FamilyTests.names)
    func estimatesMatchAutograd(_ name: String) throws {
        let directory = Fixture.directory("families/\(name)")
        let passes = try SafetensorsFile(directory.appendingPathComponent("expected.safetensors"))
        let expected = try SafetensorsFile(directory.appendingPathComponent("estimates.safetensors"))
        let list = try JSONDecoder().decode(
            CaseList.self, from: Data(contentsOf: directory.appendingPathComponent("cases.json")))
        let checkpoint = try FamilyTests.checkpoint(name)
        let rig = try Rig(checkpoint)
        let pixels = try ["clean", "corrupted"].map { try passes.doubles("\($0).pixels").map(Float.init) }
        for (prefix, with) in [("", PatchWith.other), ("zero.", .zero)] {
            let patches = list.cases.map { item in
                Patch(
                    direction: item.direction == "restore" ? .restore : .noising, with: with,
                    sites: item.sites.compactMap(Site.init), layers: item.layers, heads: item.heads, tokens: item.tokens
                )
            }
            let result = try rig.estimates(
                patches, Self.all, Wave(clean: [pixels[0]], corrupted: [pixels[1]], labels: [-1]),
                weights: checkpoint.weights)
            #expect(Self.all.names.count == result.values.count)
            for (column, values) in zip(Self.all.names, result.values) {
                let answers = try expected.doubles(prefix + column)
                var largest = 0.0
                for (index, answer) in answers.enumerated() {
                    let error = abs(Double(values[0][index]) - answer) / (1 + abs(answer))
                    largest = max(largest, error.isNaN ? .infinity : error)
                    #expect(
                        error < 1e-4,
                        "\(name) \(prefix)\(column): \(list.cases[index]) \(values[0][index]) for \(answer)")
                }
                if ProcessInfo.processInfo.environment["VITPATCH_SHOW"] != nil {
                    print("\(name) \(prefix)\(column): \(largest)")
                }
            }
        }
    }

    /// Every kind of patch: the same bits in any wave, with any other estimates beside it.
    @Test func wavesDoNotMatter() throws {
        let lab = try Lab(images: 3, meanOf: 3)
        var patches = lab.everyCombination()
        for with in [PatchWith.zero, .mean, .resample] {
            let sites: [Site] = with == .mean ? Site.allCases.filter { $0 != .pattern } : Site.allCases
            for site in sites {
                patches.append(
                    Patch(
                        direction: .restore, with: with, sites: [site], layers: [1],
                        tokens: [0, lab.rig.config.tokens - 1]))
                patches.append(Patch(direction: .noising, with: with, sites: [site], layers: [1, 2]))
            }
        }
        let together = try lab.estimates(patches, Self.all)
        for image in 0..<3 {
            let alone = try lab.estimates(patches, Self.all, images: image..<(image + 1))
            for (name, (values, one)) in zip(Self.all.names, zip(together.values, alone.values)) {
                #expect(values[image] == one[0], "seed \(lab.seed): \(name)")
            }
        }
        let some = Array(patches.indices.filter { $0 % 7 == 3 })
        let fewer = try lab.estimates(some.map { patches[$0] }, Estimates(methods: [.ig(3)], metrics: [.logit]))
        let column = try #require(Self.all.names.firstIndex(of: "ig3_logit"))
        for image in 0..<3 {
            let same = some.map { together.values[column][image][$0] }
            #expect(fewer.values[0][image] == same, "seed \(lab.seed)")
        }
        // Integration steps in several walks
        let tight = try lab.estimates(patches, Self.all, memory: lab.tightest(patches, Self.all))
        for (index, name) in Self.all.names.enumerated() {
            #expect(tight.values[index] == together.values[index], "seed \(lab.seed): \(name)")
        }
        let hasEffect = together.values.joined().joined().contains { abs($0) > 1e-3 }
        #expect(hasEffect)
    }

    /// The mean gradients at the embeddings, times the difference, add up to the change of the metric, with an error
    /// that falls as 1 / N^2 (midpoint rule). Seeds are of models where this many steps show it.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func integratedGradientsAddUp(_ seed: UInt64) throws {
        let lab = try Lab(TinySize(heads: 2, headDim: 4, layers: 2, intermediateSize: 9), images: 2, seed: seed)
        let patch = Patch(direction: .restore, sites: [.embed], layers: [])
        // Close together, so that few steps resolve the path
        var wave = lab.input
        wave.corrupted = zip(wave.clean, wave.corrupted ?? []).map { zip($0, $1).map { 0.9 * $0 + 0.1 * $1 } }
        var errors: [Double] = []
        for steps in [2, 4, 8] {
            let result = try lab.rig.estimates(
                [patch], Estimates(methods: [.ig(steps)], metrics: [.logOdds]), wave, weights: lab.weights)
            errors.append(
                (0..<2).map { image in
                    let change = result.wave.clean[image].logOdds - result.wave.corrupted[image].logOdds
                    return abs(Double(result.values[0][image][0] - change))
                }.reduce(0, +))
        }
        // Doubling the steps quarters the error, down to float32's rounding
        #expect(errors[1] < errors[0] / 2.5 || errors[1] < 1e-5, "seed \(lab.seed): \(errors)")
        #expect(errors[2] < errors[0] / 8 || errors[2] < 1e-5, "seed \(lab.seed): \(errors)")
    }

    /// Device memory is as planned, including the GEMM's temporary for products with transposed weights.
    @Test(arguments: [("timm-siglip", GEMMProvider.clblast), ("dinov2-swiglu", .clblast), ("timm-qk-norm", .packed)])
    func memoryIsAsPlanned(_ name: String, _ provider: GEMMProvider) throws {
        let checkpoint = try FamilyTests.checkpoint(name), rig = try Rig(checkpoint, provider: provider)
        var random = SplitMix64(seed: 3)
        let wave = rig.input(images: 2, &random), patches = rig.patches()
        let backward = try Backward(rig.encoder, weights: checkpoint.weights, library: rig.library)
        let before = rig.context.allocatedBytes
        let runner = try AttributionRunner(
            encoder: rig.encoder, backward: backward, library: rig.library, patches: patches, estimates: Self.all,
            images: 2)
        #expect(rig.context.allocatedBytes == before)
        _ = try runner.run(images: 2) { _ in wave }
        let planned = try runner.bytes
        #expect(rig.context.peakBytes <= before + planned, "\(name): \(rig.context.peakBytes - before) of \(planned)")
        #expect(rig.context.peakBytes > before + planned / 2)
    }

    /// Estimates with a donor's activations are finite and differ between images.
    @Test func donorEstimatesAreFiniteAndDiffer() throws {
        let lab = try Lab(images: 2, donor: true)
        let patches = lab.everyCombination().filter { $0.parts[0].tokens == nil }
        let donated = try lab.estimates(patches, Self.all)
        let isFinite = donated.values.joined().joined().allSatisfy { $0.isFinite }
        #expect(isFinite)
        #expect(donated.values[0][0] != donated.values[0][1])
    }
}

extension Rig {
    func estimates(
        _ patches: [Patch], _ estimates: Estimates, _ wave: Wave, weights: ViTWeights, donor: Encoder? = nil,
        means: ActivationMeans? = nil, memory: Int? = nil, part: (Range<Int>) -> Wave? = { _ in nil }
    ) throws -> AttributionResult {
        let runner = try AttributionRunner(
            encoder: encoder, donor: donor, backward: try Backward(encoder, weights: weights, library: library),
            library: library, patches: patches, estimates: estimates, images: wave.labels.count, memory: memory,
            means: means)
        return try runner.run(images: wave.labels.count) { part($0) ?? wave }
    }
}

extension Lab {
    func estimates(
        _ patches: [Patch], _ estimates: Estimates, images range: Range<Int>? = nil, memory: Int? = nil
    ) throws -> AttributionResult {
        let range = range ?? 0..<images
        return try rig.estimates(
            patches, estimates, input(range), weights: weights, donor: donor, means: means, memory: memory
        ) { part in input((range.lowerBound + part.lowerBound)..<(range.lowerBound + part.upperBound)) }
    }

    /// The least memory in which these estimates run.
    func tightest(_ patches: [Patch], _ estimates: Estimates) -> Int {
        var (low, high) = (0, 1 << 30)
        while low < high {
            let middle = (low + high) / 2
            let fits =
                (try? AttributionRunner(
                    encoder: rig.encoder, donor: donor,
                    backward: try Backward(rig.encoder, weights: weights, library: rig.library), library: rig.library,
                    patches: patches, estimates: estimates, images: images, memory: middle, means: means)) != nil
            if fits { high = middle } else { low = middle + 1 }
        }
        return low + (1 << 20)
    }
}

/// If the network is linear, an estimate equals the effect.
@Suite struct LinearModelTests {
    @Test func estimatesAreEffects() throws {
        var random = SplitMix64.fresh()
        let seed = random.seed
        var size = TinySize(heads: 2, headDim: 4, layers: 2, intermediateSize: 9)
        size.activation = .relu
        let model = Lab.model(size, &random)
        var (config, weights) = (model.config, model.weights)
        // A norm that divides by 1e5 for any input, neurons that are all on, and queries and keys of zeros
        config.layerNormEps = 1e10
        let d = config.hiddenSize
        func values(_ count: Int, _ value: Float) -> Weight { Weight([Float](repeating: value, count: count)) }
        for layer in weights.layers.indices {
            let own = weights.layers[layer]
            let qkv = own.qkvWeight.floats, bias = own.qkvBias.floats
            weights.layers[layer].qkvWeight = Weight([Float](repeating: 0, count: 2 * d * d) + qkv[(2 * d * d)...])
            weights.layers[layer].qkvBias = Weight([Float](repeating: 0, count: 2 * d) + bias[(2 * d)...])
            (weights.layers[layer].ln1Weight, weights.layers[layer].ln2Weight) = (values(d, 1e5), values(d, 1e5))
            weights.layers[layer].fc1Weight = Weight(own.fc1Weight.floats.map { $0 / 100 })
            weights.layers[layer].fc1Bias = values(config.intermediateSize, 1)
        }
        weights.lnWeight = values(d, 1e5)
        let rig = try Rig(config: config, weights: weights)
        let patches = rig.patches().filter { patch in
            // On the stream, other places replace what earlier ones patched in.
            patch.parts.count == 1 && patch.parts[0].layers.count <= 1
        }
        let wave = rig.input(images: 2, &random)
        let estimates = Estimates(methods: [.atp, .ig(2)], metrics: [.logit, .logitDiff])
        let estimated = try rig.estimates(patches, estimates, wave, weights: weights)
        let exact = try rig.wavefront(images: 2, patches: patches).run(wave, patches: patches)
        var largest: Float = 0
        for image in 0..<2 {
            for (index, patch) in patches.enumerated() {
                let base = patch.direction == .restore ? exact.corrupted[image] : exact.clean[image]
                let effect = exact.patched[index][image].logit - base.logit
                let difference = exact.patched[index][image].logitDiff - base.logitDiff
                for (column, wanted) in [(0, effect), (1, difference), (2, effect), (3, difference)] {
                    let found = estimated.values[column][image][index]
                    #expect(
                        abs(found - wanted) < 2e-3 * (1 + abs(wanted)),
                        "seed \(seed): \(patch.parts[0].text) \(patch.direction): \(found) for \(wanted)")
                }
                largest = max(largest, abs(effect))
            }
        }
        #expect(largest > 0.1, "seed \(seed)")
    }
}
