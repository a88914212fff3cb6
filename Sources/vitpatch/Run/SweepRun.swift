import CLRuntime
import Foundation
import Images
import Patch
import Spec
import ViT

extension Keep {
    func keeps(clean: WaveResult.Pass, corrupted: WaveResult.Pass, label: Int) -> Bool {
        switch self {
        case .all: true
        case .cleanCorrect: clean.prediction == label
        case .flipped: clean.prediction == label && corrupted.prediction != label
        }
    }
}

/// The models on one device of a sweep.
struct SweepModels {
    let model: Model
    let donor: Model?

    var context: Context { model.encoder.context }
}

/// Runs a sweep's waves and stores their results: other threads prepare images, every device takes the next wave when
/// it has finished one, and a wave's results are one transaction.
struct SweepRun {
    /// Devices of one kind, so that no result depends on which of them computed it
    let devices: [SweepModels]
    let data: LabelledData
    let corruptions: [Corruption]
    let keep: Keep
    let target: Target
    let foil: Foil
    let partner: Partner
    let noiseDeviation: NoiseDeviation
    let seed: UInt64
    let samples: Int
    /// The manifest's patches; all of them are estimated
    let patches: [Patch]
    /// The activations of `--patch-with file:`
    let file: ActivationFile?
    let store: SweepStore
    let memory: Int?
    let profiler: Profiler?
    /// Collects unreadable images; nil: they are errors
    let skipped: SkippedImages?

    /// Inputs of passes besides images, computed once for the whole sweep
    struct Inputs {
        /// The mean activations of `--patch-with mean`, for each device
        var means: [ActivationMeans?]
        /// Standard deviations of the model's and the donor's patch projections; nil if noise takes every image's own
        var deviations: [Float]?
        var partners: Partners?
    }

    /// - Parameter hasMidpoints: whether estimates have midpoints between two inputs, which take the mean of `embed`
    ///   too
    /// - Throws: `Interrupted`
    func prepare(hasMidpoints: Bool, _ interruption: Interruption) throws -> Inputs {
        Inputs(
            means: try activationMeans(hasMidpoints: hasMidpoints, interruption),
            deviations: try noiseDeviations(interruption), partners: try partners())
    }

    /// Runs exact passes.
    /// - Parameters:
    ///   - images: per corruption, indices in the data's order, without images that the store already has
    ///   - chosen: indices of patches
    ///   - plan: for each device, with these patches
    func run(
        images: [[Int]], chosen: [Int], plan: WavePlan, keep: Keep, _ inputs: Inputs, _ interruption: Interruption
    ) throws -> SweepTally.Outcome {
        try work(images: images, perWave: plan.shape.images, isFiltered: keep != .all, inputs, interruption) {
            device, queue, tally in
            SweepWorker(
                self, device: device, chosen: chosen, plan: plan, keep: keep, inputs: inputs, queue: queue, tally: tally
            )
        }
    }

    /// Hands all images to a worker of each device.
    func work(
        images: [[Int]], perWave: Int, isFiltered: Bool = false, _ inputs: Inputs, _ interruption: Interruption,
        worker: (Int, SweepQueue, SweepTally) throws -> any DeviceWorker
    ) throws -> SweepTally.Outcome {
        let tally = SweepTally(images: images.map(\.count).reduce(0, +)), first = experiment(0)
        let sources = try corruptions.indices.filter { !images[$0].isEmpty }.map { index in
            ImageFeed.Source(
                images: images[index], loader: try first.loader(corruptions[index], partners: inputs.partners),
                corruption: index)
        }
        let queue = SweepQueue(
            ImageFeed(sources, perBatch: perWave), corruptions: corruptions.count, perWave: perWave,
            isFiltered: isFiltered, devices: devices.count, interruption: interruption)
        Self.work(try devices.indices.map { try worker($0, queue, tally) })
        // Pending writes are completed even after an error.
        let written = Result { try store.finish() }
        if let error = queue.error { throw error }
        try written.get()
        return tally.finish(interrupted: queue.isInterrupted)
    }

    /// Runs every worker on a thread of its own, the first on this one.
    private static func work(_ workers: [any DeviceWorker]) {
        let others = DispatchGroup()
        for worker in workers.dropFirst() {
            others.enter()
            Thread.detachNewThread {
                worker.work()
                others.leave()
            }
        }
        workers.first?.work()
        others.wait()
    }

    func experiment(_ device: Int, noiseDeviations: [Float]? = nil) -> Experiment {
        Experiment(
            model: devices[device].model, donor: devices[device].donor, data: data, target: target, foil: foil,
            seed: seed, samples: samples, file: file, noiseDeviations: noiseDeviations, skipped: skipped,
            profiler: profiler, device: device)
    }

    /// The images that `--patch-with resample` takes; nil if no patch does.
    private func partners() throws -> Partners? {
        guard patches.contains(where: { $0.with == .resample }) else { return nil }
        return switch partner {
        case .any: Partners(count: data.dataset.count, seed: seed)
        case .otherClass: try data.partnersOfOtherClasses(seed: seed)
        }
    }

    /// Standard deviations of the model's and the donor's patch projections over all of the data; nil if noise takes
    /// every image's own.
    private func noiseDeviations(_ interruption: Interruption) throws -> [Float]? {
        guard noiseDeviation == .data, corruptions.contains(where: { $0.embeddingNoise != nil }) else { return nil }
        return try experiment(0).measuredNoiseDeviations(memory: memory, interruption)
    }

    /// The mean activations of `--patch-with mean` on every device: means over all readable images of the data,
    /// computed on the first device.
    private func activationMeans(hasMidpoints: Bool, _ interruption: Interruption) throws -> [ActivationMeans?] {
        var sites = ActivationMeans.sites(patches)
        if hasMidpoints, !sites.isEmpty { sites.insert(.embed) }
        if sites.isEmpty { return devices.map { _ in nil } }
        let first = experiment(0), context = devices[0].context
        let loader = try first.loader(.none)
        let means = try ActivationMeans.over(
            images: data.dataset.count, encoder: first.model.encoder, library: first.model.library, sites: sites,
            memory: memory
        ) { range in
            if interruption.isRequested { throw Interrupted() }
            try profiler?.take(context, device: 0)
            context.stage("means")
            return try loader.load(Array(range)).clean
        }
        return try [means] + devices.dropFirst().map { try means.copied(to: $0.context) }
    }
}
