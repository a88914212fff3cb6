import Patch

extension Experiment {
    /// The standard deviation of the patch projections of all clean images of the data: of the model and, if there is
    /// one, the donor, each with its own preprocessing.
    /// - Throws: `Interrupted`, and the error of an unreadable image, unless `skipped` collects those
    func measuredNoiseDeviations(memory: Int?, _ interruption: Interruption) throws -> [Float] {
        try [model, donor].compactMap { $0 }.map { model in
            var single = Experiment(
                model: model, donor: nil, data: data, target: .clean, seed: seed, samples: 1, profiler: profiler,
                device: device)
            single.isSingle = true
            single.skipped = skipped
            let loader = try single.loader(.none), context = model.encoder.context
            return try ProjectionDeviation.over(
                images: data.dataset.count, encoder: model.encoder, library: model.library, memory: memory
            ) { range in
                if interruption.isRequested { throw Interrupted() }
                try profiler?.take(context, device: device)
                context.stage("deviation")
                return try loader.load(Array(range)).clean
            }
        }
    }
}
