import ArgumentParser
import Foundation
import Patch
import Report
import Spec
import ViT

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a model folder holds, and the device memory that a sweep of it takes.")

    @Argument(help: "Hugging Face folder; demo is the demo's colour model.", completion: .directory)
    var folder: String?

    @Option(.imageSize) var imageSize: String?
    @Option(.classes) var classes: String?

    @Flag(help: "List the supported model families.")
    var families = false

    @OptionGroup var device: DeviceOptions

    mutating func validate() throws {
        if families == (folder != nil) { throw ValidationError("Give a model folder, or --families.") }
    }

    mutating func run() throws {
        if families { return Terminal.standardOutput(Family.table) }
        var options = SweepOptions()
        for (key, text) in [(SweepKey.imageSize, imageSize), (.classes, classes)] { options.set(flag: key, one(text)) }
        let settings = try options.settings()
        let checkpoint = try Model.checkpoint(
            folder: folder == "demo" ? nil : folder, classes: settings.classes, imageSize: settings.imageSize)
        let config = checkpoint.config
        let context = try device.context()
        let model = try Model(checkpoint, context: context, gemm: try device.gemm(for: context.device))
        let weights = context.allocatedBytes

        var text = ""
        func line(_ name: String, _ value: String) {
            text += "  " + name.padding(toLength: 12, withPad: " ", startingAt: 0) + printable(value) + "\n"
        }
        text += "\(checkpoint.name)\n"
        line(
            "encoder",
            "\(config.architecture.family): \(config.layers) layers, width \(config.hiddenSize), \(config.heads) heads of \(config.headDim), MLP \(config.intermediateSize)"
        )
        line("", "\(config.activation.rawValue), layer_norm_eps \(config.layerNormEps), qkv_bias \(config.qkvBias)")
        line(
            "input",
            "\(config.imageSize.pixels) pixels, patches of \(config.patchSize.isSquare ? "\(config.patchSize)" : config.patchSize.pixels): \(config.tokens) tokens"
                + (config.prefixTokens > 0 ? " with \(config.architecture.prefixText)" : ""))
        line("readout", config.architecture.readout.text)
        let shown = config.labels.prefix(8).joined(separator: ", ")
        line("classes", "\(config.classes): \(shown)\(config.classes > 8 ? ", ..." : "")")
        line("parameters", "\(checkpoint.weights.count.formatted(.number.locale(Locale(identifier: "en_US_POSIX"))))")
        line(
            "pixels",
            checkpoint.defaultsText.map { "no preprocessor_config.json: \($0)" }
                ?? "as \(checkpoint.preprocessorName ?? "preprocessor_config.json") says")
        if !checkpoint.unusedTensors.isEmpty {
            line(
                "not used",
                checkpoint.unusedTensors.prefix(4).joined(separator: ", ")
                    + (checkpoint.unusedTensors.count > 4 ? ", ..." : ""))
        }
        line("sha256", checkpoint.sha256)

        text += "\non \(context.device.name), GEMM \(model.encoder.gemm.name)\n"
        line("weights", Self.mebibytes(weights))
        var spec = SweepSpec()
        try plan("attn_out, windows 1 and 3", spec, model, into: &text)
        spec.site = [Site.z.rawValue]
        try plan("z, every head", spec, model, into: &text)
        spec.site = [Site.residPost.rawValue]
        spec.tokens = "each"
        try plan("resid_post, every token", spec, model, into: &text)
        Terminal.standardOutput(text)
    }

    /// A line on the waves of one sweep.
    private func plan(_ name: String, _ spec: SweepSpec, _ model: Model, into text: inout String) throws {
        let patches = try spec.items(config: model.encoder.config).map(\.patch)
        let plan = try WavePlan(encoder: model.encoder, patches: patches, images: 1_000_000, memory: nil)
        let waves = plan.patchRanges.count == 1 ? "" : ", an image in \(plan.patchRanges.count) waves"
        text +=
            "  sweep       \(name): \(patches.count) patches an image; waves of \(plan.shape.images) image\(plan.shape.images == 1 ? "" : "s")\(waves) take \(Self.mebibytes(plan.bytes)) more\n"
    }

    private static func mebibytes(_ bytes: Int) -> String { String(format: "%.1f MiB", Double(bytes) / 1_048_576) }
}
