import ArgumentParser
import CLRuntime
import Files
import Foundation
import Images
import Patch
import Report
import Spec
import ViT

struct Activations: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write every image's activations to a .safetensors file.",
        discussion: """
            One array a site and layer, clean.SITE.LAYER and with --corruption corrupted.SITE.LAYER, float32: [images, T, D], \
            [images, H, T, Dh] for z, q, k and v, [images, H, T, T] for pattern; embed has layer 0. The metadata holds the images' \
            ids as JSON. sweep --patch-with file:FILE puts such arrays in.

              vitpatch activations --site z --layers 3,7 --out z.safetensors
              vitpatch activations --site resid_post --tokens cls --corruption grayscale --limit 1000 --out cls.safetensors
            """)

    @OptionGroup var input: InputOptions
    @Option(.site, absent: "none: it must be given") var site: [String] = []
    @Option(.layers) var layers: String?
    @Option(.tokens, note: "all that the LIST names, in their order") var tokens: String?
    @Option(.corruption, absent: "none: clean activations alone", note: "one of them") var corruption: [String] = []

    @Option(help: ArgumentHelp("File to write.", valueName: "file"), completion: .file(extensions: ["safetensors"]))
    var out: String

    @Flag(help: "Replace the file --out.")
    var overwrite = false

    @OptionGroup var running: RunOptions

    func validate() throws {
        try OptionText.check("--out", name: out)
        if site.isEmpty { throw UsageError("--site is missing; valid are \(oneOf(Site.self))") }
        let settings = try options.settings()
        guard settings.corruptions.count == 1 else {
            throw UsageError("--corruption \(corruption.joined(separator: " ")): activations takes one corruption")
        }
        if let both = site.first(where: { $0.contains("+") }) {
            throw UsageError("--site \(both): every site has arrays of its own; repeat --site")
        }
    }

    mutating func run() throws {
        let settings = try options.settings()
        if !overwrite, case .file = FileKind(out) {
            throw CommandError("\(out) already exists; --overwrite replaces it")
        }
        let checkpoint = try Model.checkpoint(settings)
        checkpoint.warnOfDefaults()
        let config = checkpoint.config
        let spec = try options.spec(for: config)
        let data = try LabelledData(settings, model: config)
        let images = try OptionText.images(settings, count: data.dataset.count)
        let context = try running.device.context()
        let model = try Model(
            checkpoint, context: context, gemm: try running.device.gemm(for: context.device), resize: settings.resize,
            allTokens: true)
        let isCorrupted = !corruption.isEmpty
        let run = ActivationRun(
            experiment: Experiment(
                model: model, donor: nil, data: data, target: .clean, seed: settings.seed, samples: 1,
                isSingle: !isCorrupted),
            corruption: settings.corruptions[0], isCorrupted: isCorrupted, images: Array(images),
            sites: site.compactMap(Site.init(rawValue:)),
            layers: try indices(spec.layers.map { try ListText.parse($0, below: config.layers) }),
            tokens: try indices(ListText.tokens(spec.tokens, config: config)), memory: try running.memoryBytes())
        let file = try AtomicFile(out, keeping: [settings.model, settings.data].compactMap { $0 })
        let size = try run.write(to: file, metadata: metadata(settings, model, data, run))
        Terminal.standardError(
            "\(counted(images.count, "image")), \(counted(run.names.count, "array")), \(size / 1_000_000) MB in \(out)\n"
        )
    }

    private var options: SweepOptions {
        var options = SweepOptions(input)
        options.set(flag: .site, site)
        options.set(flag: .layers, one(layers))
        options.set(flag: .tokens, one(tokens))
        options.set(flag: .corruption, corruption.isEmpty ? [Corruption.none.spec] : corruption)
        return options
    }

    /// All indices that a LIST names, ascending; nil: all.
    private func indices(_ items: [ListText.Item]?) throws -> [Int]? {
        guard let items, items.allSatisfy({ $0.indices != nil }) else { return nil }
        return Set(items.flatMap { $0.indices ?? [] }).sorted()
    }

    private func metadata(
        _ settings: SweepSettings, _ model: Model, _ data: LabelledData, _ run: ActivationRun
    ) throws -> [String: String] {
        func json(_ value: some Encodable) throws -> String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .withoutEscapingSlashes
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        }
        var found = [
            "ids": try json(run.images.map(data.dataset.id)), "version": vitpatchVersion,
            "model": settings.model ?? "demo", ActivationFile.modelHashKey: model.checkpoint.sha256,
            "data": settings.data ?? "demo", "data_hash": data.hash, "seed": "\(settings.seed)",
            "offset": "\(settings.offset)", "device": model.encoder.context.device.name,
            "precision": model.encoder.gemm.precision.rawValue, "gemm": model.encoder.gemm.name,
            "resize": model.preprocessor.library.rawValue,
        ]
        if run.isCorrupted { found["corruption"] = run.corruption.spec }
        if let tokens = run.tokens { found["tokens"] = try json(tokens) }
        return found
    }
}
