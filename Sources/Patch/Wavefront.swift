import CLRuntime
import Kernels
import ViT

/// Runs waves: clean, corrupted and patched passes of some images, all at the same layer at the same time.
///
/// Between the upload of the pixels and the read of the metrics nothing leaves the device.
package final class Wavefront {
    package let encoder: Encoder
    private let donor: Encoder?
    private let context: Context
    private let metrics: Metrics
    private let workspace: Workspace
    private let x: Buffer<Float>  // [rows, T, D]  the residual stream
    private let o: Buffer<Float>  // [rows, T, D]  a stage's output
    private let logits: Buffer<Float>  // [rows, C]
    private let out: Buffer<Float>  // [rows, 5], [images, 2]
    private let input: Buffer<Float>  // pixels of every base pass, [images] labels, [images, 4] noise keys
    private let capacity: WaveShape
    private let means: ActivationMeans?
    /// Schedules by what they are for: most waves of a sweep share one, and the last ones another.
    static let mostSchedules = 2
    private var schedules: [ScheduleKey: (Schedule, Buffer<Int32>)] = [:]

    private struct ScheduleKey: Hashable {
        var patches: [Patch]
        var images: Int
        var sources: Schedule.Sources
        var keepsOutputs: Bool
    }

    /// One wave's images on their way to the device.
    package struct Input: Sendable {
        /// [images, channels, S, S], normalised: the clean images, and (where there are corrupted passes) the corrupted
        package var clean: [Float]
        package var corrupted: [Float]?
        /// The same images as the donor reads them
        package var donorClean: [Float]?, donorCorrupted: [Float]?
        /// Another clean image for each, for `PatchWith.resample`
        package var partner: [Float]?
        /// Noise on the corrupted passes' patch embeddings: standard deviations, and four words for each image's generator
        package var noise: (strength: Float, keys: [(UInt32, UInt32, UInt32, UInt32)])?
        /// Target class of each image; -1 for what the clean pass predicts
        package var labels: [Int]

        package init(clean: [Float], corrupted: [Float]?, labels: [Int]) {
            self.clean = clean
            self.corrupted = corrupted
            self.labels = labels
        }

        var isNoisy: Bool { noise != nil }
    }

    /// One pass's metrics, by `metrics.cl`.
    package struct Pass: Sendable, Equatable {
        package var p: Float, logit: Float, logitDiff: Float, kl: Float
        package var prediction: Int
    }

    package struct Output: Sendable {
        package var clean: [Pass]  // [images]
        package var corrupted: [Pass]  // [images]; the clean ones where there are none
        /// The donor's passes (the clean ones if it has any), where it has the model's classes, by name and in their order
        package var donor: [Pass]?  // [images]
        package var patched: [[Pass]]  // [patches][images]
        package var targets: [Int], foils: [Int]  // [images]
        /// [images, C], where asked for
        package var cleanLogits: [Float] = [], corruptedLogits: [Float] = []
        package var patchedLogits: [[Float]] = []  // [patches][images * C]
        /// (row, stage, layer) evaluations that the wave did
        package var evaluations = 0
    }

    /// Allocates for waves of at most `shape`.
    /// - Parameters:
    ///   - donor: the model that activations are taken from, of the same sizes (`checkDonor`)
    ///   - means: what `PatchWith.mean` puts in
    package init(
        encoder: Encoder, donor: Encoder? = nil, library: KernelLibrary, shape: WaveShape, means: ActivationMeans? = nil
    ) throws(CLError) {
        self.encoder = encoder
        self.donor = donor
        self.means = means
        context = encoder.context
        capacity = shape
        metrics = try Metrics(library)
        workspace = try Workspace(context, config: shape.workspaceConfig(encoder, donor), shape: shape.workspace)
        let counts = shape.counts(encoder.config, donor: donor?.config)
        x = try Buffer(context, count: counts.stream)
        o = try Buffer(context, count: counts.stream)
        logits = try Buffer(context, count: counts.logits)
        out = try Buffer(context, count: counts.out)
        input = try Buffer(context, count: counts.input)
    }

    /// Runs one wave.
    /// - Parameters:
    ///   - patches: at most the shape's, and asking for no more than it has
    ///   - keepLogits: read every pass's logits too
    ///   - own: patch with the receiving pass's own activations: an identity for tests
    package func run(
        _ wave: Input, patches: [Patch], keepLogits: Bool = false, own: Bool = false
    ) throws(CLError) -> Output {
        let images = wave.labels.count
        let passes = try basePasses(wave, patches: patches)
        guard images <= capacity.images, patches.count <= capacity.patches else {
            throw .shape(
                operation: "wave", expected: "at most \(capacity.images) images and \(capacity.patches) patches",
                got: "\(images) and \(patches.count)")
        }
        context.stage("upload")
        let sources = try sources(passes, patches: patches, own: own)
        let (schedule, lists) = try schedule(patches, images: images, sources: sources)

        // One upload: pixels, labels, the noise generator's words.
        var values: [Float] = []
        var offsets: [Int] = []
        for pass in passes {
            offsets.append(values.count)
            values += pass.pixels
        }
        let labels = values.count
        values += wave.labels.map { Float($0) }
        let keys = values.count
        for word in wave.noise?.keys ?? [] { values += [word.0, word.1, word.2, word.3].map { Float(bitPattern: $0) } }
        try input.write(values)

        context.stage("embed")
        for (block, pass) in passes.enumerated() {
            let noise = pass.noisy ? wave.noise.map { Encoder.EmbeddingNoise(strength: $0.strength, keys: keys) } : nil
            try model(pass.model).embed(
                pixels: input, offset: offsets[block], images: images, x: x, row: block * images, noise: noise,
                workspace: workspace)
        }
        try advance(schedule, lists)

        context.stage("classifier")
        let classes = encoder.config.classes
        try encoder.logits(x: x, lists: lists, list: 0..<schedule.rows, out: logits, workspace: workspace)
        let donorBlock = passes.firstIndex { $0.model == 1 }
        if let donorBlock, let donor, donor.config.hasClasses(of: encoder.config) {
            let rows = (donorBlock * images)..<((donorBlock + 1) * images)
            try donor.logits(
                x: x, lists: lists, list: rows, out: logits, offset: rows.lowerBound * classes, workspace: workspace)
        }
        context.stage("metrics")
        try metrics(
            logits: logits, classes: classes, rows: schedule.rows, images: images,
            corrupted: wave.corrupted == nil ? 0 : images, input: input, labels: labels, out: out)
        let result = try out.read(0..<Metrics.count(rows: schedule.rows, images: images))
        let logitValues = keepLogits ? try logits.read(0..<(schedule.rows * classes)) : []
        return output(
            schedule, result, logits: logitValues, hasCorrupted: wave.corrupted != nil, donorBlock: donorBlock)
    }

    // MARK: Where activations come from

    private struct BasePass {
        enum Kind { case clean, corrupted, donorClean, donorCorrupted, partner }
        var kind: Kind
        var model = 0
        var pixels: [Float]
        var noisy = false
    }

    private func model(_ index: Int) -> Encoder { index == 1 ? donor ?? encoder : encoder }

    /// The passes that are computed from pixels, in the order of their blocks.
    private func basePasses(_ wave: Input, patches: [Patch]) throws(CLError) -> [BasePass] {
        var passes = [BasePass(kind: .clean, pixels: wave.clean)]
        if let corrupted = wave.corrupted {
            passes.append(BasePass(kind: .corrupted, pixels: corrupted, noisy: wave.isNoisy))
        }
        let extras = WaveShape.Extras(patches: patches, donor: donor != nil)
        if extras.contains(.donorClean) {
            passes.append(BasePass(kind: .donorClean, model: 1, pixels: wave.donorClean ?? []))
        }
        if extras.contains(.donorCorrupted) {
            passes.append(
                BasePass(kind: .donorCorrupted, model: 1, pixels: wave.donorCorrupted ?? [], noisy: wave.isNoisy))
        }
        if extras.contains(.partner) { passes.append(BasePass(kind: .partner, pixels: wave.partner ?? [])) }
        for pass in passes {
            let config = model(pass.model).config
            let expected = wave.labels.count * config.channels * config.imageSize * config.imageSize
            guard pass.pixels.count == expected else {
                throw .shape(
                    operation: "wave", expected: "\(expected) pixel values (\(pass.kind))", got: "\(pass.pixels.count)")
            }
        }
        if let noise = wave.noise, noise.keys.count != wave.labels.count {
            throw .shape(operation: "wave", expected: "\(wave.labels.count) noise keys", got: "\(noise.keys.count)")
        }
        guard capacity.extras.isSuperset(of: extras), wave.corrupted != nil || patches.isEmpty else {
            throw .shape(operation: "wave", expected: "a shape with what the patches ask for", got: "another")
        }
        for patch in patches where patch.with == .mean {
            guard means != nil, patch.parts.allSatisfy({ $0.site != .pattern }) else {
                throw .shape(operation: "wave", expected: "the mean at every patched site", got: "none")
            }
        }
        return passes
    }

    private func sources(
        _ passes: [BasePass], patches: [Patch], own: Bool
    ) throws(CLError) -> Schedule.Sources {
        // Restoring patches the corrupted pass with the clean one; noising the other way round.
        let base = patches.map { $0.direction == .restore ? 1 : 0 }
        func block(_ kind: BasePass.Kind) -> Int? { passes.firstIndex { $0.kind == kind } }
        let extras = WaveShape.Extras(patches: patches, donor: donor != nil)
        var source: [Int] = []
        for (patch, base) in zip(patches, base) {
            let found: Int? =
                switch patch.with {
                case _ where own: base
                case .clean where donor != nil: block(patch.direction == .restore ? .donorClean : .donorCorrupted)
                case .clean: 1 - base
                case .resample: block(.partner)
                case .zero: passes.count
                case .mean: passes.count + (extras.contains(.zeros) ? 1 : 0)
                }
            guard let found else { throw .shape(operation: "wave", expected: "the pass to patch from", got: "none") }
            source.append(found)
        }
        return Schedule.Sources(
            models: passes.map(\.model), given: extras.given, hasMeans: extras.contains(.means), base: base,
            source: source)
    }

    // MARK: The layers

    /// All layers, all rows.
    private func advance(_ schedule: Schedule, _ lists: Buffer<Int32>) throws(CLError) {
        let (images, sources) = (schedule.images, schedule.sources)
        let given = Given(
            rows: (sources.models.count * images)..<(sources.blocks * images),
            meanRows: ((sources.hasMeans ? sources.blocks - 1 : sources.blocks) * images)..<(sources.blocks * images))
        for (index, layer) in schedule.layers.enumerated() {
            try give(given, .residPre, index)
            try step(layer.residPre, lists, "resid_pre \(index)")
            context.stage("attention \(index)")
            try give(given, .attnOut, index)
            for chunk in layer.attention.chunks {
                try model(chunk.model).attention(
                    layer: index, x: x, lists: lists, chunk: chunk, o: o, workspace: workspace)
            }
            try finish(layer.attention, lists, layer: index)
            try give(given, .residMid, index)
            try step(layer.residMid, lists, "resid_mid \(index)")
            context.stage("mlp \(index)")
            try give(given, .mlpOut, index)
            for chunk in layer.mlp.chunks {
                try model(chunk.model).mlp(layer: index, x: x, lists: lists, chunk: chunk, o: o, workspace: workspace)
            }
            try finish(layer.mlp, lists, layer: index)
            try give(given, .residPost, index)
            try step(layer.residPost, lists, "resid_post \(index)")
        }
    }

    /// Rows whose activations are given: zeros, or means.
    private struct Given {
        var rows: Range<Int>
        /// Those of them that hold means
        var meanRows: Range<Int>
    }

    /// Puts zeros or means where a stage's swaps will look for them: `site` names the stage by its output.
    private func give(_ given: Given, _ site: Site, _ layer: Int) throws(CLError) {
        if given.rows.isEmpty { return }
        let config = encoder.config
        let tokens = encoder.tokens(after: layer), width = tokens * config.hiddenSize
        switch site {
        case .attnOut, .mlpOut:
            try o.fill(0, (given.rows.lowerBound * width)..<(given.rows.upperBound * width))
            if site == .attnOut {
                try workspace.zeroAttention(slots: given.rows, config: config, tokens: tokens)
            } else {
                try workspace.zeroHidden(slots: given.rows, config: config, tokens: tokens)
            }
        default:
            let stride = encoder.rowStride
            try x.fill(0, (given.rows.lowerBound * stride)..<(given.rows.upperBound * stride))
        }
        guard let means, !given.meanRows.isEmpty else { return }
        for (mean, place) in means.at(site, layer: layer) {
            try workspaceWrite(mean, place, rows: given.meanRows, tokens: tokens)
        }
    }

    private func workspaceWrite(
        _ mean: Buffer<Float>, _ site: Site, rows: Range<Int>, tokens: Int
    ) throws(CLError) {
        for row in rows {
            switch site {
            case .attnOut, .mlpOut: try o.copy(from: mean, 0..<mean.count, to: row * tokens * encoder.config.hiddenSize)
            case .embed, .residPre, .residMid, .residPost:
                try x.copy(from: mean, 0..<mean.count, to: row * encoder.rowStride)
            case .z, .q, .k, .v, .mlpAct, .pattern:
                try workspace.give(mean, site.workspaceSite, slot: row, config: encoder.config, tokens: tokens)
            }
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
        _ patches: [Patch], images: Int, sources: Schedule.Sources, keepsOutputs: Bool = false
    ) throws(CLError) -> (Schedule, Buffer<Int32>) {
        let key = ScheduleKey(patches: patches, images: images, sources: sources, keepsOutputs: keepsOutputs)
        if let known = schedules[key] { return known }
        if schedules.count == Self.mostSchedules { schedules = [:] }
        let schedule = Schedule(
            patches: patches, images: images, shape: NetworkShape(encoder.config), sources: sources,
            workspace: capacity.workspace, keepsOutputs: keepsOutputs)
        let made = (schedule, try Buffer(context, schedule.lists))
        schedules[key] = made
        return made
    }

    private func output(
        _ schedule: Schedule, _ values: [Float], logits: [Float], hasCorrupted: Bool, donorBlock: Int?
    ) -> Output {
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
        let corrupted = hasCorrupted ? 1 : 0
        return Output(
            clean: passes(block: 0), corrupted: passes(block: corrupted),
            donor: donorBlock.flatMap { donor?.config.hasClasses(of: encoder.config) == true ? passes(block: $0) : nil },
            patched: schedule.blocks.map { passes(block: $0) },
            targets: (0..<images).map { Int(values[targets + 2 * $0]) },
            foils: (0..<images).map { Int(values[targets + 2 * $0 + 1]) },
            cleanLogits: blockLogits(0), corruptedLogits: blockLogits(corrupted),
            patchedLogits: logits.isEmpty ? [] : schedule.blocks.map { blockLogits($0) },
            evaluations: schedule.evaluations)
    }

    // MARK: Reading activations

    /// Clean passes of some images, every layer's activations handed to `body`, image by image.
    ///
    /// For statistics over data: this is the one path on which activations leave the device.
    /// - Parameter body: site, layer, image of the wave, values [tokens that the layer computes, width]
    func observe(
        _ clean: [Float], images: Int, sites: Set<Site>, _ body: (Site, Int, Int, ArraySlice<Float>) -> Void
    ) throws(CLError) {
        let config = encoder.config
        let sources = Schedule.Sources(models: [0], base: [], source: [])
        let (schedule, lists) = try schedule([], images: images, sources: sources, keepsOutputs: true)
        try input.write(clean)
        try encoder.embed(pixels: input, images: images, x: x, workspace: workspace)
        func hand(
            _ site: Site, _ layer: Int, _ buffer: Buffer<Float>, stride: Int, width: Int, slots: Range<Int>,
            first: Int = 0
        )
            throws(CLError)
        {
            guard sites.contains(site) else { return }
            let values = try buffer.read((slots.lowerBound * stride)..<(slots.upperBound * stride))
            for image in 0..<slots.count {
                body(site, layer, first + image, values[(image * stride)..<(image * stride + width)])
            }
        }
        for (index, layer) in schedule.layers.enumerated() {
            let d = config.hiddenSize, tokens = encoder.tokens(after: index), all = 0..<images
            try hand(.residPre, index, x, stride: encoder.rowStride, width: encoder.rowStride, slots: all)
            if index == 0 { try hand(.embed, 0, x, stride: encoder.rowStride, width: encoder.rowStride, slots: all) }
            for chunk in layer.attention.chunks {
                try encoder.attention(layer: index, x: x, lists: lists, chunk: chunk, o: o, workspace: workspace)
                let slots = chunk.slot..<(chunk.slot + chunk.rows.count)
                for site in [Site.z, .q, .k, .v] where sites.contains(site) {
                    for slot in slots {
                        let values = try workspace.values(
                            site.workspaceSite, slot: slot, config: config, tokens: tokens)
                        body(site, index, chunk.position + slot - chunk.slot, values[...])
                    }
                }
            }
            try hand(.attnOut, index, o, stride: tokens * d, width: tokens * d, slots: all)
            try finish(layer.attention, lists, layer: index)
            try hand(.residMid, index, x, stride: encoder.rowStride, width: tokens * d, slots: all)
            for chunk in layer.mlp.chunks {
                try encoder.mlp(layer: index, x: x, lists: lists, chunk: chunk, o: o, workspace: workspace)
                let slots = chunk.slot..<(chunk.slot + chunk.rows.count)
                if sites.contains(.mlpAct) {
                    for slot in slots {
                        let values = try workspace.values(.hidden, slot: slot, config: config, tokens: tokens)
                        body(.mlpAct, index, chunk.position + slot - chunk.slot, values[...])
                    }
                }
            }
            try hand(.mlpOut, index, o, stride: tokens * d, width: tokens * d, slots: all)
            try finish(layer.mlp, lists, layer: index)
            try hand(.residPost, index, x, stride: encoder.rowStride, width: tokens * d, slots: all)
        }
    }
}

extension Site {
    /// Where a workspace keeps the site's activations
    var workspaceSite: Workspace.Site {
        switch self {
        case .q: .q
        case .k: .k
        case .v: .v
        case .mlpAct: .hidden
        default: .z
        }
    }
}
