import Patch
import Results
import Synchronization

/// Writes a sweep's waves, one transaction each. A new store is made with the first of them, so a sweep that fails
/// before its first results, at an unreadable image, say, leaves the folder as it was. Shared by threads.
final class SweepStore: Sendable {
    enum Start: Sendable {
        case new(NewStore)
        case resumed(ResultsStore)
    }

    private let start: Mutex<Start>
    private let data: LabelledData
    private let classes: Int
    /// Whether every pass's logits are stored
    let keepLogits: Bool
    private let profiler: Profiler?
    private let writer = StoreWriter()

    init(_ start: Start, data: LabelledData, classes: Int, keepLogits: Bool, profiler: Profiler?) {
        self.start = Mutex(start)
        (self.data, self.classes, self.keepLogits, self.profiler) = (data, classes, keepLogits, profiler)
    }

    /// nil if the store is not made yet
    var existing: ResultsStore? {
        start.withLock { if case .resumed(let store) = $0 { store } else { nil } }
    }

    /// The store, made if it does not exist.
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

    /// Writes a wave of kept images with some of the sweep's patches, given by index.
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

    /// Writes the images that `--keep` leaves out of a wave of clean and corrupted passes.
    func append(
        droppedOf images: ImageBatch, corruption: Int, _ result: WaveResult, isKept: [Bool]
    ) throws {
        let dropped = isKept.indices.filter { !isKept[$0] }
        let records = records(images, corruption, result, kept: false),
            logits = logits(images, corruption, result, patches: [])
        try write(dropped.map { records[$0] }, [], keepLogits ? dropped.flatMap { logits[2 * $0..<2 * $0 + 2] } : [])
    }

    /// Writes a batch of images with the estimates of all patches.
    /// - Parameters:
    ///   - isKept: whether `--keep` keeps each image; the others have no estimates
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

    /// One record per image
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

    /// For each image its clean, corrupted and patched passes; empty if logits are not kept
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
