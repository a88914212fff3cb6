import CLRuntime
import Foundation
import Images
import Patch
import Results
import ViT

/// Which images of a sweep count.
enum Keep: String, CaseIterable {
    case all
    /// The clean pass is right
    case cleanCorrect = "clean-correct"
    /// The clean pass is right and the corrupted one wrong
    case flipped

    func keeps(clean: Wavefront.Pass, corrupted: Wavefront.Pass, label: Int) -> Bool {
        switch self {
        case .all: true
        case .cleanCorrect: clean.prediction == label
        case .flipped: clean.prediction == label && corrupted.prediction != label
        }
    }
}

/// The class whose probability is tracked.
enum Target: String, CaseIterable { case label, clean }

/// Runs a sweep's waves into its store: images are made ready on other threads, a wave runs on the device, its
/// results are one transaction.
struct SweepRun {
    let model: Model
    let data: LabelledData
    let corruption: Corruption
    let keep: Keep
    let target: Target
    let patches: [Patch]
    let store: ResultsStore
    let plan: WavePlan

    struct Outcome {
        var interrupted = false
        var images = 0, kept = 0
        /// (row, stage, layer) evaluations done, and those that a full pass for every patch would have done
        var evaluations = 0, fullPassEvaluations = 0
        var seconds = 0.0
        var passes = 0
    }

    /// - Parameter images: positions in the data's order, without those that the store already has
    func run(images: [Int], interruption: Interruption) throws -> Outcome {
        let wavefront = try Wavefront(encoder: model.encoder, library: model.library, shape: plan.shape)
        let loader = ImageLoader(dataset: data.dataset, preprocessor: model.preprocessor, corruption: corruption)
        let ranges = plan.imageRanges(count: images.count)
        let waves = Prefetcher(count: ranges.count) { try loader.load(Array(images[ranges[$0]])) }
        var progress = Progress(total: images.count)
        defer { progress.finish() }
        var outcome = Outcome()
        var waiting = PreparedImages(indices: [])  // kept images that do not fill a wave yet

        while let prepared = try waves.take() {
            if interruption.isRequested {
                outcome.interrupted = true
                break
            }
            if keep == .all {
                try runWave(prepared, wavefront, &outcome, &progress)
            } else {
                try filter(prepared, wavefront, into: &waiting, &outcome, &progress)
                while waiting.indices.count >= plan.shape.images {
                    try runWave(take(plan.shape.images, from: &waiting), wavefront, &outcome, &progress)
                }
            }
        }
        if !waiting.indices.isEmpty, !outcome.interrupted { try runWave(waiting, wavefront, &outcome, &progress) }
        outcome.seconds = progress.seconds
        return outcome
    }

    /// Every patch on these images, in as many waves as they need.
    private func runWave(
        _ images: PreparedImages, _ wavefront: Wavefront, _ outcome: inout Outcome, _ progress: inout Progress
    ) throws {
        let input = input(images)
        let count = images.indices.count
        for range in plan.patchRanges {
            let result = try wavefront.run(input, patches: Array(patches[range]))
            var effects: [EffectRecord] = []
            effects.reserveCapacity(count * range.count)
            for image in 0..<count {
                for patch in range {
                    effects.append(
                        EffectRecord(
                            image: images.indices[image], corruption: 0, patch: patch,
                            patched: PassMetrics(result.patched[patch - range.lowerBound][image])))
                }
            }
            try store.append(images: records(images, result, kept: { _ in true }), effects: effects)
            outcome.evaluations += result.evaluations
            outcome.passes += count * (2 + range.count)
        }
        outcome.images += count
        outcome.kept += count
        outcome.fullPassEvaluations += count * (2 + patches.count) * model.encoder.config.layers * 2
        progress.advance(images: count, passes: count * (2 + patches.count))
    }

    /// Clean and corrupted passes alone; keeps the images that count, and notes the others in the store.
    private func filter(
        _ images: PreparedImages, _ wavefront: Wavefront, into waiting: inout PreparedImages, _ outcome: inout Outcome,
        _ progress: inout Progress
    ) throws {
        let result = try wavefront.run(input(images), patches: [])
        let kept = images.indices.indices.map {
            keep.keeps(clean: result.clean[$0], corrupted: result.corrupted[$0], label: data.label(images.indices[$0]))
        }
        let dropped = records(images, result, kept: { kept[$0] }).filter { !$0.kept }
        try store.append(images: dropped, effects: [])
        let size = imageValues
        for (i, index) in images.indices.enumerated() where kept[i] {
            waiting.indices.append(index)
            waiting.clean += images.clean[(i * size)..<((i + 1) * size)]
            waiting.corrupted += images.corrupted[(i * size)..<((i + 1) * size)]
        }
        outcome.images += dropped.count
        outcome.evaluations += result.evaluations
        outcome.fullPassEvaluations += result.evaluations
        outcome.passes += 2 * images.indices.count
        progress.advance(images: dropped.count, passes: 2 * images.indices.count)
    }

    private var imageValues: Int {
        let config = model.encoder.config
        return config.channels * config.imageSize * config.imageSize
    }

    private func take(_ count: Int, from waiting: inout PreparedImages) -> PreparedImages {
        let size = imageValues * count
        let wave = PreparedImages(
            indices: Array(waiting.indices[..<count]), clean: Array(waiting.clean[..<size]),
            corrupted: Array(waiting.corrupted[..<size]))
        waiting.indices.removeFirst(count)
        waiting.clean.removeFirst(size)
        waiting.corrupted.removeFirst(size)
        return wave
    }

    private func input(_ images: PreparedImages) -> Wavefront.Input {
        Wavefront.Input(
            clean: images.clean, corrupted: images.corrupted,
            labels: images.indices.map { target == .label ? data.label($0) : -1 })
    }

    private func records(
        _ images: PreparedImages, _ result: Wavefront.Output, kept: (Int) -> Bool
    ) -> [ImageRecord] {
        images.indices.enumerated().map { i, index in
            ImageRecord(
                image: index, id: data.dataset.id(index), corruption: 0, label: data.label(index),
                target: result.targets[i], foil: result.foils[i], clean: PassMetrics(result.clean[i]),
                corrupted: PassMetrics(result.corrupted[i]), kept: kept(i))
        }
    }
}

extension PassMetrics {
    init(_ pass: Wavefront.Pass) {
        self.init(p: pass.p, logit: pass.logit, logitDiff: pass.logitDiff, kl: pass.kl, prediction: pass.prediction)
    }
}
