import CLRuntime
import Kernels
import ViT

/// Runs waves: clean, corrupted and patched passes of some images, all at the same layer at the same time.
///
/// Between the upload of the pixels and the read of the metrics, nothing leaves the device, except for a file's patterns
/// (`attend`).
package final class Wavefront {
    package let encoder: Encoder
    let donor: Encoder?
    let context: Context
    private let metrics: Metrics
    let workspace: Workspace
    let x: Buffer<Float>  // [rows, T, D]  the residual stream
    let o: Buffer<Float>  // [rows, T, D]  a stage's output
    private let logits: Buffer<Float>  // [rows, C]
    private let out: Buffer<Float>  // [rows, 6], [images, 2]
    let input: WaveUpload
    let capacity: WaveShape
    let means: ActivationMeans?
    let file: ActivationFile?
    /// The indices in the file of the current wave's images
    var filePositions: [Int] = []
    /// Schedule cache: full waves share one entry, smaller last waves another.
    static let mostSchedules = 2
    private var schedules: [ScheduleKey: (Schedule, Buffer<Int32>)] = [:]

    private struct ScheduleKey: Hashable {
        var patches: [Patch]
        var images: Int
        var sources: Schedule.Sources
        var keepsOutputs: Bool
    }

    /// Allocates for waves of at most `shape`.
    /// - Parameters:
    ///   - donor: the model that activations are taken from, with compatible sizes (`checkDonor`)
    ///   - means: activations that `PatchWith.mean` puts in
    ///   - file: activations that `PatchWith.file` puts in
    package init(
        encoder: Encoder, donor: Encoder? = nil, library: KernelLibrary, shape: WaveShape,
        means: ActivationMeans? = nil, file: ActivationFile? = nil
    ) throws(CLError) {
        self.encoder = encoder
        self.donor = donor
        self.means = means
        self.file = file
        context = encoder.context
        capacity = shape
        metrics = try Metrics(library)
        workspace = try Workspace(
            context, config: WaveShape.workspaceConfig(encoder.config, donor: donor?.config), shape: shape.workspace)
        let counts = shape.counts(encoder.config, donor: donor?.config)
        x = try Buffer(context, count: counts.stream)
        o = try Buffer(context, count: counts.stream)
        logits = try Buffer(context, count: counts.logits)
        out = try Buffer(context, count: counts.out)
        input = try WaveUpload(
            encoder: encoder, donor: donor, extras: shape.extras, hasMeans: means != nil, hasFile: file != nil,
            counts: (counts.input, counts.words))
    }

    /// Runs one wave.
    /// - Parameters:
    ///   - patches: at most as many as the shape's, with no needs beyond its `kept` and `extras`
    ///   - keepLogits: also read every pass's logits
    ///   - own: patch with the receiving pass's own activations: an identity, for tests
    /// - Throws: `CLError`, and `NonFinite` where a pass's logits are not finite
    package func run(
        _ wave: Wave, patches: [Patch], keepLogits: Bool = false, own: Bool = false
    ) throws -> WaveResult {
        let images = wave.labels.count
        let passes = try input.sourcePasses(wave, patches: patches)
        guard images <= capacity.images, patches.count <= capacity.patches else {
            throw CLError.shape(
                operation: "wave", expected: "at most \(capacity.images) images and \(capacity.patches) patches",
                got: "\(images) and \(patches.count)")
        }
        context.stage("upload")
        let sources = try input.sources(passes, patches: patches, own: own)
        let (schedule, lists) = try schedule(patches, images: images, sources: sources)
        let offsets = try input.upload(wave, passes)
        try embed(wave, passes, offsets)
        filePositions = wave.filePositions
        try walk(schedule, lists)

        context.stage("classifier")
        let classes = encoder.config.classes
        try encoder.logits(x: x, lists: lists, list: 0..<schedule.rows, out: logits, workspace: workspace)
        let donorBlock = input.donorBlock(passes)
        if let donorBlock, let donor {
            let rows = (donorBlock * images)..<((donorBlock + 1) * images)
            try donor.logits(
                x: x, lists: lists, list: rows, out: logits, offset: rows.lowerBound * classes, workspace: workspace)
        }
        context.stage("metrics")
        try metrics(
            logits: logits, classes: classes, rows: schedule.rows, images: images,
            foils: wave.foilRows, labels: input.words, out: out)
        let values = try out.read(0..<Metrics.count(rows: schedule.rows, images: images))
        let logitValues = keepLogits ? try logits.read(0..<(schedule.rows * classes)) : []
        let result = WaveResult(
            schedule, values, logits: logitValues, classes: classes, hasCorrupted: wave.corrupted != nil,
            donorBlock: donorBlock)
        if let image = result.firstNonFinite {
            try embed(wave, passes, offsets)
            throw NonFinite(image: image, place: try firstNonFinite(schedule, lists, image: image))
        }
        return result
    }

    func model(_ index: Int) -> Encoder { input.model(index) }

    /// Computes the encoder's input of every source pass.
    func embed(_ wave: Wave, _ passes: [WaveUpload.SourcePass], _ offsets: [Int]) throws(CLError) {
        try input.embed(wave, passes, offsets, x: x, workspace: workspace)
    }

    func schedule(
        _ patches: [Patch], images: Int, sources: Schedule.Sources, keepsOutputs: Bool = false
    ) throws(CLError) -> (Schedule, Buffer<Int32>) {
        let key = ScheduleKey(patches: patches, images: images, sources: sources, keepsOutputs: keepsOutputs)
        if let known = schedules[key] { return known }
        if schedules.count == Self.mostSchedules { schedules = [:] }
        let schedule = Schedule(
            patches: patches, images: images, shape: NetworkShape(encoder.config), sources: sources,
            workspace: capacity.workspace, keepsOutputs: keepsOutputs)
        let made = (schedule, try Buffer(context, schedule.lists.values))
        schedules[key] = made
        return made
    }
}

