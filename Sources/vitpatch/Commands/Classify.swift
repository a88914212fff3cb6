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
        let data = try LabelledData(path: settings.data, model: checkpoint.config)
        let chosen = try OptionText.images(settings, count: data.dataset.count), count = chosen.count
        let context = try running.device.context(profiling: profile.profile != nil)
        let profiler = try profile.profiler(
            [context.device], keeping: [settings.model, settings.data].compactMap { $0 })
        let model = try Model(checkpoint, context: context, gemm: try running.device.gemm(for: context.device))
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
        let ranges = plan.imageRanges(count: count), offset = chosen.lowerBound
        try profiler?.begin([context])
        let waves = Prefetcher(count: ranges.count) { [loader] in try loader.load(ranges[$0].map { $0 + offset }) }

        let classes = checkpoint.config.classes
        let logits = (0..<classes).map { "logit_\($0)" }
        var table = TableText(.csv)
        table.header(["image", "label", "prediction", "p_label"] + logits)
        var correct = 0
        while let prepared = try waves.take() {
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
                    if pass.prediction == label { correct += 1 }
                    table.beginRow()
                    table.field("image", data.dataset.id(index), first: true)
                    table.field("label", label)
                    table.field("prediction", pass.prediction)
                    table.field("p_label", pass.p)
                    for c in 0..<classes { table.field(logits[c], result.cleanLogits[i * classes + c]) }
                    table.endRow()
                }
            }
            Terminal.standardOutput(String(decoding: table.bytes, as: UTF8.self))
            table.bytes.removeAll(keepingCapacity: true)
        }
        if let profiler { Terminal.standardError(try profiler.finish()) }
        Terminal.standardError(
            "accuracy \(String(format: "%.2f", 100 * Double(correct) / Double(count)))% (\(correct) of \(count) images)\n"
        )
    }
}
