import ArgumentParser
import Foundation
import Images
import Patch
import Results
import ViT

struct Classify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Classify images: image,label,prediction,p_label,logits... as CSV, and the accuracy on standard error.")

    @Option(help: "Hugging Face folder (default: the demo's colour model).")
    var model: String?

    @Option(help: "Folder of class subfolders, or a CIFAR-10/100 folder (default: the demo's images).")
    var data: String?

    @Option(help: "As of sweep, but noise.")
    var corruption = "none"

    @Option(help: "Seed of masks and shuffles.")
    var seed: UInt64 = 0

    @Option(help: "csv")
    var format = "csv"

    @Option(help: "At most so many images.")
    var limit: Int?

    @Option(help: "Skip so many images first.")
    var offset = 0

    @Option(help: "Most device memory to use, e.g. 4G.")
    var memory: String?

    @OptionGroup var device: DeviceOptions
    @OptionGroup var precision: PrecisionOptions
    @OptionGroup var profile: ProfileOptions

    func validate() throws {
        if format != "csv" { throw ValidationError("--format \(format) is unknown; valid is csv") }
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): expected at least 1") }
        if offset < 0 { throw ValidationError("--offset \(offset): expected at least 0") }
        _ = try memory.map { try OptionText.bytes($0, option: "--memory") }
        do {
            let corruption = try Corruption(spec: corruption)
            if corruption.stage == .device {
                throw ValidationError("--corruption \(corruption.spec) is for sweep; classify changes pixels")
            }
        } catch let error as ImageError { throw ValidationError("\(error)") }
    }

    mutating func run() throws {
        let checkpoint = try Model.checkpoint(folder: model)
        let data = try LabelledData(path: data, model: checkpoint.config)
        guard offset < data.dataset.count else {
            throw CommandError("--offset \(offset): the data has only \(data.dataset.count) images")
        }
        let count = min(limit ?? .max, data.dataset.count - offset)
        let context = try device.context(profiling: profile.profile != nil)
        let profiler = try profile.profiler([context.device])
        let model = try Model(checkpoint, context: context, gemm: try device.gemm(for: context.device, precision))
        let plan = try WavePlan(
            encoder: model.encoder, patches: [], images: count,
            memory: try memory.map { try OptionText.bytes($0, option: "--memory") })
        let runner = WaveRunner(
            encoder: model.encoder, library: model.library, plan: plan,
            onFirstHalving: Waves.warn(planned: plan, of: model))
        // The corrupted image takes the place of the clean one: a single pass an image.
        let corruptor = try Corruptor(
            Corruption(spec: corruption), dataset: data.dataset, preprocessor: model.preprocessor,
            patchSize: checkpoint.config.patchSize, seed: seed)
        var loader = ImageLoader(dataset: data.dataset, preprocessor: model.preprocessor, corruptor: corruptor)
        loader.profiler = profiler
        let ranges = plan.imageRanges(count: count), offset = offset
        try profiler?.begin([context])
        let waves = Prefetcher(count: ranges.count) { [loader] in try loader.load(ranges[$0].map { $0 + offset }) }

        let classes = checkpoint.config.classes
        Terminal.standardOutput(
            "image,label,prediction,p_label," + (0..<classes).map { "logit_\($0)" }.joined(separator: ",") + "\n")
        var correct = 0
        while let prepared = try waves.take() {
            var text = ""
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
                    let logits = result.cleanLogits[(i * classes)..<((i + 1) * classes)].map(number).joined(
                        separator: ",")
                    text +=
                        "\(quoted(data.dataset.id(index))),\(label),\(pass.prediction),\(number(pass.p)),\(logits)\n"
                }
            }
            Terminal.standardOutput(text)
        }
        if let profiler { Terminal.standardError(try profiler.finish()) }
        Terminal.standardError(
            "accuracy \(String(format: "%.2f", 100 * Double(correct) / Double(count)))% (\(correct) of \(count) images)\n"
        )
    }

    /// RFC 4180
    private func quoted(_ field: String) -> String {
        field.contains { "\",\r\n".contains($0) }
            ? "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : field
    }

    private func number(_ value: Float) -> String {
        value.isNaN ? "nan" : value.isInfinite ? (value < 0 ? "-inf" : "inf") : "\(value)"
    }
}
