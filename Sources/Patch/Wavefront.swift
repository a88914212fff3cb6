import CLRuntime
import Kernels
import ViT

/// Runs waves: clean, corrupted and patched passes of some images, all at the same layer at the same time.
///
/// Between the upload of the pixels and the read of the metrics nothing leaves the device.
public final class Wavefront {
    public let encoder: Encoder
    private let context: Context
    private let metrics: Metrics
    private let workspace: Workspace
    private let x: Buffer<Float>  // [rows, T, D]  the residual stream
    private let o: Buffer<Float>  // [rows, T, D]  a stage's output
    private let logits: Buffer<Float>  // [rows, C]
    private let out: Buffer<Float>  // [rows, 5], [images, 2]
    private let input: Buffer<Float>  // [basePasses * images, channels, S, S], [images] labels
    private let capacity: WaveShape
    /// Schedules by what they are for: most waves of a sweep share one.
    private var schedules: [ScheduleKey: (Schedule, Buffer<Int32>)] = [:]

    private struct ScheduleKey: Hashable {
        var patches: [Patch]
        var images: Int
        var sources: Schedule.Sources
    }

    /// One wave's images on their way to the device.
    public struct Input: Sendable {
        /// [images, channels, S, S], normalised: clean, then (where there are corrupted passes) corrupted
        public var clean: [Float]
        public var corrupted: [Float]?
        /// Target class of each image; -1 for what the clean pass predicts
        public var labels: [Int]

        public init(clean: [Float], corrupted: [Float]?, labels: [Int]) {
            self.clean = clean
            self.corrupted = corrupted
            self.labels = labels
        }
    }

    /// One pass's metrics, by `metrics.cl`.
    public struct Pass: Sendable, Equatable {
        public var p: Float, logit: Float, logitDiff: Float, kl: Float
        public var prediction: Int
    }

    public struct Output: Sendable {
        public var clean: [Pass]  // [images]
        public var corrupted: [Pass]  // [images]; the clean ones where there are none
        public var patched: [[Pass]]  // [patches][images]
        public var targets: [Int], foils: [Int]  // [images]
        /// [rows, C] in row order, where asked for: clean, corrupted; then `patchedLogits`
        public var cleanLogits: [Float] = [], corruptedLogits: [Float] = []
        public var patchedLogits: [[Float]] = []  // [patches][images * C]
        /// (row, stage, layer) evaluations that the wave did
        public var evaluations = 0
    }

    /// Allocates for waves of at most `shape`.
    public init(encoder: Encoder, library: KernelLibrary, shape: WaveShape) throws(CLError) {
        self.encoder = encoder
        context = encoder.context
        capacity = shape
        metrics = try Metrics(library)
        workspace = try Workspace(context, config: encoder.config, shape: shape.workspace)
        let counts = shape.counts(encoder.config)
        x = try Buffer(context, count: counts.stream)
        o = try Buffer(context, count: counts.stream)
        logits = try Buffer(context, count: counts.logits)
        out = try Buffer(context, count: counts.out)
        input = try Buffer(context, count: counts.input)
    }

    /// Runs one wave.
    /// - Parameters:
    ///   - patches: at most the shape's
    ///   - keepLogits: read every pass's logits too
    ///   - own: patch with the receiving pass's own activations: an identity for tests
    public func run(
        _ wave: Input, patches: [Patch], keepLogits: Bool = false, own: Bool = false
    ) throws(CLError) -> Output {
        let config = encoder.config
        let images = wave.labels.count
        let imageValues = config.channels * config.imageSize * config.imageSize
        guard images <= capacity.images, patches.count <= capacity.patches, wave.clean.count == images * imageValues,
            wave.corrupted.map({ $0.count == images * imageValues }) ?? patches.isEmpty
        else {
            throw .shape(
                operation: "wave", expected: "at most \(capacity.images) images and \(capacity.patches) patches",
                got: "\(images) and \(patches.count), \(wave.clean.count) values")
        }
        let basePasses = wave.corrupted == nil ? 1 : 2
        // Restoring patches the corrupted pass (block 1) with the clean one (block 0); noising the other way round.
        let base = patches.map { $0.direction == .restore ? 1 : 0 }
        let sources = Schedule.Sources(
            models: [Int](repeating: 0, count: basePasses), base: base, source: own ? base : base.map { 1 - $0 })
        let (schedule, lists) = try schedule(patches, images: images, sources: sources)

        try input.write(wave.clean + (wave.corrupted ?? []) + wave.labels.map { Float($0) })
        context.stage("embed")
        try encoder.embed(pixels: input, images: images * basePasses, x: x, workspace: workspace)
        try advance(schedule, lists)

        let all = 0..<schedule.rows
        context.stage("classifier")
        try encoder.logits(x: x, lists: lists, list: all, out: logits, workspace: workspace)
        context.stage("metrics")
        try metrics(
            logits: logits, classes: config.classes, rows: schedule.rows, images: images,
            corrupted: (basePasses - 1) * images, input: input, labels: basePasses * images * imageValues, out: out)
        let values = try out.read(0..<Metrics.count(rows: schedule.rows, images: images))
        let logitValues = keepLogits ? try logits.read(0..<(schedule.rows * config.classes)) : []
        return output(schedule, values, logits: logitValues)
    }

