import ArgumentParser
import CLRuntime
import Foundation
import Images
import Patch
import Report
import Results
import ViT

struct Sweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Patch every place asked for, on every image, and measure how much of the answer comes back.",
        discussion: """
            LIST is one patch per item: 0,5,7 and 0-11 make several patches, 0+5 one patch of both.

              vitpatch sweep
              vitpatch sweep --model vit-cifar10 --data cifar-10-batches-bin --limit 1000
              vitpatch sweep --model vit --data photos --site mlp_out --site resid_mid --window 1 --layers 4-8
            """)

    @Option(help: "Hugging Face folder: config.json, model.safetensors, preprocessor_config.json if there (default: the demo's).")
    var model: String?

    @Option(help: "Folder of class subfolders with PNG/JPEG, or a CIFAR-10/100 folder (default: the demo's images).")
    var data: String?

    @Option(help: "Take the patched-in activations from this second model, a folder; `demo` is the demo's gray one.")
    var donor: String?

    @Option(help: ArgumentHelp("none | grayscale | blur:SIGMA | noise:K | channel:r|g|b | shuffle:N | mask:FRACTION | mask:FILE | mean | pair:DIR; several strengths make a dose-response curve: noise:0.5,1,2", valueName: "spec"))
    var corruption = "grayscale"

    @Option(help: "restore (clean into corrupted) | noise (corrupted into clean); repeatable (default: restore).")
    var direction: [String] = []

    @Option(help: "\(Site.allCases.map(\.rawValue).joined(separator: " ")); repeatable; joined with + they are patched together (default: attn_out).")
    var site: [String] = []

    @Option(help: "Layers per patch; repeatable (default: 1 and 3 for attn_out and mlp_out, 1 elsewhere).")
    var window: [Int] = []

    @Option(help: "Centres of the windows, a LIST (default: all).")
    var layers: String?

    @Option(help: "each | all | LIST, for z q k v pattern.")
    var heads = "each"

    @Option(help: "all | each | cls | patches | LIST | rectangles of the patch grid, 3:6x2:5; token 0 is CLS; for pattern: query rows.")
    var tokens = "all"

    @Option(help: "LIST of neurons, for mlp_act (default: all together).")
    var neurons: String?

    @Option(help: "clean (the other pass) | zero | mean | resample (another image): what is put in.")
    var patchWith = PatchWith.clean.rawValue

    @Option(help: "label | clean: the class whose probability is tracked.")
    var target = Target.label.rawValue

    @Option(help: "all | clean-correct | flipped: which images count; applied after --limit.")
    var keep = Keep.all.rawValue

    @Option(help: "At most so many images.")
    var limit: Int?

    @Option(help: "Skip so many images first.")
    var offset = 0

    @Option(help: "Seed of noise, masks, shuffles, partners and of the bootstrap intervals.")
    var seed: UInt64 = 0

    @Option(help: "Noise draws per image, whose probabilities are averaged.")
    var samples = 1

    @Flag(help: "Keep every pass's full logits in the results, for other metrics later; means over the draws with --samples.")
    var logits = false

    @Option(help: "I/N: the I-th of N equal parts of the images (I from 0); in a Slurm job array the default is the task's.")
    var shard: String?

    @Option(help: "Most device memory to use, e.g. 4G.")
    var memory: String?

    @Option(help: "Results folder (default: runs/<time>; in a Slurm job array runs/<job>/<task>).")
    var out: String?

    @Flag(help: "Go on with the interrupted sweep in --out.")
    var resume = false

    @Flag(help: "Replace the results in --out.")
    var overwrite = false

    @OptionGroup var device: DeviceOptions
    @OptionGroup var notBuilt: SweepOptionsNotBuilt

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): expected at least 1") }
        if samples < 1 || samples > 10_000 { throw ValidationError("--samples \(samples): expected 1 to 10000") }
        if offset < 0 { throw ValidationError("--offset \(offset): expected at least 0") }
        for width in window where width < 1 || width > 1_000_000 {
            throw ValidationError("--window \(width): expected at least 1")
        }
        if resume && overwrite { throw ValidationError("--resume and --overwrite exclude each other") }
        if resume && out == nil && slurmTask == nil { throw ValidationError("--resume needs --out, the folder of the interrupted sweep") }
        _ = try choice("--target", target, Target.self)
        _ = try choice("--keep", keep, Keep.self)
        _ = try directions()
        _ = try shardParts()
        _ = try memory.map { try OptionText.bytes($0, option: "--memory") }
        _ = try parsedCorruptions()
        _ = try choice("--patch-with", patchWith, PatchWith.self)
        do { for site in site { _ = try SweepSpec.parse(site) } } catch { throw ValidationError("\(error)") }
    }

    mutating func run() throws {
        if shard == nil, let part = try slurmTask?.shard() {
            shard = part
            Terminal.standardError("shard \(part) from the Slurm job array\n")
        }
        let checkpoint = try Model.checkpoint(folder: model)
        let data = try LabelledData(path: data, model: checkpoint.config)
        let corruptions = try parsedCorruptions()
        let spec = try spec()
        let items = try spec.items(config: checkpoint.config)
        let patches = items.map(\.patch)
        let images = try chosenImages(count: data.dataset.count)
        let donorCheckpoint = try donor.map { try $0 == "demo" ? Demo.model(Demo.gray) : Checkpoint.load(folder: $0) }
        if let donorCheckpoint {
            try SweepSpec.checkDonor(donorCheckpoint.config, recipient: checkpoint.config, patches: patches)
        }

        let context = try device.context()
        let provider = device.provider(for: context.device)
        let model = try Model(checkpoint, context: context, provider: provider)
        let donor = try donorCheckpoint.map { try Model($0, context: context, provider: provider) }
        let plan = try WavePlan(
            encoder: model.encoder, donor: donor?.encoder, patches: patches, images: images.count,
            memory: try memory.map { try OptionText.bytes($0, option: "--memory") })

        let folder = out ?? slurmTask?.folder ?? "runs/" + Self.timestamp()
        let manifest = try manifest(
            model: model, donor: donor, data: data, spec: spec, items: items, corruptions: corruptions)
        let store =
            resume
            ? try ResultsStore.resume(folder: folder, manifest: manifest)
            : try ResultsStore.create(folder: folder, manifest: manifest, overwrite: overwrite)
        let todo = try corruptions.indices.map { corruption in
            let done = try store.completedImages(corruption: corruption)
            return images.filter { !done.contains($0) }
        }
        let all = images.count * corruptions.count, done = all - todo.map(\.count).reduce(0, +)
        if resume { Terminal.standardError("\(done) of \(all) images are done already.\n") }

        let run = SweepRun(
            model: model, donor: donor, data: data, corruptions: corruptions,
            keep: try choice("--keep", keep, Keep.self), target: try choice("--target", target, Target.self), seed: seed,
            samples: samples, patches: patches, store: store, keepLogits: logits, plan: plan)
        let outcome = try run.run(images: todo, interruption: Interruption())
        if outcome.interrupted {
            try store.close()
            Terminal.standardError(
                "Interrupted; \(done + outcome.images) of \(all) images are in \(folder). Go on with:\n  "
                    + resumeCommand(folder) + "\n")
            throw ExitCode(130)
        }
        try store.finish()
        Terminal.standardOutput(
            try summaryText(
                store: store, color: Terminal.isRich(STDOUT_FILENO), width: min(Terminal.width, 100)))
        try report(outcome, folder: folder, model: model)
        try store.close()
    }

    /// What the sweep cost, and where its results are.
    private func report(_ outcome: SweepRun.Outcome, folder: String, model: Model) throws {
        if outcome.evaluations > 0 {
            let saved = Double(outcome.fullPassEvaluations) / Double(outcome.evaluations)
            Terminal.standardOutput(
                "\n\(outcome.evaluations) layer-stage evaluations, where a full pass per patch takes "
                    + "\(outcome.fullPassEvaluations) (\(String(format: "%.1f", saved))x)\n")
        }
        Terminal.standardError(
            "\(outcome.images) images, \(outcome.passes) passes in \(Progress.duration(outcome.seconds)) "
                + "(\(Int(Double(outcome.passes) / max(outcome.seconds, 1e-3))) passes/s, "
                + "\(model.encoder.context.peakBytes / 1_048_576) MiB on the device)\n")
        Terminal.standardOutput("Results in \(folder); vitpatch export \(folder) --format csv\n")
    }

    // MARK: What the options mean

    private var slurmTask: SlurmTask? { SlurmTask(environment: ProcessInfo.processInfo.environment) }

    private func directions() throws -> [Direction] {
        direction.isEmpty ? [.restore] : try direction.map { try choice("--direction", $0, Direction.self) }
    }

    private func parsedCorruptions() throws -> [Corruption] {
        do { return try Corruption.list(spec: corruption) } catch { throw ValidationError("\(error)") }
    }

    /// The patches that the options ask for
    private func spec() throws -> SweepSpec {
        var spec = SweepSpec()
        spec.direction = try directions()
        if !site.isEmpty { spec.site = site }
        spec.window = window.isEmpty ? nil : window
        spec.layers = layers
        spec.heads = heads
        spec.tokens = tokens
        spec.neurons = neurons
        spec.patchWith = try choice("--patch-with", patchWith, PatchWith.self)
        return spec
    }

    private func choice<Value: RawRepresentable & CaseIterable>(
        _ option: String, _ text: String, _: Value.Type
    ) throws -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: text) else {
            throw ValidationError(
                "\(option) \(text) is unknown; valid are \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    private func shardParts() throws -> (index: Int, of: Int)? {
        guard let shard else { return nil }
        let parts = shard.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let index = parts[0], let count = parts[1], count > 0, (0..<count).contains(index) else {
            throw ValidationError("--shard \(shard): write I/N with I from 0 to N - 1, e.g. 0/4")
        }
        return (index, count)
    }

    /// Positions in the data's order.
    private func chosenImages(count: Int) throws -> [Int] {
        guard offset < count else {
            throw CommandError("--offset \(offset): the data has only \(count) images")
        }
        let end = limit.map { $0 < count - offset ? offset + $0 : count } ?? count
        var range = offset..<end
        if let (index, parts) = try shardParts() {
            range = (offset + range.count * index / parts)..<(offset + range.count * (index + 1) / parts)
            if range.isEmpty { throw CommandError("--shard \(index)/\(parts): no image falls into this part") }
        }
        return Array(range)
    }

    private func manifest(
        model: Model, donor: Model?, data: LabelledData, spec: SweepSpec, items: [SweepSpec.Item], corruptions: [Corruption]
    ) throws -> Manifest {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let device = model.encoder.context.device
        return Manifest(
            version: vitpatchVersion, model: self.model ?? "demo", modelHash: model.checkpoint.sha256, donor: self.donor,
            donorHash: donor?.checkpoint.sha256, data: self.data ?? "demo", dataHash: data.hash,
            spec: String(decoding: try encoder.encode(spec), as: UTF8.self), corruptions: corruptions.map(\.spec),
            patches: items.map {
                PatchRecord(
                    direction: $0.direction, site: $0.site, layer: $0.layer, head: $0.head, token: $0.token,
                    window: $0.window)
            },
            classNames: model.checkpoint.config.labels, seed: seed, samples: samples, offset: offset, limit: limit,
            shard: shard, keep: keep, target: target, device: device.name, driver: device.driver,
            gemm: model.encoder.gemm.name, host: ProcessInfo.processInfo.hostName,
            command: CommandLine.arguments.joined(separator: " "), logits: logits)
    }

    private func resumeCommand(_ folder: String) -> String {
        var words = CommandLine.arguments.filter { $0 != "--resume" && $0 != "--overwrite" }
        if out == nil { words += ["--out", folder] }
        if let shard, !words.contains(where: { $0.hasPrefix("--shard") }) { words += ["--shard", shard] }
        return (words + ["--resume"]).joined(separator: " ")
    }

    private static func timestamp() -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd-HHmmss"
        return formatter.string(from: Date())
    }
}
