import CLRuntime
import Kernels
import Patch
import Reference
import TestSupport
import Testing
import Verification
import ViT

/// A random model and random images, on the device and in Double: compares the engine's result for a patch with one
/// forward pass of the reference with that patch.
final class Lab {
    static let tolerance = 2e-5

    let seed: UInt64
    let rig: Rig
    let reference: ReferenceModel
    /// Another model of the same sizes, if asked for
    let donor: Encoder?
    let weights: ViTWeights
    private let donorReference: ReferenceModel?
    let input: Wave
    let images: Int
    let means: ActivationMeans?
    /// The file of `PatchWith.file`, and each image's activations in it
    var file: ActivationFile?
    var fileValues: [ReferenceActivations] = []
    private let meanPixels: [[Float]]
    private var captured: [String: ReferenceActivations] = [:]
    private var embedded: [String: [Double]] = [:]

    /// - Parameters:
    ///   - noise: noise on the corrupted passes' embeddings, in standard deviations
    ///   - meanOf: number of images whose mean clean activations `PatchWith.mean` patches in
    init(
        _ size: TinySize = .usual, images: Int = 2, donor wantsDonor: Bool = false, noise: Float? = nil,
        meanOf: Int = 0,
        seed: UInt64? = nil
    ) throws {
        var random = seed.map { SplitMix64(seed: $0) } ?? SplitMix64.fresh()
        self.seed = random.seed
        self.images = images
        let model = Self.model(size, &random)
        weights = model.weights
        rig = try Rig(config: model.config, weights: model.weights)
        reference = model.reference
        var input = Wave(
            clean: rig.pixels(images, &random), corrupted: rig.pixels(images, &random),
            labels: (0..<images).map { _ in Int.random(in: -1..<size.classes, using: &random) })
        input.partner = rig.pixels(images, &random)
        if wantsDonor {
            // The donor may have another patch size and other classes.
            var other = size
            other.classes += 1
            other.patchSize += 1
            let model = Self.model(other, &random)
            donor = try Encoder(
                config: model.config, weights: model.weights, library: rig.library, gemm: rig.encoder.gemm)
            donorReference = model.reference
            input.donorClean = (0..<images).map { _ in model.pixels(using: &random) }
            input.donorCorrupted = (0..<images).map { _ in model.pixels(using: &random) }
        } else {
            (donor, donorReference) = (nil, nil)
        }
        if let noise {
            input.noise = (
                noise,
                (0..<images).map { _ in
                    func word() -> UInt32 { UInt32.random(in: 0 ... .max, using: &random) }
                    return (word(), word(), word(), word())
                }
            )
        }
        self.input = input
        let pixels = (0..<meanOf).map { _ in model.pixels(using: &random) }
        meanPixels = pixels
        means =
            meanOf == 0
            ? nil
            : try ActivationMeans.over(
                images: meanOf, encoder: rig.encoder, library: rig.library,
                sites: Set(Site.allCases).subtracting([.pattern])
            ) { range in Array(pixels[range]) }
    }

    static func model(_ size: TinySize, _ random: inout SplitMix64) -> RandomModel {
        RandomModel(
            heads: size.heads, headDim: size.headDim, layers: size.layers, intermediateSize: size.intermediateSize,
            imageSize: size.patchSize * size.grid, patchSize: size.patchSize, channels: size.channels,
            classes: size.classes, activation: size.activation, qkvBias: size.qkvBias, using: &random)
    }

    // MARK: The engine

    /// Runs a wave of a range of images.
    func run(
        _ patches: [Patch], images range: Range<Int>? = nil, chunkRows: Int = 3, own: Bool = false
    ) throws -> WaveResult {
        let range = range ?? 0..<images
        let shape = WaveShape(images: range.count, patches: patches, chunkRows: chunkRows, donor: donor != nil)
        return try run(patches, images: range, shape: shape, own: own)
    }

    func run(
        _ patches: [Patch], images range: Range<Int>, shape: WaveShape, own: Bool = false
    ) throws -> WaveResult {
        let wavefront = try Wavefront(
            encoder: rig.encoder, donor: donor, library: rig.library, shape: shape, means: means, file: file)
        return try wavefront.run(input(range), patches: patches, keepLogits: true, own: own)
    }

