import ArgumentParser
import Foundation
import Patch
import Report
import Results
import Spec

struct Sweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Patch every requested place on every image, and measure how much of the answer is restored.",
        discussion: """
            LIST is one patch per item: 0,5,7 and 0-11 make several patches, 0+5 one patch of both.

            Ctrl-C ends a sweep after the current wave (exit code 130) and prints the command that resumes it. \
            Finished waves are kept, even if the program is killed.

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
    @Option(.pairs) var pairs: String?
    @Option(.shapley) var shapley: String?
    @OptionGroup var estimates: EstimateOptions
    @OptionGroup var measure: MeasureOptions

    @Option(
        help: ArgumentHelp(
            "CSV of image id and group columns (image,<column>,...), for effects by group.", valueName: "file"),
        completion: .file())
    var groups: String?

    @Flag(
        help:
            "Keep every pass's full logits in the results, for other metrics later; with --samples, their means over the draws."
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

    @Flag(help: "Resume the interrupted sweep in --out.")
    var resume = false

    @Flag(help: "Replace the results in --out.")
    var overwrite = false

    @Flag(name: .customLong("report"), help: "Write the report too, when the sweep is done: see vitpatch report.")
    var writesReport = false

    @Flag(help: "Print the number of evaluations and the share saved at the end.")
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
        if try flags().settings().exact == .none, logits {
            throw UsageError("--logits: --exact none leaves no exact passes, whose logits they are")
        }
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

        let setup = try setup(options, settings)
        let sweep = try load(setup)
        let sets = try placeSets(sweep)
        let items = setup.items + sets.items
        let patches = items.map(\.patch)
        let (data, images, corruptions) = (setup.data, setup.images, setup.corruptions)
        let (folder, skipped) = (setup.folder, setup.skipped)
        let estimates = settings.estimation
        let exactImages = ExactChoice.images(
            settings.exactImages, of: try OptionText.images(settings, count: data.dataset.count), seed: settings.seed)
        // A sweep that does not fit the memory is refused before anything is replaced.
        let wholePlan =
            settings.exact == .all ? try sweep.plan(patches, images: exactImages?.count ?? images.count) : nil

        var manifest = try manifest(sweep, items)
        manifest.pairCount = sets.pairs
        let store = sweep.store(try start(manifest, setup), keepLogits: logits, profiler: sweep.profiler)
        if let groups = setup.groups { try store.existing?.setGroups(groups) }
        func isGone(_ image: Int) -> Bool { resume && data.dataset.missing.contains(image) }
        func todo(_ done: (Int) throws -> Set<Int>, _ images: [Int]) throws -> [[Int]] {
            try corruptions.indices.map { corruption in
                let done = try done(corruption)
                return images.filter { !done.contains($0) && !isGone($0) }
            }
        }
        func unfinished() throws -> [[Int]] {
            let exact = exactImages.map { exact in images.filter(exact.contains) } ?? images
            return try todo(
                { try store.existing?.completedImages(corruption: $0) ?? [] }, settings.exact == .none ? [] : exact)
        }
        let all = images.count * corruptions.count
        let left = try corruptions.indices.map { corruption in
            let done = try store.existing?.completedImages(corruption: corruption) ?? []
            return images.filter { !done.contains($0) }
        }
        let done = all - left.map(\.count).reduce(0, +)
        let gone = resume ? try leaveOutMissing(of: data, left, settings, patches) : []
        if resume { Terminal.standardError("\(done) of \(all) images are done already.\n") }

        let run = sweep.run(items, into: store)
        var outcome = SweepTally.Outcome()
        do {
            let inputs = try run.prepare(hasMidpoints: estimates.hasMidpoints, sweep.interruption)
            if !estimates.methods.isEmpty {
                outcome = try EstimateRun(sweep: run, estimates: estimates, exactImages: exactImages).run(
                    images: try todo({ try store.existing?.completedEstimates(corruption: $0) ?? [] }, images), inputs,
                    sweep.interruption)
                if !outcome.interrupted { try sayEstimated(outcome, patches: patches.count) }
            }
            if !outcome.interrupted, settings.exact != .none {
                let chosen = try chosenPatches(settings, estimates, of: patches, store)
                outcome = try run.run(
                    images: try unfinished(), chosen: chosen,
                    plan: try wholePlan
                        ?? sweep.plan(chosen.map { patches[$0] }, images: exactImages?.count ?? images.count),
                    keep: estimates.methods.isEmpty ? settings.keep : .all, inputs, sweep.interruption)
            }
        } catch is Interrupted {
            outcome.interrupted = true
        }
        skipped?.report()
        if let profiler = sweep.profiler { Terminal.standardError(try profiler.finish()) }
        if outcome.interrupted {
            guard let store = store.existing else {
                Terminal.standardError("Interrupted before the first wave; \(folder) is as it was.\n")
                throw ExitCode(130)
            }
            let inStore = try corruptions.indices.map { try store.completedImages(corruption: $0).count }.reduce(0, +)
            try store.close()
            Terminal.standardError(
                "Interrupted; \(inStore) of \(all) images are in \(folder). Resume with:\n  "
                    + resumeCommand(folder) + "\n")
            throw ExitCode(130)
        }
        let results = try store.open()
        let leftOut = skipped == nil && gone.isEmpty ? nil : (skipped?.names ?? []) + gone
        try results.finish(skipped: leftOut)
        // Opened again if the manifest has changed
        let shown = leftOut == nil && results.manifest.skipped == nil ? results : try ResultsStore.open(folder: folder)
        Terminal.standardOutput(
            try summaryText(
                store: shown, colour: Terminal.colour, width: min(Terminal.width, 100)))
        try report(outcome, folder: folder, peaks: sweep.contexts.map(\.peakBytes))
        try results.close()
        if writesReport { try ReportCommand.write(folder: folder) }
    }

    /// The store that `--resume` continues, or a new one, which is made with the first wave.
    private func start(_ manifest: Manifest, _ setup: SweepSetup) throws -> SweepStore.Start {
        if resume {
            var manifest = manifest
            manifest.dataHash = setup.data.hash(
                resuming: try ResultsStore.open(folder: setup.folder).manifest.dataHash)
            return .resumed(try ResultsStore.resume(folder: setup.folder, manifest: manifest))
        }
        return .new(
            try ResultsError.naming("--resume continues it, --overwrite replaces it") {
                try NewStore(
                    folder: setup.folder, manifest: manifest, groups: setup.groups ?? [], dataset: setup.data.listing,
                    overwrite: overwrite)
            })
    }

    /// Prints the cost of the sweep, and where its results are.
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

    var slurmTask: SlurmTask? { SlurmTask(environment: ProcessInfo.processInfo.environment) }

    /// The flags given that decide what is computed
    private func flags() throws -> SweepOptions {
        var options = SweepOptions(input, places, estimates, measure)
        let texts: [(SweepKey, [String])] = [
            (.donor, one(donor)), (.corruption, corruption), (.window, window), (.neurons, one(neurons)),
            (.patchWith, one(patchWith)), (.partner, one(partner)), (.control, one(control)), (.pairs, one(pairs)),
            (.shapley, one(shapley)), (.shard, one(shard)),
        ]
        for (key, texts) in texts { options.set(flag: key, texts) }
        try options.set(ablate: ablate)
        return options
    }
}
