import Foundation
import Images
import Patch
import Results
import Spec
import ViT

extension Sweep {
    /// The manifest of the results of a sweep of these places and sets of places.
    func manifest(_ sweep: LoadedSweep, _ items: [SweepSpec.Item]) throws -> Manifest {
        let setup = sweep.setup, settings = setup.settings, spec = setup.spec, data = setup.data
        let (model, donor) = (sweep.model, sweep.donor)
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
                    window: $0.window, control: $0.isControl, extent: $0.patch.extent(model.checkpoint.config),
                    members: $0.members)
            },
            classNames: model.checkpoint.config.labels, seed: settings.seed, samples: settings.samples,
            offset: settings.offset, limit: settings.limit, shard: settings.shard?.description,
            keep: settings.keep.rawValue, target: setup.target.description, device: device.name, driver: device.driver,
            precision: model.encoder.gemm.precision.rawValue, gemm: model.encoder.gemm.name,
            host: ProcessInfo.processInfo.hostName,
            command: CommandLine.arguments.joined(separator: " "),
            layers: model.encoder.config.layers, logits: logits, control: settings.control,
            preprocessing: model.checkpoint.defaultsText)
        (manifest.foil, manifest.patchWith) = (
            setup.foil.description, settings.patchFile.map { "file:\($0)" } ?? spec.patchWith.rawValue
        )
        manifest.estimates = settings.estimation.names
        (manifest.exact, manifest.exactImages) = (
            settings.exact == .all ? nil : settings.exact.description, settings.exactImages
        )
        manifest.pairs = settings.pairs == .none ? nil : settings.pairs.description
        manifest.shapley = settings.shapley == 0 ? nil : settings.shapley
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
        (manifest.patchFile, manifest.patchFileHash) = (setup.file?.name, setup.file?.sha256)
        return manifest
    }
}
