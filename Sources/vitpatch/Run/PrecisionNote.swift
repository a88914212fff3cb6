import CLRuntime
import Foundation
import Images
import Kernels
import Patch

/// The smallest effect that a low precision can resolve on a model: how far it moves probabilities from those of fp32.
struct PrecisionNote {
    let experiment: Experiment

    /// Runs some images in both precisions and prints one line.
    /// - Parameter fp32: the provider for fp32
    func print(images: [Int], fp32: GEMMChoice) throws {
        if images.isEmpty { return }
        let model = experiment.model, precision = model.encoder.gemm.precision
        let exact = Experiment(
            model: try Model(model.checkpoint, context: model.encoder.context, gemm: fp32),
            donor: nil, data: experiment.data, target: experiment.target, seed: experiment.seed, samples: 1,
            isSingle: true)
        let wanted = try probabilities(images, exact), got = try probabilities(images, experiment)
        let most = zip(wanted, got).map { abs($0 - $1) }.max() ?? 0
        Terminal.note(
            "--precision \(precision.rawValue) moves probabilities of this model by up to "
                + String(format: "%.1e", most)
                + " (\(images.count) clean images against fp32): smaller effects cannot be resolved.")
    }

    private func probabilities(_ images: [Int], _ experiment: Experiment) throws -> [Float] {
        let plan = try WavePlan(encoder: experiment.model.encoder, patches: [], images: images.count, memory: nil)
        let runner = WaveRunner(encoder: experiment.model.encoder, library: experiment.model.library, plan: plan)
        var values: [Float] = []
        let batch = try experiment.loader(.none).load(images)
        try experiment.run(batch, .none, on: runner, patches: []) { _, _, result in values += result.clean.map(\.p) }
        return values
    }
}
