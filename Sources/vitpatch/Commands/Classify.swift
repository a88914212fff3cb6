import ArgumentParser
import Foundation
import Images
import Patch
import Results
import Spec
import ViT

struct Classify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Classify images: image,label,prediction,p_label,logits... as CSV, and the accuracy on standard error.")

    @OptionGroup var input: InputOptions

    @Option(.corruption, absent: "none", note: "one of them, but noise") var corruption: [String] = []

    @Option(help: "\(oneOf(Format.self)).", completion: .choices(Format.self))
    var format = Format.csv.rawValue

    @OptionGroup var unreadable: UnreadableOptions
    @OptionGroup var running: RunOptions
    @OptionGroup var profile: ProfileOptions

    enum Format: String, Choice { case csv }

    func validate() throws {
        _ = try choice("--format", format, Format.self)
        try OptionText.check("--profile", name: profile.profile)
        _ = try corruption(try options.settings())
    }

    private var options: SweepOptions {
        var options = SweepOptions(input)
        options.set(flag: .corruption, corruption.isEmpty ? [Corruption.none.spec] : corruption)
        return options
    }

    private func corruption(_ settings: SweepSettings) throws -> Corruption {
        guard settings.corruptions.count == 1, let only = settings.corruptions.first else {
            throw UsageError("--corruption \(corruption.joined(separator: " ")): classify takes one corruption")
        }
        if only.stage == .device {
            throw UsageError("--corruption \(only.spec) is for sweep; classify changes pixels")
        }
        return only
    }

    mutating func run() throws {
        let settings = try options.settings(), corruption = try corruption(settings)
        let checkpoint = try Model.checkpoint(folder: settings.model)
        checkpoint.warnOfDefaults()
        let data = try LabelledData(
            path: settings.data, model: checkpoint.config, classMap: settings.classMap)
        let chosen = try OptionText.images(settings, count: data.dataset.count), count = chosen.count
        let context = try running.device.context(profiling: profile.profile != nil)
        let profiler = try profile.profiler([context.device])
        let model = try Model(
            checkpoint, context: context, gemm: running.device.gemm(for: context.device),
            resize: settings.resize)
        let plan = try WavePlan(
            encoder: model.encoder, patches: [], images: count,
            memory: try running.memoryBytes())
        let runner = WaveRunner(
            encoder: model.encoder, library: model.library, plan: plan,
            onFirstHalving: Waves.warn(planned: plan, of: model))
        // The corrupted image takes the place of the clean one: a single pass an image.
        let corruptor = try Corruptor(
            corruption, dataset: data.dataset, preprocessor: model.preprocessor,
            patchSize: checkpoint.config.patchSize, seed: settings.seed)
        var loader = ImageLoader(dataset: data.dataset, preprocessor: model.preprocessor, corruptor: corruptor)
        loader.profiler = profiler
        let skipped = unreadable.skipped
        loader.skipped = skipped
        let ranges = plan.imageRanges(count: count), offset = chosen.lowerBound
        try profiler?.begin([context])
        let waves = Prefetcher(count: ranges.count) { [loader] in try loader.load(ranges[$0].map { $0 + offset }) }

        let classes = checkpoint.config.classes
        var table = TableText(.csv)
        func flush() {
            Terminal.standardOutput(String(decoding: table.bytes, as: UTF8.self))
            table.bytes.removeAll(keepingCapacity: true)
        }
        table.header(["image", "label", "prediction", "p_label"] + (0..<classes).map { "logit_\($0)" })
        flush()
        var correct = 0, labelled = 0
        while let prepared = try waves.take() {
            if prepared.indices.isEmpty { continue }
            try runner.run(images: prepared.indices.count, patches: 0..<0) { wavefront, piece in
                let images = prepared[piece.images]
                let result = try wavefront.run(
                    Wavefront.Input(
                        clean: images.corrupted.flatMap { $0[0] }, corrupted: nil,
                        labels: images.indices.map(data.label)),
                    patches: [], keepLogits: true)
                try profiler?.take(context, device: 0)
                for (i, index) in images.indices.enumerated() {
                    let pass = result.clean[i], label = data.label(index)
                    if label >= 0 { labelled += 1 }
                    if pass.prediction == label { correct += 1 }
                    table.field("image", data.dataset.id(index), first: true)
                    if label < 0 { table.field("label", "") } else { table.field("label", label) }
                    table.field("prediction", pass.prediction)
                    table.field("p_label", pass.p)
                    for logit in result.cleanLogits[(i * classes)..<((i + 1) * classes)] { table.field("", logit) }
                    table.endRow()
                }
            }
            flush()
        }
        if let profiler { Terminal.standardError(try profiler.finish()) }
        skipped?.report()
        if labelled > 0 {
            let percent = String(format: "%.2f", 100 * Double(correct) / Double(labelled))
            Terminal.standardError("accuracy \(percent)% (\(correct) of \(labelled) images)\n")
        }
    }
}
