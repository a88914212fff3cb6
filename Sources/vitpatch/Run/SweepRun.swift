import CLRuntime
import Foundation
import Images
import Patch
import Results
import Spec
import ViT

extension Keep {
    func keeps(clean: Wavefront.Pass, corrupted: Wavefront.Pass, label: Int) -> Bool {
        switch self {
        case .all: true
        case .cleanCorrect: clean.prediction == label
        case .flipped: clean.prediction == label && corrupted.prediction != label
        }
    }
}

/// Runs a sweep's waves into its store: images are made ready on other threads, a wave runs on the device, its
/// results are one transaction.
struct SweepRun {
    let model: Model
    let donor: Model?
    let data: LabelledData
    let corruptions: [Corruption]
    let keep: Keep
    let target: Target
    let seed: UInt64
    let samples: Int
    let patches: [Patch]
    let store: ResultsStore
    /// Every pass's logits go into the store too
    let keepLogits: Bool
    let plan: WavePlan
    let profiler: Profiler?

    struct Outcome {
        var interrupted = false
        var images = 0
        /// (row, stage, layer) evaluations done, and those that a full pass for every patch would have done
        var evaluations = 0, fullPassEvaluations = 0
        var seconds = 0.0
        var passes = 0
    }

    /// - Parameter images: per corruption, positions in the data's order without those that the store already has
    func run(images: [[Int]], interruption: Interruption) throws -> Outcome {
        try profiler?.begin(model.encoder.context)
        let means = try activationMeans()
        let runner = WaveRunner(
            encoder: model.encoder, donor: donor?.encoder, library: model.library, plan: plan, means: means,
            onFirstHalving: Waves.warn(planned: plan, of: model))
        var progress = Progress(total: images.map(\.count).reduce(0, +))
        defer { progress.finish() }
        var outcome = Outcome()
        for (index, corruption) in corruptions.enumerated() where !outcome.interrupted {
            try run(corruption, index, images: images[index], runner, interruption, &outcome, &progress)
        }
        outcome.seconds = progress.seconds
        return outcome
    }

    private func run(
        _ corruption: Corruption, _ index: Int, images: [Int], _ runner: WaveRunner, _ interruption: Interruption,
        _ outcome: inout Outcome, _ progress: inout Progress
    ) throws {
        if images.isEmpty { return }
        let loader = try waves.loader(corruption, partners: patches.contains { $0.with == .resample })
        let ranges = plan.imageRanges(count: images.count)
        let prepared = Prefetcher(count: ranges.count) { try loader.load(Array(images[ranges[$0]])) }
        var waiting = PreparedImages()  // kept images that do not fill a wave yet
        while let wave = try prepared.take() {
            if interruption.isRequested {
                outcome.interrupted = true
                return
            }
            if keep == .all {
                try runWave(wave, corruption, index, runner, &outcome, &progress)
            } else {
                try filter(wave, corruption, index, runner, into: &waiting, &outcome, &progress)
                while waiting.indices.count >= plan.shape.images {
                    try runWave(waiting.take(plan.shape.images), corruption, index, runner, &outcome, &progress)
                }
            }
        }
        if !waiting.indices.isEmpty { try runWave(waiting, corruption, index, runner, &outcome, &progress) }
    }

    private var waves: Waves {
        Waves(
            model: model, donor: donor, data: data, target: target, seed: seed, samples: samples, profiler: profiler)
    }

    /// What `--patch-with mean` puts in: means over all of the data.
    private func activationMeans() throws -> ActivationMeans? {
        guard patches.contains(where: { $0.with == .mean }) else { return nil }
        let sites = Set(patches.flatMap { $0.parts.map(\.site) })
        let loader = try waves.loader(.none), context = model.encoder.context
        return try ActivationMeans.over(
            images: data.dataset.count, encoder: model.encoder, library: model.library, sites: sites
        ) { range in
            try profiler?.take(context)
            context.stage("means")
            return try loader.load(Array(range)).clean.flatMap { $0 }
        }
    }

    // MARK: Waves

