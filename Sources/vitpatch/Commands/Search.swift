import ArgumentParser
import CLRuntime
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
            "Find a small set of places that brings the answer back, greedily: the best one, then the best to add to it ...",
        discussion: """
            Images are split in two: places are chosen on one half, and the set is measured on the half held out, which --until and \
            the result go by. Beside it stand as many places ranked by their effect alone, and random ones.

              vitpatch search --limit 100
              vitpatch search --site attn_out --site mlp_out --until 0.9
              vitpatch search --model vit-cifar10 --data cifar-10-batches-bin --limit 1000 --max 10 --out runs/heads
            """)

    @Option(
        help:
            "Hugging Face folder: config.json, model.safetensors, preprocessor_config.json if there (default: the demo's)."
    )
    var model: String?

    @Option(help: "Folder of class subfolders with PNG/JPEG, or a CIFAR-10/100 folder (default: the demo's images).")
    var data: String?

    @Option(help: ArgumentHelp("As of sweep, one of them.", valueName: "spec"))
    var corruption = "grayscale"

    @Option(help: "restore (clean into corrupted) | noise (corrupted into clean: the places that break most).")
    var direction = Direction.restore.rawValue

    @Option(
        help:
            "\(Site.allCases.map(\.rawValue).joined(separator: " ")); repeatable; joined with + they are one place (default: z)."
    )
    var site: [String] = []

    @Option(help: "Layers to choose from, a LIST (default: all); 0+5 is one place.")
    var layers: String?

    @Option(help: "each | all | LIST, for z q k v pattern.")
    var heads = "each"

    @Option(help: "all | each | cls | patches | LIST | rectangles of the patch grid, 3:6x2:5.")
    var tokens = "all"

    @Option(help: "Stop when this share of the total effect is back on the images held out; above 1 for no limit.")
    var until = 0.8

    @Option(help: "At most so many places (default: all).")
    var max: Int?

    @Option(help: "Share of the images, of each class, that is held out; 0 for none.")
    var holdout = 0.5

    @Option(help: "label | clean: the class whose probability is tracked.")
    var target = Target.label.rawValue

    @Option(help: "all | clean-correct | flipped: which images count; applied after --limit.")
    var keep = Keep.all.rawValue

    @Option(help: "At most so many images.")
    var limit: Int?

    @Option(help: "Skip so many images first.")
    var offset = 0

    @Option(help: "Seed of noise, masks, shuffles, random orders and intervals.")
    var seed: UInt64 = 0

    @Option(help: "Noise draws per image, whose probabilities are averaged.")
    var samples = 1

    @Option(help: "Most device memory to use, e.g. 4G.")
    var memory: String?

    @Option(help: "Folder for search.csv and search.json.")
    var out: String?

    @Flag(help: "Replace the search in --out.")
    var overwrite = false

    @Option(help: "text | csv | json, on standard output.")
    var format = Format.text.rawValue

    @OptionGroup var device: DeviceOptions
    @OptionGroup var precision: PrecisionOptions

    private enum Format: String, CaseIterable { case text, csv, json }

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): expected at least 1") }
        if let max, max < 1 { throw ValidationError("--max \(max): expected at least 1") }
        if samples < 1 || samples > 10_000 { throw ValidationError("--samples \(samples): expected 1 to 10000") }
        if offset < 0 { throw ValidationError("--offset \(offset): expected at least 0") }
        if !(until > 0) { throw ValidationError("--until \(until): expected a share above 0, e.g. 0.8") }
        if !(0..<1).contains(holdout) {
            throw ValidationError("--holdout \(holdout): expected a share from 0 to below 1, e.g. 0.5")
        }
        if overwrite && out == nil { throw ValidationError("--overwrite needs --out") }
        _ = try choice("--direction", direction, Direction.self)
        _ = try choice("--target", target, Target.self)
        _ = try choice("--keep", keep, Keep.self)
        _ = try choice("--format", format, Format.self)
        _ = try memory.map { try OptionText.bytes($0, option: "--memory") }
        _ = try parsedCorruption()
        do { for site in site { _ = try SweepSpec.parse(site) } } catch { throw ValidationError("\(error)") }
    }

    mutating func run() throws {
        let checkpoint = try Model.checkpoint(folder: model)
        let items = try items(checkpoint.config)
        let data = try LabelledData(path: data, model: checkpoint.config)
        let images = try OptionText.images(count: data.dataset.count, offset: offset, limit: limit)
        try checkOut()

        let context = try device.context()
        let model = try Model(checkpoint, context: context, gemm: try device.gemm(for: context.device, precision))
        let patches = items.map(\.patch)
        let plan = try WavePlan(
            encoder: model.encoder, patches: patches, images: images.count,
            memory: try memory.map { try OptionText.bytes($0, option: "--memory") })
        let run = SearchRun(
            waves: Waves(
                model: model, donor: nil, data: data, target: try choice("--target", target, Target.self), seed: seed,
                samples: samples),
            corruption: try parsedCorruption(), keep: try choice("--keep", keep, Keep.self), heldOutShare: holdout,
            runner: WaveRunner(
                encoder: model.encoder, library: model.library, plan: plan,
                onFirstHalving: Waves.warn(planned: plan, of: model)),
            interruption: Interruption())
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
        let result = result(outcome, items, search, model: model, data: data, seen: images.count)
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

    private func parsedCorruption() throws -> Corruption {
        let corruption: Corruption
        do { corruption = try Corruption(spec: self.corruption) } catch { throw ValidationError("\(error)") }
        if corruption == .none {
            throw ValidationError("--corruption none removes nothing that a search could bring back")
        }
        return corruption
    }

    /// The places to choose from
    private func items(_ config: ViTConfig) throws -> [SweepSpec.Item] {
        var spec = SweepSpec()
        spec.direction = [try choice("--direction", direction, Direction.self)]
        spec.site = site.isEmpty ? [Site.z.rawValue] : site
        spec.window = [1]
        spec.layers = layers
        spec.heads = heads
        spec.tokens = tokens
        do { return try spec.items(config: config) } catch { throw ValidationError("\(error)") }
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
        _ outcome: SearchRun.Outcome, _ items: [SweepSpec.Item], _ search: Greedy, model: Model, data: LabelledData,
        seen: Int
    ) -> SearchResult {
        let device = model.encoder.context.device
        return SearchResult(
            version: vitpatchVersion, model: self.model ?? "demo", modelHash: model.checkpoint.sha256,
            data: self.data ?? "demo", dataHash: data.hash, corruption: corruption, direction: direction,
            target: target,
            keep: keep, seed: seed, samples: samples, until: until, device: device.name, gemm: model.encoder.gemm.name,
            seen: seen, searched: outcome.searched, heldOut: outcome.heldOut, candidates: items.count,
            totalEffect: outcome.totalEffect, heldOutTotalEffect: outcome.heldOutTotalEffect,
            stopped: outcome.end?.rawValue ?? "interrupted",
            baselines: outcome.baselinesAreHeldOut ? "held_out" : "searched", steps: steps(outcome, items),
            set: search.set(outcome.chosen).parts.map {
                SearchResult.SetPart(
                    site: $0.site.rawValue, layers: $0.layers, heads: $0.heads, tokens: $0.tokens)
            })
    }

    /// Before the search, so that its hours are not lost.
    private func checkOut() throws {
        guard let out else { return }
        do {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        } catch {
            throw CommandError("--out \(out): the folder cannot be made: \(error.localizedDescription)")
        }
        for name in ["search.csv", "search.json"]
        where !overwrite && FileManager.default.fileExists(atPath: out + "/" + name) {
            throw CommandError("\(out)/\(name) is there already; --overwrite replaces it")
        }
        guard FileManager.default.isWritableFile(atPath: out) else {
            throw CommandError("--out \(out): the folder cannot be written to")
        }
    }

    private func write(_ text: String, to folder: String, _ name: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder).appendingPathComponent(name), options: .atomic)
        } catch {
            throw CommandError("\(folder)/\(name) cannot be written: \(error.localizedDescription)")
        }
    }
}
