import ArgumentParser
import CLRuntime
import Files
import Foundation
import Images
import Patch
import Report
import Spec
import Statistics
import ViT

struct Search: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Find a small set of places that restores the answer, greedily: the best one, then the best to add to it ...",
        discussion: """
            Images are split in two: places are chosen on one half, and the set is measured on the half held out, \
            which --until and the result use. As baselines, the same number of places ranked by their own effect, and \
            random ones, are measured too.

              vitpatch search --limit 100
              vitpatch search --site attn_out --site mlp_out --until 0.9
              vitpatch search --model vit-cifar10 --data cifar-10-batches-bin --limit 1000 --max 10 --out runs/heads
            """)

    @OptionGroup var input: InputOptions

    @Option(.corruption, note: "one of them") var corruption: [String] = []
    @OptionGroup var places: PlaceOptions
    @Option(.patchWith, note: "a search takes clean and file:FILE") var patchWith: String?

    @Option(help: "Stop when this share of the total effect is restored on the images held out; above 1 for no limit.")
    var until = 0.8

    @Option(help: "Largest number of places (default: all).")
    var max: Int?

    @Option(help: "Share of the images, of each class, that is held out; 0 for none.")
    var holdout = 0.5

    @Option(
        help: ArgumentHelp(
            "Search only among this many places, those with the largest gain estimated from gradients on the half searched on (default: all).",
            valueName: "count"))
    var screen: Int?

    @OptionGroup var measure: MeasureOptions

    @Option(
        help: "\(oneOf(SearchMetric.self)): metric of effects and shares.", completion: .choices(SearchMetric.self))
    var metric = SearchMetric.p.rawValue

    @Option(help: ArgumentHelp("Folder for search.csv and search.json.", valueName: "folder"), completion: .directory)
    var out: String?

    @Flag(help: "Replace the search in --out.")
    var overwrite = false

    @Option(help: "\(oneOf(Format.self)), on standard output.", completion: .choices(Format.self))
    var format = Format.text.rawValue

    @OptionGroup var unreadable: UnreadableOptions
    @OptionGroup var running: RunOptions

    enum Format: String, Choice { case text, csv, json }

    func validate() throws {
        if let max, max < 1 { throw UsageError("--max \(max): expected at least 1") }
        if let screen, screen < 1 { throw UsageError("--screen \(screen): expected at least 1") }
        if !(until > 0) { throw UsageError("--until \(until): expected a share above 0, e.g. 0.8") }
        if !(0..<1).contains(holdout) {
            throw UsageError("--holdout \(holdout): expected a share from 0 to below 1, e.g. 0.5")
        }
        try OptionText.check("--out", name: out)
        if overwrite && out == nil { throw UsageError("--overwrite needs --out") }
        _ = try choice("--format", format, Format.self)
        _ = try choice("--metric", metric, SearchMetric.self)
        let settings = try options.settings()
        _ = try corruption(settings)
        if let patchWith, settings.patchFile == nil, PatchWith(spelled: patchWith) != .other {
            throw UsageError("--patch-with \(patchWith): a search puts in the other pass's activations or a file's")
        }
        if places.direction.count > 1 {
            throw UsageError("--direction \(places.direction[1]): a search goes in one direction")
        }
    }

    mutating func run() throws {
        let settings = try options.settings(), corruption = try corruption(settings)
        let checkpoint = try Model.checkpoint(settings)
        checkpoint.warnOfDefaults()
        let labels = checkpoint.config.labels
        let target = try options.target(among: labels)
        let spec = try options.spec(for: checkpoint.config), items = try spec.items(config: checkpoint.config)
        let skipped = unreadable.skipped
        let data = try LabelledData(settings, model: checkpoint.config, skipped: skipped)
        try data.requireLabels(target, keep: settings.keep)
        let foil = try options.foil(among: labels, hasColumn: data.foilColumn != nil)
        try data.checkFoils(foil, target)
        let images = try OptionText.images(settings, count: data.dataset.count)
        let patches = items.map(\.patch)
        let file = try settings.patchFile.map { path in
            let file = try ActivationFile(
                path: path, patches: patches, config: checkpoint.config, modelHash: checkpoint.sha256)
            for image in images { _ = try file.position(of: data.dataset.id(image)) }
            return file
        }
        try checkOut()

        let context = try running.device.context()
        let model = try Model(
            checkpoint, context: context, gemm: try running.device.gemm(for: context.device), resize: settings.resize)
        let memory = try running.memoryBytes()
        func runner(_ candidates: [Patch]) throws -> WaveRunner {
            let plan = try WavePlan(
                encoder: model.encoder, patches: candidates, images: images.count, memory: memory)
            return WaveRunner(
                encoder: model.encoder, library: model.library, plan: plan, file: file,
                onFirstHalving: Experiment.warn(planned: plan, of: model))
        }
        let metric = try choice("--metric", metric, SearchMetric.self)
        func estimator(_ candidates: [Patch]) throws -> AttributionRunner {
            try AttributionRunner(
                encoder: model.encoder,
                backward: try Backward(model.encoder, weights: model.checkpoint.weights, library: model.library),
                library: model.library, patches: candidates,
                estimates: Estimates(methods: [.atp], metrics: [EstimateMetric(rawValue: metric.rawValue) ?? .logOdds]),
                images: images.count, memory: memory, file: file)
        }
        var experiment = Experiment(
            model: model, donor: nil, data: data, target: target, foil: foil, seed: settings.seed,
            samples: settings.samples, file: file, skipped: skipped)
        let interruption = Interruption()
        if settings.noiseDeviation == .data {
            experiment.noiseDeviations = try experiment.measuredNoiseDeviations(
                memory: memory, interruption)
        }
        let run = SearchRun(
            experiment: experiment, corruption: corruption, keep: settings.keep,
            metric: metric, heldOutShare: holdout, screen: screen, runner: runner, estimator: estimator,
            interruption: interruption)
        let start = Date()
        let search = Greedy(candidates: patches, until: until, most: max)
        let outcome = try run.run(search, images: Array(images)) { outcome in
            guard let step = steps(outcome, items).last else { return }
            func percent(_ share: RecoveredShare) -> String {
                share.share.isFinite ? String(format: "%.1f%%", 100 * share.share) : "no share"
            }
            Terminal.standardError(
                "step \(step.step): \(step.place), \(percent(step.headline)) of the total effect"
                    + (step.heldOut == nil ? "" : " held out, \(percent(step.searched)) searched on") + "\n")
        }

        let seconds = Date().timeIntervalSince(start)
        skipped?.report()
        var result = result(
            outcome, items, search, settings, direction: spec.direction[0], target: target, model: model, data: data,
            seen: images.count)
        result.skipped = skipped.map(\.count)
        result.screened = outcome.screened?.count
        (result.patchFile, result.patchFileHash) = (file?.name, file?.sha256)
        (result.metric, result.metricTitle) = (run.metric.rawValue, run.metric.title)
        (result.foil, result.noiseSD) = (foil.description, settings.noiseDeviation.rawValue)
        switch try choice("--format", format, Format.self) {
        case .text: Terminal.standardOutput(result.text(colour: Terminal.colour))
        case .csv: Terminal.standardOutput(result.csv())
        case .json: Terminal.standardOutput(try result.json())
        }
        if let out, outcome.end != nil || !outcome.steps.isEmpty {
            try write(result.csv(), to: out, "search.csv")
            try write(result.json(), to: out, "search.json")
        }
        Terminal.standardError(
            "\(outcome.passes) passes in \(Progress.measured(seconds)) "
                + "(\(Int(Double(outcome.passes) / Swift.max(seconds, 1e-3))) passes/s)\n")
        if outcome.end == nil { throw ExitCode(130) }
    }

    // MARK: What the options mean

    private var options: SweepOptions {
        var options = SweepOptions(input, places, measure)
        options.set(flag: .corruption, corruption)
        options.set(flag: .patchWith, one(patchWith))
        options.set(flag: .window, ["1"])
        if places.site.isEmpty { options.set(flag: .site, [Site.z.rawValue]) }
        return options
    }

    private func corruption(_ settings: SweepSettings) throws -> Corruption {
        guard settings.corruptions.count == 1, let corruption = settings.corruptions.first else {
            throw UsageError("--corruption \(corruption.joined(separator: " ")): a search takes one corruption")
        }
        if corruption == .none {
            throw UsageError("--corruption none removes nothing that a search could bring back")
        }
        return corruption
    }

    // MARK: Results

    private func steps(_ outcome: SearchRun.Outcome, _ items: [SweepSpec.Item]) -> [SearchResult.Step] {
        zip(outcome.chosen, outcome.steps).enumerated().map { index, chosen in
            let (item, step) = (items[chosen.0], chosen.1)
            return SearchResult.Step(
                step: index + 1, site: item.site, layer: item.layer, head: item.head, token: item.token,
                searched: step.searched, heldOut: step.heldOut, ranked: step.ranked, random: step.random)
        }
    }

    private func result(
        _ outcome: SearchRun.Outcome, _ items: [SweepSpec.Item], _ search: Greedy, _ settings: SweepSettings,
        direction: Direction, target: Target, model: Model, data: LabelledData, seen: Int
    ) -> SearchResult {
        let device = model.encoder.context.device
        return SearchResult(
            version: vitpatchVersion, model: settings.model ?? "demo", modelHash: model.checkpoint.sha256,
            data: settings.data ?? "demo", dataHash: data.hash, corruption: settings.corruptions[0].spec,
            direction: direction.rawValue, target: target.description, keep: settings.keep.rawValue,
            seed: settings.seed, samples: settings.samples, until: until, device: device.name,
            gemm: model.encoder.gemm.name,
            seen: seen, searched: outcome.searched, heldOut: outcome.heldOut, candidates: items.count,
            totalEffect: outcome.totalEffect, heldOutTotalEffect: outcome.heldOutTotalEffect,
            stopped: outcome.end?.rawValue ?? "interrupted",
            baselines: outcome.baselinesAreHeldOut ? "held_out" : "searched", steps: steps(outcome, items),
            set: search.set(outcome.chosen).parts.map {
                SearchResult.SetPart(
                    site: $0.site.rawValue, layers: $0.layers, heads: $0.heads, tokens: $0.tokens)
            })
    }

    /// Checks --out before the search, whose hours of work would be lost otherwise.
    private func checkOut() throws {
        guard let out else { return }
        do {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        } catch {
            throw CommandError("--out \(out): the folder cannot be created: \(systemReason(error))")
        }
        for name in ["search.csv", "search.json"]
        where !overwrite && FileManager.default.fileExists(atPath: out + "/" + name) {
            throw CommandError("\(out)/\(name) already exists; --overwrite replaces it")
        }
        guard FileManager.default.isWritableFile(atPath: out) else {
            throw CommandError("--out \(out): the folder cannot be written to")
        }
    }

    private func write(_ text: String, to folder: String, _ name: String) throws {
        try AtomicFile.write(
            text.utf8, to: "\(folder)/\(name)",
            keeping: [input.model, input.data, (try? options.settings())?.patchFile].compactMap { $0 })
    }
}
