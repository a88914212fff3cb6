import CLRuntime
import Patch
import Results
import Spec

/// A sweep whose models are on its devices.
struct LoadedSweep {
    let setup: SweepSetup
    let contexts: [Context]
    let devices: [SweepModels]
    let profiler: Profiler?
    /// The limit of `--memory`
    let memory: Int?
    let interruption: Interruption

    var model: Model { devices[0].model }
    var donor: Model? { devices[0].donor }

    /// Waves with the same number of images for every device, then for every wave.
    func plan(_ patches: [Patch], images: Int) throws -> WavePlan {
        let means = ActivationMeans.bytes(setup.places, config: setup.checkpoint.config)
        func planned(images: Int) throws -> WavePlan {
            try WavePlan(
                encoder: model.encoder, donor: donor?.encoder, patches: patches, images: images,
                memory: memory.map { $0 - means })
        }
        func share(_ count: Int, among parts: Int) -> Int { (count + parts - 1) / parts }
        let most = share(images, among: devices.count)
        return try planned(images: share(most, among: share(most, among: planned(images: most).shape.images)))
    }

    /// - Parameter isRanking: whether it only ranks places, which leaves no trace in the profile and the counts
    func run(_ items: [SweepSpec.Item], into store: SweepStore, isRanking: Bool = false) -> SweepRun {
        let settings = setup.settings, skipped = setup.skipped
        return SweepRun(
            devices: devices, data: setup.data, corruptions: setup.corruptions, keep: settings.keep,
            target: setup.target, foil: setup.foil, partner: settings.partner,
            noiseDeviation: settings.noiseDeviation, seed: settings.seed, samples: settings.samples,
            patches: items.map(\.patch), file: setup.file, store: store, memory: memory,
            profiler: isRanking ? nil : profiler,
            skipped: isRanking ? skipped.map { _ in SkippedImages() } : skipped)
    }

    func store(_ start: SweepStore.Start, keepLogits: Bool, profiler: Profiler?) -> SweepStore {
        SweepStore(
            start, data: setup.data, classes: setup.checkpoint.config.classes, keepLogits: keepLogits,
            profiler: profiler)
    }
}

extension Sweep {
    /// Opens the devices and puts the models on them.
    func load(_ setup: SweepSetup) throws -> LoadedSweep {
        let settings = setup.settings
        let contexts = try running.device.contexts(profiling: profile.profile != nil)
        running.device.noteFasterPrecision(on: contexts[0].device)
        let inputs = [
            settings.model, settings.classes, settings.donor, settings.data, settings.patchFile, self.groups, self.spec,
        ].compactMap { $0 }
        let profiler = try profile.profiler(
            contexts.map(\.device), keeping: inputs + ResultsStore.files(in: setup.folder))
        let gemm = try running.device.gemm(for: contexts[0].device)
        let devices = try contexts.map { context in
            SweepModels(
                model: try Model(setup.checkpoint, context: context, gemm: gemm, resize: settings.resize),
                donor: try setup.donorCheckpoint.map {
                    try Model($0, context: context, gemm: gemm, resize: settings.resize)
                })
        }
        let model = devices[0].model
        if !model.encoder.gemm.precision.isExact {
            try PrecisionNote(
                experiment: Experiment(
                    model: model, donor: nil, data: setup.data, target: setup.target, seed: settings.seed, samples: 1,
                    isSingle: true)
            ).print(images: Array(setup.images.prefix(8)), fp32: running.device.fp32(for: contexts[0].device))
        }
        return LoadedSweep(
            setup: setup, contexts: contexts, devices: devices, profiler: profiler,
            memory: try running.memoryBytes(), interruption: Interruption())
    }
}
