import CLRuntime
import Images
import Patch
import ViT

/// A sweep's estimates: of every patch on every image, before any exact pass.
struct EstimateRun {
    let sweep: SweepRun
    let estimates: Estimates
    /// Images that get exact passes too; nil: all
    let exactImages: Set<Int>?

    /// - Parameter images: per corruption, without those that the store already has
    /// - Throws: `CommandError` that names the device where it lacks memory
    func run(images: [[Int]], _ found: SweepRun.Found, _ interruption: Interruption) throws -> SweepTally.Outcome {
        let most = (images.map(\.count).max() ?? 0 + sweep.devices.count - 1) / sweep.devices.count
        let runners = try sweep.devices.enumerated().map { index, device in
            let model = device.model
            return try AttributionRunner(
                encoder: model.encoder, donor: device.donor?.encoder,
                backward: try Backward(
                    model.encoder, weights: model.checkpoint.weights, library: model.library),
                library: model.library, patches: sweep.patches, estimates: estimates, images: max(most, 1),
                memory: sweep.memory, means: found.means[index], file: sweep.file)
        }
        let perWave = runners.map(\.images).min() ?? 1
        return try sweep.work(images: images, perWave: perWave, found, interruption) { device, queue, tally in
            EstimateWorker(
                self, experiment: sweep.experiment(device, noiseDeviations: found.deviations), runner: runners[device],
                queue: queue, tally: tally)
        }
    }
}

/// Estimates on one device.
///
/// Everything on its device is this worker's alone, so it may work on any thread.
final class EstimateWorker: DeviceWorker, @unchecked Sendable {
    private let run: EstimateRun
    private let experiment: Experiment
    private let runner: AttributionRunner
    private let queue: SweepQueue
    private let tally: SweepTally

    init(
        _ run: EstimateRun, experiment: Experiment, runner: AttributionRunner, queue: SweepQueue, tally: SweepTally
    ) {
        (self.run, self.experiment, self.runner) = (run, experiment, runner)
        (self.queue, self.tally) = (queue, tally)
    }

    /// An error stops the queue, and with it the other devices after the wave they are at.
    func work() {
        do {
            while let job = try queue.next() {
                try queue.checkGoingOn()
                try estimate(job.images)
            }
        } catch is Interrupted {
            // The queue knows.
        } catch let error as CLError {
            queue.stop(CommandError("\(experiment.model.encoder.context.device.title): \(error)"))
        } catch {
            queue.stop(error)
        }
    }

    private func estimate(_ images: ImageBatch) throws {
        let sweep = run.sweep, corruption = sweep.corruptions[images.corruption]
        let result = try experiment.estimate(images, corruption, on: runner)
        let isKept = images.indices.enumerated().map {
            sweep.keep.keeps(
                clean: result.wave.clean[$0], corrupted: result.wave.corrupted[$0], label: sweep.data.label($1))
        }
        try sweep.store.append(
            images, corruption: images.corruption, result, names: run.estimates.names, isKept: isKept,
            isExact: images.indices.map { run.exactImages?.contains($0) ?? true })
        tally.add(
            images: images.indices.count, passes: 2 * experiment.draws(corruption) * images.indices.count,
            evaluations: 0, layers: 0)
    }
}