extension WaveResult.Pass {
    /// Each image's pass in a block of the values written by `metrics.cl`
    static func decode(_ values: [Float], block: Int, images: Int) -> [Self] {
        (0..<images).map { image in
            let at = (block * images + image) * Metrics.valuesPerRow
            return Self(
                p: values[at], logit: values[at + 1], logitDiff: values[at + 2], kl: values[at + 3],
                prediction: Int(values[at + 4]), logOdds: values[at + 5])
        }
    }
}

extension WaveResult {
    /// Decodes the values of `metrics.cl` for passes without patches.
    init(metrics values: [Float], rows: Int, images: Int, corruptedBlock: Int, donorBlock: Int?) {
        func passes(_ block: Int) -> [Pass] { Pass.decode(values, block: block, images: images) }
        let targets = rows * Metrics.valuesPerRow
        self.init(
            clean: passes(0), corrupted: passes(corruptedBlock), donor: donorBlock.map(passes), patched: [],
            targets: (0..<images).map { Int(values[targets + 2 * $0]) },
            foils: (0..<images).map { Int(values[targets + 2 * $0 + 1]) })
    }

    /// Decodes the values of `metrics.cl`.
    fileprivate init(
        _ schedule: Schedule, _ values: [Float], logits: [Float], classes: Int, hasCorrupted: Bool, donorBlock: Int?
    ) {
        let images = schedule.images
        func passes(block: Int) -> [Pass] { Pass.decode(values, block: block, images: images) }
        func blockLogits(_ block: Int) -> [Float] {
            logits.isEmpty ? [] : Array(logits[(block * images * classes)..<((block + 1) * images * classes)])
        }
        let corrupted = hasCorrupted ? 1 : 0
        self.init(
            metrics: values, rows: schedule.rows, images: images, corruptedBlock: corrupted, donorBlock: donorBlock)
        patched = schedule.blocks.map { passes(block: $0) }
        (cleanLogits, corruptedLogits) = (blockLogits(0), blockLogits(corrupted))
        patchedLogits = logits.isEmpty ? [] : schedule.blocks.map { blockLogits($0) }
        evaluations = schedule.evaluations
    }

    /// The first image with a pass that is not finite.
    var firstNonFinite: Int? {
        clean.indices.first { image in
            !(clean[image].isFinite && corrupted[image].isFinite && (donor?[image].isFinite ?? true)
                && patched.allSatisfy { $0[image].isFinite })
        }
    }
}
