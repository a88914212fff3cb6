import CLRuntime
import Patch
import Spec

/// The work of one device of a sweep.
///
/// No other worker uses its device, so it may work on any thread.
protocol DeviceWorker: AnyObject, Sendable {
    var experiment: Experiment { get }
    var queue: SweepQueue { get }
    func run(_ job: SweepQueue.Job) throws
}

extension DeviceWorker {
    /// Takes jobs until there are no more. An error stops the queue, and the other devices after their current wave.
    func work() {
        do {
            while let job = try queue.next() { try run(job) }
        } catch is Interrupted {
            // The queue has noted the interruption.
        } catch let error as CLError {
            queue.stop(CommandError("\(experiment.model.encoder.context.device.title): \(error)"))
        } catch {
            queue.stop(error)
        }
    }
}

/// Exact passes on one device
final class SweepWorker: DeviceWorker, @unchecked Sendable {
    private let sweep: SweepRun
    let experiment: Experiment
    private let runner: WaveRunner
    let queue: SweepQueue
    private let tally: SweepTally

    /// Indices of the sweep's patches
    private let chosen: [Int]
    private let patches: [Patch]
    private let keep: Keep

    /// - Parameters:
    ///   - device: index among the sweep's
    ///   - chosen: indices of the sweep's patches
    init(
        _ sweep: SweepRun, device: Int, chosen: [Int], plan: WavePlan, keep: Keep, inputs: SweepRun.Inputs,
        queue: SweepQueue, tally: SweepTally
    ) {
        (self.sweep, self.chosen, self.keep, self.queue, self.tally) = (sweep, chosen, keep, queue, tally)
        patches = chosen.map { sweep.patches[$0] }
        experiment = sweep.experiment(device, noiseDeviations: inputs.deviations)
        runner = WaveRunner(
            encoder: experiment.model.encoder, donor: experiment.donor?.encoder, library: experiment.model.library,
            plan: plan, means: inputs.means[device], file: sweep.file,
            onFirstHalving: Experiment.warn(planned: plan, of: experiment.model))
    }

    func run(_ job: SweepQueue.Job) throws {
        if job.isUnfiltered { try filter(job) } else { try patch(job) }
    }

    /// Runs every patch on these images, in as many waves as they need.
    private func patch(_ job: SweepQueue.Job) throws {
        let corruption = sweep.corruptions[job.images.corruption]
        try experiment.run(
            job.images, corruption, on: runner, patches: patches, keepLogits: sweep.store.keepLogits,
            check: queue.checkGoingOn
        ) { piece, images, result in
            try sweep.store.append(
                images, corruption: images.corruption, result, patches: chosen[piece.patches])
            let isFirst = piece.patches.lowerBound == 0
            add(
                result, images: piece.patches.upperBound == patches.count ? images.indices.count : 0,
                passes: experiment.draws(corruption) * images.indices.count
                    * (piece.patches.count + (isFirst ? 2 : 0)))
        }
    }

    /// Runs only clean and corrupted passes: hands the kept images to the queue, and writes the others to the store.
    private func filter(_ job: SweepQueue.Job) throws {
        let corruption = sweep.corruptions[job.images.corruption]
        var kept = ImageBatch(corruption: job.images.corruption)
        try experiment.run(
            job.images, corruption, on: runner, patches: [], keepLogits: sweep.store.keepLogits,
            check: queue.checkGoingOn
        ) { _, images, result in
            let isKept = images.indices.enumerated().map {
                keep.keeps(clean: result.clean[$0], corrupted: result.corrupted[$0], label: sweep.data.label($1))
            }
            try sweep.store.append(droppedOf: images, corruption: images.corruption, result, isKept: isKept)
            for i in isKept.indices where isKept[i] { kept.append(images, i) }
            add(
                result, images: isKept.count { !$0 },
                passes: 2 * experiment.draws(corruption) * images.indices.count)
        }
        queue.filtered(kept: kept)
    }

    private func add(_ result: WaveResult, images: Int, passes: Int) {
        tally.add(
            images: images, passes: passes, evaluations: result.evaluations,
            layers: experiment.model.encoder.config.layers)
    }
}
