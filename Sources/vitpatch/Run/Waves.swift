import CLRuntime
import Images
import Patch
import Spec
import ViT

/// What waves are made of: models, images, and the class that is tracked. Loads images and runs one wave of them, or the
/// average of as many as there are noise draws.
struct Waves {
    let model: Model
    let donor: Model?
    let data: LabelledData
    let target: Target
    let seed: UInt64
    let samples: Int
    /// Takes images that cannot be read; nil: they are errors
    var skipped: SkippedImages?
    var profiler: Profiler?
    /// Position of the device among the profiler's
    var device = 0

    /// - Parameter partners: load another image for each too
    func loader(_ corruption: Corruption, partners: Bool = false) throws -> ImageLoader {
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
        if partners { loader.partnerSeed = seed }
        return loader
    }

    func draws(_ corruption: Corruption) -> Int { corruption.isRandom ? samples : 1 }

    /// One wave, or the average of as many as there are draws.
    /// - Parameter keepLogits: the output has every pass's logits too, means over the draws
    func run(
        _ images: PreparedImages, _ corruption: Corruption, _ wavefront: Wavefront, patches: [Patch],
        keepLogits: Bool = false
    ) throws -> Wavefront.Output {
        let draws = draws(corruption)
        func draw(_ sample: Int, keepLogits: Bool) throws -> Wavefront.Output {
            let output = try wavefront.run(
                input(images, corruption, sample: sample), patches: patches, keepLogits: keepLogits)
            try profiler?.take(model.encoder.context, device: device)
            return output
        }
        if draws == 1 { return try draw(0, keepLogits: keepLogits) }
        var average = SampleAverage(classes: model.encoder.config.classes)
        for sample in 0..<draws { average.add(try draw(sample, keepLogits: true)) }
        guard let result = average.result() else { throw CommandError("--samples \(samples): no draw was made") }
        return result
    }

    /// What a `WaveRunner` does when the device has less memory than planned.
    static func warn(planned: WavePlan, of model: Model) -> (WavePlan, CLError) -> Void {
        let device = model.encoder.context.device.title
        return { smaller, error in
            func text(_ shape: WaveShape) -> String {
                "\(shape.images) images" + (shape.patches > 0 ? " with \(shape.patches) patches" : "")
            }
            Terminal.warning(
                "\(device) has less memory than it said (\(error)): waves of \(text(smaller.shape)) instead of "
                    + "\(text(planned.shape)), or fewer. The results are the same.")
        }
    }

    private func input(_ images: PreparedImages, _ corruption: Corruption, sample: Int) -> Wavefront.Input {
        func draw(_ values: [[[Float]]]) -> [Float] { values.flatMap { $0[min(sample, $0.count - 1)] } }
        var input = Wavefront.Input(
            clean: images.clean.flatMap { $0 }, corrupted: draw(images.corrupted),
            labels: images.indices.map { target.index(label: data.label($0)) })
        if donor != nil {
            input.donorClean = images.donorClean.flatMap { $0 }
            input.donorCorrupted = draw(images.donorCorrupted)
        }
        if !images.partner.isEmpty { input.partner = images.partner.flatMap { $0 } }
        if let noise = corruption.embeddingNoise {
            let keys = images.indices.map { index in
                let key = RandomKey.noiseKey(seed: seed, imageID: data.dataset.id(index), sample: sample)
                return (key.k0, key.k1, key.c2, key.c3)
            }
            input.noise = (Float(noise.strength), keys)
        }
        return input
    }
}