    /// Every patch on these images, in as many waves as they need.
    private func runWave(
        _ images: PreparedImages, _ corruption: Corruption, _ index: Int, _ runner: WaveRunner,
        _ outcome: inout Outcome, _ progress: inout Progress
    ) throws {
        let count = images.indices.count
        try runner.run(images: count, patches: patches.indices) { wavefront, piece in
            let range = piece.patches, some = images[piece.images]
            let result = try waves.run(some, corruption, wavefront, patches: Array(patches[range]), keepLogits: keepLogits)
            var effects: [EffectRecord] = []
            effects.reserveCapacity(some.indices.count * range.count)
            for (position, image) in some.indices.enumerated() {
                for patch in range {
                    effects.append(
                        EffectRecord(
                            image: image, corruption: index, patch: patch,
                            patched: PassMetrics(result.patched[patch - range.lowerBound][position])))
                }
            }
            try append(
                images: records(some, index, result, kept: { _ in true }), effects: effects,
                logits: logits(some, index, result, patches: range) { _ in true })
            outcome.evaluations += result.evaluations
        }
        let draws = waves.draws(corruption)
        outcome.images += count
        outcome.fullPassEvaluations += draws * count * (2 + patches.count) * model.encoder.config.layers * 2
        outcome.passes += draws * count * (2 + patches.count)
        progress.advance(images: count, passes: draws * count * (2 + patches.count))
    }

    /// Clean and corrupted passes alone; keeps the images that count, and notes the others in the store.
    private func filter(
        _ images: PreparedImages, _ corruption: Corruption, _ index: Int, _ runner: WaveRunner,
        into waiting: inout PreparedImages, _ outcome: inout Outcome, _ progress: inout Progress
    ) throws {
        try runner.run(images: images.indices.count, patches: 0..<0) { wavefront, piece in
            let images = images[piece.images]
            let result = try waves.run(images, corruption, wavefront, patches: [], keepLogits: keepLogits)
            let kept = images.indices.indices.map {
                keep.keeps(clean: result.clean[$0], corrupted: result.corrupted[$0], label: data.label(images.indices[$0]))
            }
            let dropped = records(images, index, result, kept: { kept[$0] }).filter { !$0.kept }
            try append(
                images: dropped, effects: [], logits: logits(images, index, result, patches: 0..<0) { !kept[$0] })
            for i in images.indices.indices where kept[i] { waiting.append(images, i) }
            let passes = 2 * waves.draws(corruption) * images.indices.count
            outcome.images += dropped.count
            outcome.evaluations += result.evaluations
            outcome.fullPassEvaluations += passes * model.encoder.config.layers * 2
            outcome.passes += passes
            progress.advance(images: dropped.count, passes: passes)
        }
    }

    private func append(images: [ImageRecord], effects: [EffectRecord], logits: [LogitsRecord]) throws {
        try profiler.host(.store, "\(effects.count) effects") {
            try store.append(images: images, effects: effects, logits: logits)
        }
    }

    /// The logits of those images that `counts` names.
    private func logits(
        _ images: PreparedImages, _ corruption: Int, _ result: Wavefront.Output, patches: Range<Int>,
        counts: (Int) -> Bool
    ) -> [LogitsRecord] {
        guard keepLogits else { return [] }
        let classes = model.encoder.config.classes
        return images.indices.enumerated().filter { counts($0.offset) }.flatMap { i, image in
            func record(_ pass: LogitsRecord.Pass, _ patch: Int?, _ logits: [Float]) -> LogitsRecord {
                LogitsRecord(
                    image: image, corruption: corruption, pass: pass, patch: patch,
                    values: Array(logits[i * classes..<(i + 1) * classes]))
            }
            return [record(.clean, nil, result.cleanLogits), record(.corrupted, nil, result.corruptedLogits)]
                + zip(patches, result.patchedLogits).map { record(.patched, $0, $1) }
        }
    }

    private func records(
        _ images: PreparedImages, _ corruption: Int, _ result: Wavefront.Output, kept: (Int) -> Bool
    ) -> [ImageRecord] {
        images.indices.enumerated().map { i, index in
            ImageRecord(
                image: index, id: data.dataset.id(index), corruption: corruption, label: data.label(index),
                target: result.targets[i], foil: result.foils[i], clean: PassMetrics(result.clean[i]),
                corrupted: PassMetrics(result.corrupted[i]), kept: kept(i),
                pDonor: result.donor?[i].p)
        }
    }
}

extension PassMetrics {
    init(_ pass: Wavefront.Pass) {
        self.init(p: pass.p, logit: pass.logit, logitDiff: pass.logitDiff, kl: pass.kl, prediction: pass.prediction)
    }
}
