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

/// Runs a sweep's waves into its store: images are made ready on other threads, every device takes the next wave when
/// it has done one, and a wave's results are one transaction.
struct SweepRun {
    /// Of one kind, so that no result depends on which of them computed it
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
    let patches: [Patch]
    /// What `--patch-with file:` puts in
    let file: ActivationFile?
    let store: SweepStore
    /// Of each device
    let plan: WavePlan
    let memory: Int?
    let profiler: Profiler?
    /// Takes images that cannot be read; nil: they are errors
    let skipped: SkippedImages?

    /// - Parameter images: per corruption, positions in the data's order without those that the store already has
    func run(images: [[Int]], interruption: Interruption) throws -> SweepTally.Outcome {
        try profiler?.begin(devices.map(\.context))
        let tally = SweepTally(images: images.map(\.count).reduce(0, +))
        let means: [ActivationMeans?], deviations: [Float]?
        do {
            means = try activationMeans(interruption)
            deviations = try noiseDeviations(interruption)
        } catch is Interrupted {
            return tally.finish(interrupted: true)
        }
        let first = experiment(0), partners = try partners()
        let sources = try corruptions.indices.filter { !images[$0].isEmpty }.map { index in
            ImageFeed.Source(
                images: images[index], loader: try first.loader(corruptions[index], partners: partners),
                corruption: index)
        }
        let queue = SweepQueue(
            ImageFeed(sources, perBatch: plan.shape.images), corruptions: corruptions.count,
            perWave: plan.shape.images, isFiltered: keep != .all, devices: devices.count, interruption: interruption)
        let workers = zip(devices.indices, means).map {
            SweepWorker(self, device: $0, means: $1, noiseDeviations: deviations, queue: queue, tally: tally)
        }
        Self.work(workers)
        // What an earlier error left to write is written all the same.
        let written = Result { try store.finish() }
        if let error = queue.error { throw error }
        try written.get()
        let outcome = tally.finish(interrupted: queue.isInterrupted)
        return outcome
    }

    /// Runs every worker on a thread of its own, the first on this one.
    private static func work(_ workers: [SweepWorker]) {
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

    /// Whom `--patch-with resample` takes; nil where no patch does.
    private func partners() throws -> Partners? {
        guard patches.contains(where: { $0.with == .resample }) else { return nil }
        return switch partner {
        case .any: Partners(count: data.dataset.count, seed: seed)
        case .otherClass: try data.partnersOfOtherClasses(seed: seed)
        }
    }

    /// Of the model's and the donor's patch projections over all of the data; nil where noise takes every image's own.
    private func noiseDeviations(_ interruption: Interruption) throws -> [Float]? {
        guard noiseDeviation == .data, corruptions.contains(where: { $0.embeddingNoise != nil }) else { return nil }
        return try experiment(0).measuredNoiseDeviations(memory: memory, interruption)
    }

    /// What `--patch-with mean` puts in, on every device: means over all of the data that can be read, found on the
    /// first.
    private func activationMeans(_ interruption: Interruption) throws -> [ActivationMeans?] {
        let sites = ActivationMeans.sites(patches)
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