    /// The input of a range of images.
    func input(_ range: Range<Int>) -> Wave {
        func part(_ pixels: [[Float]]) -> [[Float]] { Array(pixels[range]) }
        var some = Wave(
            clean: part(input.clean), corrupted: input.corrupted.map(part), labels: Array(input.labels[range]))
        some.donorClean = input.donorClean.map(part)
        some.donorCorrupted = input.donorCorrupted.map(part)
        some.partner = input.partner.map(part)
        some.filePositions = Array(range)
        some.noise = input.noise.map { ($0.strength, Array($0.keys[range])) }
        return some
    }

    // MARK: The reference

    /// For each patch: the largest difference of its probabilities from the reference's, over all images, in units of
    /// `tolerance` or of `conditioning` if that is larger; and its largest effect, to show that the test is not
    /// vacuous.
    func compare(_ patches: [Patch], _ output: WaveResult) -> [(patch: Patch, error: Double, effect: Double)] {
        let classes = rig.config.classes
        return patches.enumerated().map { index, patch in
            var largest = 0.0, effect = 0.0
            for image in 0..<images {
                var error = 0.0
                let found = output.patchedLogits[index][(image * classes)..<((image + 1) * classes)].map(Double.init)
                let base = patch.direction == .restore ? "corrupted" : "clean"
                let wanted = probabilities(logits(patch, image: image))
                let unpatched = probabilities(reference.forward(embedded: embedding(base, image)).logits)
                error = max(error, maxAbsDiff(probabilities(found), wanted))
                let target = output.targets[image]
                error = max(error, abs(Double(output.patched[index][image].p) - wanted[target]))
                if output.patched[index][image].p.isNaN { error = .infinity }
                effect = max(effect, maxAbsDiff(wanted, unpatched))
                largest = max(largest, inUnits(error, of: patch, image: image))
            }
            return (patch, largest, effect)
        }
    }

    /// The error of a pass in units of `tolerance`, or of `conditioning` if that is larger.
    private func inUnits(_ error: Double, of patch: Patch, image: Int) -> Double {
        error < Self.tolerance ? error / Self.tolerance : error / max(Self.tolerance, conditioning(patch, image: image))
    }

    /// The sensitivity of a pass to rounding: 16 times the largest change of its probabilities in Double when its input
    /// and the patched-in values change by one rounding each. A layer norm of few, nearly equal values magnifies
    /// roundings; among thousands of random models some have several such norms.
    private func conditioning(_ patch: Patch, image: Int) -> Double {
        let wanted = probabilities(logits(patch, image: image))
        return 16
            * (0..<4 as Range<UInt64>).map { draw in
                var random = SplitMix64(seed: draw)
                return maxAbsDiff(probabilities(logits(patch, image: image, rounding: &random)), wanted)
            }.reduce(0, max)
    }

    /// Runs the patches in one wave and compares each with the reference.
    func expectAgreement(_ patches: [Patch], chunkRows: Int = 3, _ location: SourceLocation = #_sourceLocation) throws {
        let output = try run(patches, chunkRows: chunkRows)
        var effect = 0.0
        for result in compare(patches, output) {
            #expect(result.error < 1, "seed \(seed): \(describe(result.patch))", sourceLocation: location)
            effect = max(effect, result.effect)
        }
        #expect(effect > 1e-5, "seed \(seed): nothing has an effect", sourceLocation: location)
        for (pass, direction) in [("clean", Direction.noising), ("corrupted", .restore)] {
            let logits = pass == "clean" ? output.cleanLogits : output.corruptedLogits
            // The pass without a patch
            let base = Patch(direction: direction, parts: [])
            for image in 0..<images {
                let classes = rig.config.classes
                let found = logits[(image * classes)..<((image + 1) * classes)].map(Double.init)
                let wanted = reference.forward(embedded: embedding(pass, image)).logits
                let error = maxAbsDiff(probabilities(found), probabilities(wanted))
                #expect(inUnits(error, of: base, image: image) < 1, "seed \(seed): \(pass)", sourceLocation: location)
            }
        }
    }

    func describe(_ patch: Patch) -> String {
        let parts = patch.parts.map { part in
            "\(part.site.rawValue) layers \(part.layers)" + (part.heads.map { " heads \($0)" } ?? "")
                + (part.tokens.map { " tokens \($0)" } ?? "") + (part.neurons.map { " neurons \($0)" } ?? "")
        }
        return "\(patch.direction.rawValue) with \(patch.with.rawValue): " + parts.joined(separator: "; ")
    }

