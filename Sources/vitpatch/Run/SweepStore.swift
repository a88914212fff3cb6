import Patch
import Results
import Synchronization

/// Writes a sweep's waves, one transaction each. A new store is made with the first of them: what keeps a sweep from
/// its first results, an image that cannot be read for one, leaves the folder as it was. Shared by threads.
final class SweepStore: Sendable {
    enum Start: Sendable {
        case new(NewStore)
        case resumed(ResultsStore)
    }

    private let start: Mutex<Start>
    private let data: LabelledData
    private let classes: Int
    /// Every pass's logits go into the store too
    let keepLogits: Bool
    private let profiler: Profiler?
    private let writer = StoreWriter()

    init(_ start: Start, data: LabelledData, classes: Int, keepLogits: Bool, profiler: Profiler?) {
        self.start = Mutex(start)
        (self.data, self.classes, self.keepLogits, self.profiler) = (data, classes, keepLogits, profiler)
    }

    /// nil where it is yet to be made
    var existing: ResultsStore? {
        start.withLock { if case .resumed(let store) = $0 { store } else { nil } }
    }

    /// The store, which is made if need be.
    func open() throws -> ResultsStore {
        try start.withLock { start in
            switch start {
            case .resumed(let store): return store
            case .new(let new):
                let store = try new.make()
                start = .resumed(store)
                return store
            }
        }
    }

    /// A wave of images that count, with some of the sweep's patches, by their positions.
    func append(_ images: ImageBatch, corruption: Int, _ result: WaveResult, patches: ArraySlice<Int>) throws {
        var effects: [EffectRecord] = []
        effects.reserveCapacity(images.indices.count * patches.count)
        for (position, image) in images.indices.enumerated() {
            for (patched, patch) in zip(result.patched, patches) {
                effects.append(
                    EffectRecord(
                        image: image, corruption: corruption, patch: patch, patched: PassMetrics(patched[position])))
            }
        }
        try write(
            records(images, corruption, result, kept: true), effects,
            logits(images, corruption, result, patches: patches))
    }

    /// Images of a wave of clean and corrupted passes that `--keep` leaves out.
    func append(
        droppedOf images: ImageBatch, corruption: Int, _ result: WaveResult, isKept: [Bool]
    ) throws {
        let dropped = isKept.indices.filter { !isKept[$0] }
        let records = records(images, corruption, result, kept: false),
            logits = logits(images, corruption, result, patches: [])
        try write(dropped.map { records[$0] }, [], keepLogits ? dropped.flatMap { logits[2 * $0..<2 * $0 + 2] } : [])
    }

    /// A batch of images with the estimates of all patches.
    /// - Parameters:
    ///   - isKept: whether `--keep` lets each image count; one that does not has no estimates
    ///   - isExact: whether it gets exact passes
    func append(
        _ images: ImageBatch, corruption: Int, _ result: AttributionResult, names: [String], isKept: [Bool],
        isExact: [Bool]
    ) throws {
        var records = records(images, corruption, result.wave, kept: true), estimates: [EstimateRecord] = []
        for (position, image) in images.indices.enumerated() {
            (records[position].kept, records[position].exact) = (isKept[position], isExact[position])
            if !isKept[position] { continue }
            for (name, values) in zip(names, result.values) {
                estimates.append(
                    EstimateRecord(image: image, corruption: corruption, name: name, values: values[position]))
            }
        }
        try write(records, [], [], estimates: estimates)
    }

    private func write(
        _ images: [ImageRecord], _ effects: [EffectRecord], _ logits: [LogitsRecord],
        estimates: [EstimateRecord] = []
    ) throws {
        try writer.write { [self] in
            try profiler.host(.store, "\(images.count) images, \(effects.count) effects") {
                try open().append(images: images, effects: effects, estimates: estimates, logits: logits)
            }
        }
    }

    /// Waits until every wave is in the store.
    func finish() throws { try writer.finish() }

    /// One record an image
    private func records(
        _ images: ImageBatch, _ corruption: Int, _ result: WaveResult, kept: Bool
    ) -> [ImageRecord] {
        images.indices.enumerated().map { i, index in
            ImageRecord(
                image: index, id: data.dataset.id(index), corruption: corruption, label: data.label(index),
                target: result.targets[i], foil: result.foils[i], clean: PassMetrics(result.clean[i]),
                corrupted: PassMetrics(result.corrupted[i]), kept: kept, pDonor: result.donor?[i].p)
        }
    }

    /// Image after image its clean, corrupted and patched passes; none where they are not kept
    private func logits(
        _ images: ImageBatch, _ corruption: Int, _ result: WaveResult, patches: ArraySlice<Int>
    ) -> [LogitsRecord] {
        guard keepLogits else { return [] }
        return images.indices.enumerated().flatMap { i, image in
            func record(_ pass: LogitsRecord.Pass, _ patch: Int?, _ logits: [Float]) -> LogitsRecord {
                LogitsRecord(
                    image: image, corruption: corruption, pass: pass, patch: patch,
                    values: Array(logits[i * classes..<(i + 1) * classes]))
            }
            return [record(.clean, nil, result.cleanLogits), record(.corrupted, nil, result.corruptedLogits)]
                + zip(patches, result.patchedLogits).map { record(.patched, $0, $1) }
        }
    }
}

extension PassMetrics {
    init(_ pass: WaveResult.Pass) {
        self.init(
            p: pass.p, logit: pass.logit, logitDiff: pass.logitDiff, kl: pass.kl, prediction: pass.prediction,
            logOdds: pass.logOdds)
    }
}
