import CLRuntime
import Images
import Patch
import ViT

/// A sweep's estimates: of every patch on every image, before any exact pass.
struct EstimateRun {
    let sweep: SweepRun
    let estimates: Estimates
    /// Images that also get exact passes; nil: all
    let exactImages: Set<Int>?

    /// - Parameter images: per corruption, without those that the store already has
    /// - Throws: `CommandError` that names the device with too little memory
    func run(images: [[Int]], _ inputs: SweepRun.Inputs, _ interruption: Interruption) throws -> SweepTally.Outcome {
        let most = images.map(\.count).max() ?? 0
        // If all is estimated already, transposed weights would be made for nothing.
        if most == 0 { return SweepTally.Outcome() }
        let runners = try sweep.devices.enumerated().map { index, device in
            let model = device.model
            return try AttributionRunner(
                encoder: model.encoder, donor: device.donor?.encoder,
                backward: try Backward(
                    model.encoder, weights: model.checkpoint.weights, library: model.library),
                library: model.library, patches: sweep.patches, estimates: estimates,
                images: (most + sweep.devices.count - 1) / sweep.devices.count,
                memory: sweep.memory, means: inputs.means[index], file: sweep.file)
        }
        let perWave = runners.map(\.images).min() ?? 1
        return try sweep.work(images: images, perWave: perWave, inputs, interruption) { device, queue, tally in
            EstimateWorker(
                self, experiment: sweep.experiment(device, noiseDeviations: inputs.deviations), runner: runners[device],
                queue: queue, tally: tally)
        }
    }
}

/// Estimates on one device
final class EstimateWorker: DeviceWorker, @unchecked Sendable {
    private let estimation: EstimateRun
    let experiment: Experiment
    private let runner: AttributionRunner
    let queue: SweepQueue
    private let tally: SweepTally

    init(
        _ estimation: EstimateRun, experiment: Experiment, runner: AttributionRunner, queue: SweepQueue,
        tally: SweepTally
    ) {
        (self.estimation, self.experiment, self.runner) = (estimation, experiment, runner)
        (self.queue, self.tally) = (queue, tally)
    }

    func run(_ job: SweepQueue.Job) throws {
        try queue.checkGoingOn()
        let images = job.images, sweep = estimation.sweep, corruption = sweep.corruptions[images.corruption]
        let result = try experiment.estimate(images, corruption, on: runner)
        let isKept = images.indices.enumerated().map {
            sweep.keep.keeps(
                clean: result.wave.clean[$0], corrupted: result.wave.corrupted[$0], label: sweep.data.label($1))
        }
        try sweep.store.append(
            images, corruption: images.corruption, result, names: estimation.estimates.names, isKept: isKept,
            isExact: images.indices.map { estimation.exactImages?.contains($0) ?? true })
        tally.add(
            images: images.indices.count, passes: 2 * experiment.draws(corruption) * images.indices.count,
            evaluations: 0, layers: 0)
    }
}
