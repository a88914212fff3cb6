import CLRuntime
import Patch

/// One device of a sweep: takes waves from the queue until there are no more.
///
/// Everything on its device is this worker's alone, so it may work on any thread.
final class SweepWorker: @unchecked Sendable {
    private let sweep: SweepRun
    private let waves: Waves
    private let runner: WaveRunner
    private let queue: SweepQueue
    private let tally: SweepTally

    /// - Parameter device: position among the sweep's
    init(_ sweep: SweepRun, device: Int, means: ActivationMeans?, queue: SweepQueue, tally: SweepTally) {
        (self.sweep, self.queue, self.tally) = (sweep, queue, tally)
        waves = sweep.waves(device)
        runner = WaveRunner(
            encoder: waves.model.encoder, donor: waves.donor?.encoder, library: waves.model.library, plan: sweep.plan,
            means: means, onFirstHalving: Waves.warn(planned: sweep.plan, of: waves.model))
    }

    /// An error stops the queue, and with it the other devices after the wave they are at.
    func work() {
        do {
            while let job = try queue.next() {
                if job.isUnfiltered { try filter(job) } else { try run(job) }
            }
        } catch is Interrupted {
            // The queue knows.
        } catch let error as CLError {
            queue.stop(CommandError("\(waves.model.encoder.context.device.title): \(error)"))
        } catch {
            queue.stop(error)
        }
    }

    /// Every patch on these images, in as many waves as they need.
    private func run(_ job: SweepQueue.Job) throws {
        let corruption = sweep.corruptions[job.corruption], patches = sweep.patches
        try runner.run(images: job.images.indices.count, patches: patches.indices) { wavefront, piece in
            try queue.checkGoingOn()
            let images = job.images[piece.images], isFirst = piece.patches.lowerBound == 0
            let result = try waves.run(
                images, corruption, wavefront, patches: Array(patches[piece.patches]),
                keepLogits: sweep.store.keepLogits)
            try sweep.store.append(images, corruption: job.corruption, result, patches: piece.patches)
            add(
                result, images: piece.patches.upperBound == patches.count ? images.indices.count : 0,
                passes: waves.draws(corruption) * images.indices.count * (piece.patches.count + (isFirst ? 2 : 0)))
        }
    }

    /// Clean and corrupted passes alone: tells the queue which images count, and notes the others in the store.
    private func filter(_ job: SweepQueue.Job) throws {
        let corruption = sweep.corruptions[job.corruption]
        var kept = PreparedImages()
        try runner.run(images: job.images.indices.count, patches: 0..<0) { wavefront, piece in
            try queue.checkGoingOn()
            let images = job.images[piece.images]
            let result = try waves.run(images, corruption, wavefront, patches: [], keepLogits: sweep.store.keepLogits)
            let isKept = images.indices.enumerated().map {
                sweep.keep.keeps(clean: result.clean[$0], corrupted: result.corrupted[$0], label: sweep.data.label($1))
            }
            try sweep.store.append(droppedOf: images, corruption: job.corruption, result, isKept: isKept)
            for i in isKept.indices where isKept[i] { kept.append(images, i) }
            add(
                result, images: isKept.count { !$0 }, passes: 2 * waves.draws(corruption) * images.indices.count)
        }
        queue.filtered(job.corruption, kept: kept)
    }

    private func add(_ result: Wavefront.Output, images: Int, passes: Int) {
        tally.add(
            images: images, passes: passes, evaluations: result.evaluations, layers: waves.model.encoder.config.layers)
    }
}
