import CLRuntime
import Images
import Patch
import Spec
import ViT

/// The models, images and measured classes of passes. Loads images and runs patches on them.
struct Experiment {
    let model: Model
    let donor: Model?
    let data: LabelledData
    let target: Target
    var foil = Foil.pooled
    let seed: UInt64
    let samples: Int
    /// The activations of `--patch-with file:`
    var file: ActivationFile?
    /// Standard deviations of the model's and the donor's patch projections, which scale noise; nil: every image's own
    var noiseDeviations: [Float]?
    /// Whether there is a single pass per image, on the corrupted image instead of the clean one
    var isSingle = false
    /// Collects unreadable images; nil: they are errors
    var skipped: SkippedImages?
    var profiler: Profiler?
    /// Index of the device among the profiler's
    var device = 0

    /// - Parameter partners: chooses another image for each, which is loaded too
    func loader(_ corruption: Corruption, partners: Partners? = nil) throws -> ImageLoader {
        func corruptor(_ model: Model) throws -> Corruptor {
            try Corruptor(
                corruption, dataset: data.dataset, preprocessor: model.preprocessor,
                patchSize: model.encoder.config.patchSize, seed: seed)
        }
        var loader = ImageLoader(
            dataset: data.dataset, preprocessor: model.preprocessor, corruptor: try corruptor(model), samples: samples)
        loader.profiler = profiler
        loader.skipped = skipped
        if let donor { loader.donor = (donor.preprocessor, try corruptor(donor)) }
        loader.partners = partners
        return loader
    }

    func draws(_ corruption: Corruption) -> Int { corruption.isRandom ? samples : 1 }

    /// Runs every patch on some images, in as many waves as they need. Each wave runs once, or once per noise draw,
    /// averaged.
    /// - Parameters:
    ///   - keepLogits: results have every pass's logits too, means over the draws
    ///   - check: called before each wave, to end the work by an error
    ///   - body: called with each wave's part of images and patches
    /// - Throws: `CommandError` that names the image where logits are not finite
    func run(
        _ images: ImageBatch, _ corruption: Corruption, on runner: WaveRunner, patches: [Patch],
        keepLogits: Bool = false,
        check: () throws -> Void = {}, _ body: (WaveRunner.Piece, ImageBatch, WaveResult) throws -> Void
    ) throws {
        try runner.run(images: images.indices.count, patches: patches.indices) { wavefront, piece in
            try check()
            let some = images[piece.images]
            do {
                let result = try run(
                    some, corruption, wavefront, patches: Array(patches[piece.patches]), keepLogits: keepLogits)
                try body(piece, some, result)
            } catch let error as NonFinite {
                throw notFinite(some, corruption, error)
            }
        }
    }

    /// Estimates of every patch on some images, averaged over noise draws.
    /// - Throws: `CommandError` that names the image where logits or gradients are not finite
    func estimate(
        _ images: ImageBatch, _ corruption: Corruption, on runner: AttributionRunner
    ) throws -> AttributionResult {
        let draws = draws(corruption)
        func draw(_ sample: Int, foils: [Int]? = nil) throws -> AttributionResult {
            do {
                let result = try runner.run(images: images.indices.count) { range in
                    try wave(images[range], corruption, sample: sample, foils: foils.map { Array($0[range]) })
                }
                try profiler?.take(model.encoder.context, device: device)
                return result
            } catch let error as NonFinite {
                throw notFinite(images, corruption, error)
            }
        }
        var first = try draw(0)
        if draws == 1 { return first }
        var average = SampleAverage()
        average.add(first.wave)
        var sums = first.values.map { $0.map { $0.map(Double.init) } }
        for sample in 1..<draws {
            let next = try draw(sample, foils: first.wave.foils)
            average.add(next.wave)
            for (name, images) in next.values.enumerated() {
                for (image, patches) in images.enumerated() {
                    for (patch, value) in patches.enumerated() { sums[name][image][patch] += Double(value) }
                }
            }
        }
        if let wave = average.result() { first.wave = wave }
        first.values = sums.map { $0.map { $0.map { Float($0 / Double(draws)) } } }
        return first
    }

    private func notFinite(_ images: ImageBatch, _ corruption: Corruption, _ error: NonFinite) -> CommandError {
        CommandError(
            "\(data.dataset.id(images.indices[error.image])) with --corruption \(corruption.spec): \(error); the weights, "
                + "or what preprocessor_config.json makes of the pixels, are out of range")
    }

    private func run(
        _ images: ImageBatch, _ corruption: Corruption, _ wavefront: Wavefront, patches: [Patch], keepLogits: Bool
    ) throws -> WaveResult {
        let draws = draws(corruption)
        func draw(_ sample: Int, foils: [Int]? = nil) throws -> WaveResult {
            let result = try wavefront.run(
                try wave(images, corruption, sample: sample, foils: foils), patches: patches, keepLogits: keepLogits)
            try profiler?.take(model.encoder.context, device: device)
            return result
        }
        let first = try draw(0)
        if draws == 1 { return first }
        var average = SampleAverage()
        average.add(first)
        for sample in 1..<draws { average.add(try draw(sample, foils: first.foils)) }
        guard let result = average.result() else { throw CommandError("--samples \(samples): no draw was made") }
        return result
    }

    /// For `WaveRunner`: warns that the device has less memory than planned.
    static func warn(planned: WavePlan, of model: Model) -> (WavePlan, CLError) -> Void {
        let device = model.encoder.context.device.title
        return { smaller, error in
            func text(_ shape: WaveShape) -> String {
                "\(shape.images) images" + (shape.patches > 0 ? " with \(shape.patches) patches" : "")
            }
            Terminal.warning(
                "\(device) has less memory than it reports (\(error)): waves of \(text(smaller.shape)) instead of "
                    + "\(text(planned.shape)), or fewer. The results are the same.")
        }
    }

    /// - Parameter foils: one for each image; nil: by `foil`
    func wave(_ images: ImageBatch, _ corruption: Corruption, sample: Int, foils: [Int]? = nil) throws -> Wave {
        func draw(_ values: [[[Float]]]) -> [[Float]] { values.map { $0[min(sample, $0.count - 1)] } }
        let labels = images.indices.map { target.index(label: data.label($0)) }
        if isSingle { return Wave(clean: draw(images.corrupted), corrupted: nil, labels: labels) }
        var wave = Wave(clean: images.clean, corrupted: draw(images.corrupted), labels: labels)
        wave.foilPasses = foil.passes(hasDonor: donor != nil)
        if let foils {
            wave.foils = foils
        } else if case .index(let index) = foil {
            wave.foils = labels.map { _ in index }
        } else if foil == .column, let known = data.foilColumn {
            wave.foils = images.indices.map { known[$0] }
        }
        if donor != nil {
            wave.donorClean = images.donorClean
            wave.donorCorrupted = draw(images.donorCorrupted)
        }
        if !images.partner.isEmpty { wave.partner = images.partner }
        if let file {
            wave.filePositions = try images.indices.map { try file.position(of: data.dataset.id($0)) }
        }
        if let noise = corruption.embeddingNoise {
            let keys = images.indices.map { index in
                let key = RandomKey.noiseKey(seed: seed, imageID: data.dataset.id(index), sample: sample)
                return (key.k0, key.k1, key.c2, key.c3)
            }
            wave.noise = (Float(noise.strength), keys)
            wave.noiseDeviations = noiseDeviations
        }
        return wave
    }
}
