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
        let checkpoint = try Model.checkpoint(settings)
        checkpoint.warnOfDefaults()
        let skipped = unreadable.skipped
        let data = try LabelledData(settings, model: checkpoint.config, skipped: skipped)
        let chosen = try OptionText.images(settings, count: data.dataset.count), count = chosen.count
        let context = try running.device.context(profiling: profile.profile != nil)
        let profiler = try profile.profiler(
            [context.device], keeping: [settings.model, settings.data].compactMap { $0 })
        let model = try Model(
            checkpoint, context: context, gemm: try running.device.gemm(for: context.device), resize: settings.resize)
        let plan = try WavePlan(
            encoder: model.encoder, patches: [], images: count,
            memory: try running.memoryBytes())
        let runner = WaveRunner(
            encoder: model.encoder, library: model.library, plan: plan,
            onFirstHalving: Experiment.warn(planned: plan, of: model))
        var experiment = Experiment(
            model: model, donor: nil, data: data, target: .label, seed: settings.seed, samples: 1, isSingle: true)
        experiment.profiler = profiler
        experiment.skipped = skipped
        let images = Array(chosen.lowerBound..<chosen.lowerBound + count)
        let feed = ImageFeed(
            [.init(images: images, loader: try experiment.loader(corruption))], perBatch: plan.shape.images)
        try profiler?.begin([context])

        let classes = checkpoint.config.classes
        let logits = (0..<classes).map { "logit_\($0)" }
        var table = TableText(.csv)
        table.header(["image", "label", "prediction", "p_label"] + logits)
        var correct = 0, labelled = 0
        _ = try feed.forEach { batch in
            if batch.indices.isEmpty { return true }
            try experiment.run(batch, corruption, on: runner, patches: [], keepLogits: true) { _, images, result in
                for (i, index) in images.indices.enumerated() {
                    let pass = result.clean[i], label = data.label(index)
                    if label >= 0 { labelled += 1 }
                    if pass.prediction == label { correct += 1 }
                    table.beginRow()
                    table.field("image", data.dataset.id(index), first: true)
                    if label < 0 { table.field("label", "") } else { table.field("label", label) }
                    table.field("prediction", pass.prediction)
                    table.field("p_label", pass.p)
                    for c in 0..<classes { table.field(logits[c], result.cleanLogits[i * classes + c]) }
                    table.endRow()
                }
            }
            Terminal.standardOutput(String(decoding: table.bytes, as: UTF8.self))
            table.bytes.removeAll(keepingCapacity: true)
            return true
        }
        if let profiler { Terminal.standardError(try profiler.finish()) }
        skipped?.report()
        if labelled > 0 {
            let percent = String(format: "%.2f", 100 * Double(correct) / Double(labelled))
            Terminal.standardError("accuracy \(percent)% (\(correct) of \(labelled) images)\n")
        }
    }
}