    /// All layers, all rows.
    private func advance(_ schedule: Schedule, _ lists: Buffer<Int32>) throws(CLError) {
        for (index, layer) in schedule.layers.enumerated() {
            try step(layer.residPre, lists, "resid_pre \(index)")
            context.stage("attention \(index)")
            for chunk in layer.attention.chunks {
                try encoder.attention(layer: index, x: x, lists: lists, chunk: chunk, o: o, workspace: workspace)
            }
            try finish(layer.attention, lists, layer: index)
            try step(layer.residMid, lists, "resid_mid \(index)")
            context.stage("mlp \(index)")
            for chunk in layer.mlp.chunks {
                try encoder.mlp(layer: index, x: x, lists: lists, chunk: chunk, o: o, workspace: workspace)
            }
            try finish(layer.mlp, lists, layer: index)
            try step(layer.residPost, lists, "resid_post \(index)")
        }
    }

    private func step(
        _ step: Schedule.StreamStep, _ lists: Buffer<Int32>, _ stage: @autoclosure () -> String
    ) throws(CLError) {
        if step.copy.count == 0, step.slices.count == 0 { return }
        context.stage(stage())
        let copy = step.copy
        if copy.count > 0 { try encoder.copy(x: x, lists: lists, dst: copy.dst, src: copy.src, count: copy.count) }
        try encoder.swapStream(x: x, lists: lists, entries: step.slices)
    }

    /// Swaps a stage's outputs and adds them to the stream. Births read rows that the add in place changes, so they
    /// come first.
    private func finish(_ stage: Schedule.StageStep, _ lists: Buffer<Int32>, layer: Int) throws(CLError) {
        try encoder.swapOutput(layer: layer, o: o, lists: lists, entries: stage.outputCopies)
        try encoder.swapOutput(layer: layer, o: o, lists: lists, entries: stage.outputSlices)
        for add in [stage.births, stage.inPlace] where add.count > 0 {
            try encoder.add(
                layer: layer, x: x, o: o, lists: lists, dst: add.dst, base: add.base, src: add.src, count: add.count)
        }
    }

    private func schedule(
        _ patches: [Patch], images: Int, sources: Schedule.Sources
    ) throws(CLError) -> (Schedule, Buffer<Int32>) {
        let key = ScheduleKey(patches: patches, images: images, sources: sources)
        if let known = schedules[key] { return known }
        let schedule = Schedule(
            patches: patches, images: images, shape: NetworkShape(encoder.config), sources: sources,
            workspace: capacity.workspace)
        let made = (schedule, try Buffer(context, schedule.lists))
        schedules[key] = made
        return made
    }

    private func output(_ schedule: Schedule, _ values: [Float], logits: [Float]) -> Output {
        let images = schedule.images, width = Metrics.valuesPerRow, classes = encoder.config.classes
        func passes(block: Int) -> [Pass] {
            (0..<images).map { image in
                let at = (block * images + image) * width
                return Pass(
                    p: values[at], logit: values[at + 1], logitDiff: values[at + 2], kl: values[at + 3],
                    prediction: Int(values[at + 4]))
            }
        }
        func blockLogits(_ block: Int) -> [Float] {
            logits.isEmpty ? [] : Array(logits[(block * images * classes)..<((block + 1) * images * classes)])
        }
        let targets = schedule.rows * width
        let corrupted = min(schedule.sources.models.count - 1, 1)
        return Output(
            clean: passes(block: 0), corrupted: passes(block: corrupted),
            patched: schedule.blocks.map { passes(block: $0) },
            targets: (0..<images).map { Int(values[targets + 2 * $0]) },
            foils: (0..<images).map { Int(values[targets + 2 * $0 + 1]) },
            cleanLogits: blockLogits(0), corruptedLogits: blockLogits(corrupted),
            patchedLogits: logits.isEmpty ? [] : schedule.blocks.map { blockLogits($0) },
            evaluations: schedule.evaluations)
    }
}