    /// One whole pass of the reference with the patch's activations patched in.
    func logits(_ patch: Patch, image: Int) -> [Double] {
        logits(patch, image: image) { $0 }
    }

    /// The same from values that are each off by one rounding, up or down.
    private func logits(_ patch: Patch, image: Int, rounding random: inout SplitMix64) -> [Double] {
        var state = random
        defer { random = state }
        return logits(patch, image: image) { values in
            values.map { $0 * (1 + (Bool.random(using: &state) ? 1 : -1) * 0x1p-24) }
        }
    }

    private func logits(_ patch: Patch, image: Int, _ input: ([Double]) -> [Double]) -> [Double] {
        let restores = patch.direction == .restore, source = source(of: patch, image: image)
        var interventions: [Intervention] = []
        for part in patch.parts {
            guard let site = ReferenceSite(rawValue: part.site.rawValue) else { continue }
            for layer in part.site.hasLayers ? part.layers : [0] {
                guard let values = source[ReferencePlace(site, layer: layer)] else { continue }
                interventions.append(
                    Intervention(
                        site, layer: layer, heads: part.heads, tokens: part.tokens, neurons: part.neurons,
                        values: input(values)))
            }
        }
        let base = input(embedding(restores ? "corrupted" : "clean", image))
        return reference.forward(embedded: base, interventions: interventions).logits
    }

    /// The source activations of a patch.
    func source(of patch: Patch, image: Int) -> ReferenceActivations {
        let restores = patch.direction == .restore
        return switch patch.with {
        case .zero: activations("clean", image).mapValues { $0.map { _ in 0 } }
        case .mean: mean()
        case .resample: activations("partner", image)
        case .file: fileValues[image]
        case .other where donor != nil: activations(restores ? "donorClean" : "donorCorrupted", image)
        case .other: activations(restores ? "clean" : "corrupted", image)
        }
    }

    /// All activations of one pass of one image.
    private func activations(_ pass: String, _ image: Int) -> ReferenceActivations {
        let key = "\(pass) \(image)"
        if let known = captured[key] { return known }
        let model = pass.hasPrefix("donor") ? donorReference ?? reference : reference
        let all = model.forward(embedded: embedding(pass, image), capturing: Set(ReferenceSite.allCases)).activations
        captured[key] = all
        return all
    }

    /// The encoder's input [T, D] for one pass of one image, with its noise.
    func embedding(_ pass: String, _ image: Int) -> [Double] {
        let key = "\(pass) \(image)"
        if let known = embedded[key] { return known }
        let model = pass.hasPrefix("donor") ? donorReference ?? reference : reference
        let all: [[Float]] =
            switch pass {
            case "clean": input.clean
            case "corrupted": input.corrupted ?? []
            case "donorClean": input.donorClean ?? []
            case "donorCorrupted": input.donorCorrupted ?? []
            default: input.partner ?? []
            }
        var projected = projections(all[image].map(Double.init), model)
        if let noise = input.noise, pass.hasSuffix("orrupted") {
            let words = noise.keys[image], deviation = populationDeviation(projected)
            let normals = referenceNormals(k0: words.0, k1: words.1, c2: words.2, c3: words.3, count: projected.count)
            for i in projected.indices { projected[i] += Double(noise.strength) * deviation * normals[i] }
        }
        let made = add(model.cls + projected, model.position)
        embedded[key] = made
        return made
    }

    /// Patch projections with bias, [Np * D]
    private func projections(_ pixels: [Double], _ model: ReferenceModel) -> [Double] {
        let values = patches(pixels, channels: model.channels, imageSize: model.imageSize, patchSize: model.patchSize)
        return matmul(
            values, model.patchWeight, bias: model.patchBias, m: model.tokens - 1, n: model.hiddenSize,
            k: model.channels * model.patchSize * model.patchSize)
    }

    private func mean() -> ReferenceActivations {
        if let known = captured["mean"] { return known }
        var sums: ReferenceActivations = [:]
        for pixels in meanPixels {
            let all = reference.forward(pixels: pixels.map(Double.init), capturing: Set(ReferenceSite.allCases))
                .activations
            sums.merge(all) { add($0, $1) }
        }
        let made = sums.mapValues { $0.map { $0 / Double(meanPixels.count) } }
        captured["mean"] = made
        return made
    }
}
