import Images
import Patch
import Results
import Spec
import ViT

/// What a sweep computes: its options, checked against model, data and files.
struct SweepSetup {
    let settings: SweepSettings
    let checkpoint: Checkpoint
    let donorCheckpoint: Checkpoint?
    /// The results folder
    let folder: String
    let data: LabelledData
    /// Collects unreadable images; nil: they are errors
    let skipped: SkippedImages?
    let target: Target
    let foil: Foil
    let spec: SweepSpec
    /// The places asked for
    let own: [SweepSpec.Item]
    /// The places asked for, then random places
    let items: [SweepSpec.Item]
    /// Indices in the data's order
    let images: [Int]
    /// The activations of `--patch-with file:`
    let file: ActivationFile?
    let groups: [ImageGroups]?

    var corruptions: [Corruption] { settings.corruptions }
    /// `items` as patches
    var places: [Patch] { items.map(\.patch) }
}

extension Sweep {
    /// Reads model, data and files as far as that needs no device, and checks the options against them.
    func setup(_ options: SweepOptions, _ settings: SweepSettings) throws -> SweepSetup {
        let checkpoint = try Model.checkpoint(settings)
        let skipped = unreadable.skipped
        let folder = out ?? slurmTask?.folder ?? "runs/" + Self.timestamp()
        let data = try LabelledData(
            settings, model: checkpoint.config, skipped: skipped, resuming: resume ? folder : nil)
        checkpoint.warnOfDefaults()
        let target = try options.target(among: checkpoint.config.labels)
        try data.requireLabels(target, keep: settings.keep)
        let foil = try options.foil(among: checkpoint.config.labels, hasColumn: data.foilColumn != nil)
        try data.checkFoils(foil, target)
        let spec = try options.spec(for: checkpoint.config)
        try checkNothingIsIgnored(spec)
        if settings.samples > 1, !settings.corruptions.contains(where: \.isRandom) {
            Terminal.warning(
                "--samples \(settings.samples): no corruption of this sweep is random, so every image is run once")
        }
        let own = try spec.items(config: checkpoint.config)
        let items = own + controls(of: own, settings, checkpoint.config)
        let places = items.map(\.patch)
        let images = try chosenImages(settings, count: data.dataset.count)
        let file = try settings.patchFile.map { path in
            let file = try ActivationFile(
                path: path, patches: places, config: checkpoint.config, modelHash: checkpoint.sha256)
            for image in images { _ = try file.position(of: data.dataset.id(image)) }
            return file
        }
        if file != nil, settings.estimation.hasMidpoints {
            throw UsageError(
                "--estimate ig:N with --patch-with file: the points between the two inputs need another image or model; "
                    + "--estimate atp needs none")
        }
        let donorCheckpoint = try Model.donor(settings)
        let ownGroups = data.ownGroups()
        let groups = try groups.map { try data.groups(path: $0) } ?? (ownGroups.isEmpty ? nil : ownGroups)
        if let donorCheckpoint {
            donorCheckpoint.warnOfDefaults()
            try Patch.checkDonor(donorCheckpoint.config, recipient: checkpoint.config, patches: places)
            donorCheckpoint.warnOfOtherClasses(than: checkpoint)
        }
        return SweepSetup(
            settings: settings, checkpoint: checkpoint, donorCheckpoint: donorCheckpoint,
            folder: folder, data: data, skipped: skipped, target: target, foil: foil, spec: spec, own: own,
            items: items, images: images, file: file, groups: groups)
    }
}
