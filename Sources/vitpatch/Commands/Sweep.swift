import ArgumentParser
import CLRuntime
import Foundation
import Images
import Patch
import Report
import Results
import Statistics
import Spec
import ViT

struct Sweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Patch every place asked for, on every image, and measure how much of the answer comes back.",
        discussion: """
            LIST is one patch per item: 0,5,7 and 0-11 make several patches, 0+5 one patch of both.

            Ctrl-C ends a sweep after the wave at work (exit code 130) and prints the command that goes on with it. What \
            is done by then is kept, also if the program is killed.

              vitpatch sweep
              vitpatch sweep --model vit-cifar10 --data cifar-10-batches-bin --limit 1000
              vitpatch sweep --model vit --data photos --site mlp_out --site resid_mid --window 1 --layers 4-8
            """)

    @OptionGroup var input: InputOptions
    @Option(.donor) var donor: String?
    @Option(.corruption) var corruption: [String] = []
    @OptionGroup var places: PlaceOptions
    @Option(.window) var window: [String] = []
    @Option(.neurons) var neurons: String?
    @Option(.patchWith) var patchWith: String?
    @Option(.partner) var partner: String?

    @Option(
        help: ArgumentHelp(
            "\(PatchWith.ablations.map(\.rawValue).joined(separator: " | ")): short for --direction noise --patch-with ...",
            valueName: "what"), completion: .list(PatchWith.ablations.map(\.rawValue)))
    var ablate: String?

    @Option(.control) var control: String?
    @OptionGroup var measure: MeasureOptions

    @Option(
        help: ArgumentHelp(
            "CSV of image id and group columns (image,<column>,...), for effects by group.", valueName: "file"),
        completion: .file())
    var groups: String?

    @Flag(
        help:
            "Keep every pass's full logits in the results, for other metrics later; means over the draws with --samples."
    )
    var logits = false

    @Option(.shard) var shard: String?

    @Option(
        help: ArgumentHelp(
            "The options above as a YAML or JSON file (docs/spec.md); flags beside it override what it says.",
            valueName: "file"), completion: .file())
    var spec: String?

    @Flag(help: "Print the options above as such a file, and stop.")
    var printSpec = false

    @Option(
        help: ArgumentHelp(
            "Results folder (default: runs/<time>; in a Slurm job array runs/<job>/<task>).", valueName: "folder"),
        completion: .directory)
    var out: String?

    @Flag(help: "Go on with the interrupted sweep in --out.")
    var resume = false

    @Flag(help: "Replace the results in --out.")
    var overwrite = false

    @Flag(name: .customLong("report"), help: "Write the report too, when the sweep is done: see vitpatch report.")
    var writesReport = false

    @Flag(help: "Say at the end how much work the sweep was, and how much skipping shared work saved.")
    var verbose = false

    @OptionGroup var unreadable: UnreadableOptions
    @OptionGroup var running: RunOptions
    @OptionGroup var profile: ProfileOptions

    func validate() throws {
        if resume && overwrite { throw UsageError("--resume and --overwrite exclude each other") }
        if resume && out == nil && slurmTask == nil {
            throw UsageError("--resume needs --out, the folder of the interrupted sweep")
        }
        for (option, name) in [("--out", out), ("--spec", spec), ("--groups", groups), ("--profile", profile.profile)] {
            try OptionText.check(option, name: name)
        }
        _ = try flags().settings()
    }

    mutating func run() throws {
        if shard == nil, let part = try slurmTask?.shard() {
            shard = part
            Terminal.standardError("shard \(part) from the Slurm job array\n")
        }
        let options = try spec.map { try SweepOptions(file: $0).overridden(by: flags()) } ?? flags()
        let settings = try options.settings()
        try options.checkPassesDiffer()
        if printSpec { return Terminal.standardOutput(options.yaml) }

        let checkpoint = try Model.checkpoint(settings)
        let skipped = unreadable.skipped
        let folder = out ?? slurmTask?.folder ?? "runs/" + Self.timestamp()
        let data = try LabelledData(
            settings, model: checkpoint.config, skipped: skipped, resuming: resume ? folder : nil)
        checkpoint.warnOfDefaults()
        let corruptions = settings.corruptions
        let target = try options.target(among: checkpoint.config.labels)
        try data.requireLabels(target, keep: settings.keep)
        let foil = try options.foil(among: checkpoint.config.labels, hasColumn: data.foils != nil)
        try data.checkFoils(foil, target)
        let spec = try options.spec(for: checkpoint.config)
        try checkNothingIsIgnored(spec)
        if settings.samples > 1, !corruptions.contains(where: \.isRandom) {
            Terminal.warning(
                "--samples \(settings.samples): no corruption of this sweep is random, so every image is run once")
        }
        var items = try spec.items(config: checkpoint.config)
        items += controls(of: items, settings, checkpoint.config)
        let patches = items.map(\.patch)
        let images = try chosenImages(settings, count: data.dataset.count)
        let file = try settings.patchFile.map { path in
            let file = try ActivationFile(
                path: path, patches: patches, config: checkpoint.config, modelHash: checkpoint.sha256)
            for image in images { _ = try file.position(of: data.dataset.id(image)) }
            return file
        }
        let donorCheckpoint = try Model.donor(settings)
        let ownGroups = data.ownGroups()
        let groups = try groups.map { try data.groups(path: $0) } ?? (ownGroups.isEmpty ? nil : ownGroups)
        if let donorCheckpoint {
            donorCheckpoint.warnOfDefaults()
            try Patch.checkDonor(donorCheckpoint.config, recipient: checkpoint.config, patches: patches)
            donorCheckpoint.warnOfOtherClasses(than: checkpoint)
        }

        let contexts = try running.device.contexts(profiling: profile.profile != nil)
        running.device.noteFasterPrecision(on: contexts[0].device)
        let inputs = [
            settings.model, settings.classes, settings.donor, settings.data, settings.patchFile, self.groups, self.spec,
        ].compactMap { $0 }
        let profiler = try profile.profiler(
            contexts.map(\.device), keeping: inputs + ResultsStore.files(in: folder))
        let gemm = try running.device.gemm(for: contexts[0].device)
        let devices = try contexts.map { context in
            SweepModels(
                model: try Model(checkpoint, context: context, gemm: gemm, resize: settings.resize),
                donor: try donorCheckpoint.map { try Model($0, context: context, gemm: gemm, resize: settings.resize) })
        }
        let (model, donor) = (devices[0].model, devices[0].donor)
        if !model.encoder.gemm.precision.isExact {
            try PrecisionNote(
                experiment: Experiment(
                    model: model, donor: nil, data: data, target: target, seed: settings.seed, samples: 1,
                    isSingle: true)
            ).print(images: Array(images.prefix(8)), fp32: try running.device.fp32(for: contexts[0].device))
        }
        let memory = try running.memoryBytes()
        let means = ActivationMeans.bytes(patches, config: checkpoint.config)
        func planned(images: Int) throws -> WavePlan {
            try WavePlan(
                encoder: model.encoder, donor: donor?.encoder, patches: patches, images: images,
                memory: memory.map { $0 - means })
        }
        func share(_ count: Int, among parts: Int) -> Int { (count + parts - 1) / parts }
        // As many images for every device, and then as many in every wave.
        let most = share(images.count, among: devices.count)
        let plan = try planned(images: share(most, among: share(most, among: planned(images: most).shape.images)))

        var manifest = try manifest(
            settings, target: target, foil: foil, model: model, donor: donor, data: data, spec: spec, items: items)
        (manifest.patchFile, manifest.patchFileHash) = (file?.name, file?.sha256)
        if resume {
            manifest.dataHash = data.hash(resuming: try ResultsStore.open(folder: folder).manifest.dataHash)
        }
        let start =
            resume
            ? SweepStore.Start.resumed(try ResultsStore.resume(folder: folder, manifest: manifest))
            : .new(
                try ResultsError.naming("--resume goes on with it, --overwrite replaces it") {
                    try NewStore(
                        folder: folder, manifest: manifest, groups: groups ?? [], dataset: data.listing,
                        overwrite: overwrite)
                })
        let store = SweepStore(
            start, data: data, classes: checkpoint.config.classes, keepLogits: logits, profiler: profiler)
        if let groups { try store.existing?.setGroups(groups) }
        var todo = try corruptions.indices.map { corruption in
            let done = try store.existing?.completedImages(corruption: corruption) ?? []
            return images.filter { !done.contains($0) }
        }
        let all = images.count * corruptions.count, done = all - todo.map(\.count).reduce(0, +)
        let gone = resume ? try leaveOutMissing(of: data, from: &todo, settings, patches) : []
        if resume { Terminal.standardError("\(done) of \(all) images are done already.\n") }

        let run = SweepRun(
            devices: devices, data: data, corruptions: corruptions, keep: settings.keep, target: target, foil: foil,
            partner: settings.partner, noiseDeviation: settings.noiseDeviation, seed: settings.seed,
            samples: settings.samples, patches: patches, file: file, store: store, plan: plan, memory: memory,
            profiler: profiler, skipped: skipped)
        let outcome = try run.run(images: todo, interruption: Interruption())
        skipped?.report()
        if let profiler { Terminal.standardError(try profiler.finish()) }
        if outcome.interrupted {
            guard let store = store.existing else {
                Terminal.standardError("Interrupted before the first wave; \(folder) is as it was.\n")
                throw ExitCode(130)
            }
            try store.close()
            Terminal.standardError(
                "Interrupted; \(done + outcome.images) of \(all) images are in \(folder). Go on with:\n  "
                    + resumeCommand(folder) + "\n")
            throw ExitCode(130)
        }
        let results = try store.open()
        let leftOut = skipped == nil && gone.isEmpty ? nil : (skipped?.names ?? []) + gone
        try results.finish(skipped: leftOut)
        // Opened again where the manifest has changed
        let shown = leftOut == nil && results.manifest.skipped == nil ? results : try ResultsStore.open(folder: folder)
        Terminal.standardOutput(
            try summaryText(
                store: shown, colour: Terminal.colour, width: min(Terminal.width, 100)))
        try report(outcome, folder: folder, peaks: contexts.map(\.peakBytes))
        try results.close()
        if writesReport { try ReportCommand.write(folder: folder) }
    }

    /// What the sweep cost, and where its results are.
    private func report(_ outcome: SweepTally.Outcome, folder: String, peaks: [Int]) throws {
        if verbose, outcome.evaluations > 0 {
            let saved = Double(outcome.fullPassEvaluations) / Double(outcome.evaluations)
            Terminal.standardOutput(
                "\n\(outcome.evaluations) layer-stage evaluations, where a full pass per patch takes "
                    + "\(outcome.fullPassEvaluations) (\(String(format: "%.1f", saved))x)\n")
        }
        Terminal.standardError(
            "\(counted(outcome.images, "image")), \(outcome.passes) passes in \(Progress.measured(outcome.seconds)) "
                + "(\(Int(Double(outcome.passes) / max(outcome.seconds, 1e-3))) passes/s, "
                + "\(Self.mebibytes(peaks.max() ?? 0)) on \(peaks.count == 1 ? "the device" : "each of \(peaks.count) devices"))\n"
        )
        Terminal.standardOutput("Results in \(folder); vitpatch export \(folder) --format csv\n")
    }

    private static func mebibytes(_ bytes: Int) -> String {
        let value = Double(bytes) / 1_048_576
        return String(format: value < 10 ? "%.1f MiB" : "%.0f MiB", value)
    }

    // MARK: What the options mean

    private var slurmTask: SlurmTask? { SlurmTask(environment: ProcessInfo.processInfo.environment) }

    /// The flags that were given of those that decide what is computed
    private func flags() throws -> SweepOptions {
        var options = SweepOptions(input, places, measure)
        let texts: [(SweepKey, [String])] = [
            (.donor, one(donor)), (.corruption, corruption), (.window, window), (.neurons, one(neurons)),
            (.patchWith, one(patchWith)), (.partner, one(partner)), (.control, one(control)), (.shard, one(shard)),
        ]
        for (key, texts) in texts { options.set(flag: key, texts) }
        try options.set(ablate: ablate)
        return options
    }

    /// An option that no site of the sweep takes up is a mistake.
    private func checkNothingIsIgnored(_ spec: SweepSpec) throws {
        for (index, places) in spec.allPlaces.enumerated() {
            var sites = try places.site.flatMap { try SweepSpec.sites($0) }
            if index == 0 { sites += spec.patches.flatMap { $0.parts.map(\.site) } }
            func check(_ option: String, _ value: String?, _ takesIt: (Site) -> Bool) throws {
                guard let value, !sites.contains(where: takesIt) else { return }
                let takers = Site.allCases.filter(takesIt).map(\.rawValue).joined(separator: ", ")
                let (name, of) = index == 0 ? ("--" + option, "this sweep") : (option, "its place")
                let text = "\(name) \(value): no site of \(of) takes it; it goes with \(takers)"
                throw index == 0 ? UsageError(text) : CommandError(text) as any Error
            }
            try check("heads", ["each", "all"].contains(places.heads) ? nil : places.heads, \.hasHeads)
            try check("neurons", places.neurons, \.hasNeurons)
            try check("layers", places.layers, \.hasLayers)
            try check("window", places.window.map { $0.map(String.init).joined(separator: ",") }, \.hasLayers)
        }
    }

    /// The random places, with a word where there are none, or not as many as asked for.
    private func controls(
        of items: [SweepSpec.Item], _ settings: SweepSettings, _ config: ViTConfig
    ) -> [SweepSpec.Item] {
        let controls = SweepSpec.controls(of: items, count: settings.control, config: config, seed: settings.seed)
        if settings.control > 0, !items.contains(where: { $0.patch.coversSeveralPlaces(config) }) {
            Terminal.warning(
                "--control \(settings.control): every patch of this sweep is a single place, which is compared with the others of its size; no random places are added"
            )
        }
        let counts = Dictionary(grouping: controls) { $0.patch.extent(config) }.mapValues { places in
            places.count / Set(places.map(\.direction)).count
        }
        for (extent, count) in counts.sorted(by: { $0.key < $1.key }) where count < settings.control {
            Terminal.warning("--control \(settings.control): the network has only \(count) other places of \(extent)")
        }
        return controls
    }

    /// Positions in the data's order.
    private func chosenImages(_ settings: SweepSettings, count: Int) throws -> [Int] {
        var range = try OptionText.images(settings, count: count)
        if let shard = settings.shard {
            let first = range.lowerBound, count = range.count
            range = (first + count * shard.index / shard.count)..<(first + count * (shard.index + 1) / shard.count)
            if range.isEmpty { throw UsageError("--shard \(shard): no image falls into this part") }
        }
        return Array(range)
    }

    private func manifest(
        _ settings: SweepSettings, target: Target, foil: Foil, model: Model, donor: Model?, data: LabelledData,
        spec: SweepSpec, items: [SweepSpec.Item]
    ) throws -> Manifest {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let device = model.encoder.context.device
        var manifest = Manifest(
            version: vitpatchVersion, model: settings.model ?? "demo", modelHash: model.checkpoint.sha256,
            donor: settings.donor,
            donorHash: donor?.checkpoint.sha256, data: settings.data ?? "demo", dataHash: data.hash,
            spec: String(decoding: try encoder.encode(spec), as: UTF8.self),
            corruptions: settings.corruptions.map(\.spec),
            patches: items.map {
                PatchRecord(
                    direction: $0.direction, site: $0.site, layer: $0.layer, head: $0.head, token: $0.token,
                    window: $0.window, control: $0.isControl, extent: $0.patch.extent(model.checkpoint.config))
            },
            classNames: model.checkpoint.config.labels, seed: settings.seed, samples: settings.samples,
            offset: settings.offset, limit: settings.limit, shard: settings.shard?.description,
            keep: settings.keep.rawValue, target: target.description, device: device.name, driver: device.driver,
            precision: model.encoder.gemm.precision.rawValue, gemm: model.encoder.gemm.name,
            host: ProcessInfo.processInfo.hostName,
            command: CommandLine.arguments.joined(separator: " "),
            layers: model.encoder.config.layers, logits: logits, control: settings.control,
            preprocessing: model.checkpoint.defaultsText)
        (manifest.foil, manifest.patchWith) = (
            foil.description, settings.patchFile.map { "file:\($0)" } ?? spec.patchWith.rawValue
        )
        (manifest.partner, manifest.noiseSD) = (settings.partner.rawValue, settings.noiseDeviation.rawValue)
        let architecture = model.checkpoint.config.architecture
        manifest.tokens = TokenLayout(
            prefix: architecture.prefix.map(\.rawValue), patches: model.checkpoint.config.patches,
            rows: model.checkpoint.config.grid.rows,
            read: architecture.readout.ranges(of: model.checkpoint.config.tokens).map {
                [$0.lowerBound, $0.upperBound]
            })
        (manifest.classes, manifest.imageSize) = (settings.classes, settings.imageSize?.option)
        manifest.resize = model.preprocessor.library.rawValue
        manifest.exif = settings.exif == .ignore ? nil : settings.exif.rawValue
        manifest.classMatch = data.match.lines.isEmpty ? nil : data.match.lines
        return manifest
    }

    private func resumeCommand(_ folder: String) -> String {
        var words = CommandLine.arguments.filter { $0 != "--resume" && $0 != "--overwrite" }
        if out == nil { words += ["--out", folder] }
        if let shard, !words.contains(where: { $0.hasPrefix("--shard") }) { words += ["--shard", shard] }
        return (words + ["--resume"]).map(Self.quoted).joined(separator: " ")
    }

    /// As a POSIX shell reads it back.
    private static func quoted(_ word: String) -> String {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { byte in
                switch UInt8(byte) {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "_@%+=:,./-".utf8.contains(byte)
                }
            }
        return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }

    private static func timestamp() -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd-HHmmss"
        return formatter.string(from: Date())
    }
}
