import CLRuntime
import Files
import Formats
import Foundation
import Images
import Kernels
import Results
import Spec
import Synchronization
import ViT

/// A model on a device, and its preprocessing of images.
struct Model {
    let checkpoint: Checkpoint
    let preprocessor: Preprocessor
    let library: KernelLibrary
    let encoder: Encoder

    /// - Parameter folder: nil for the demo's colour model
    static func checkpoint(folder: String?, classes: String? = nil, imageSize: PixelSize? = nil) throws -> Checkpoint {
        guard let folder else {
            if classes != nil || imageSize != nil {
                throw UsageError("--\(classes != nil ? "classes" : "image-size") goes with --model")
            }
            return try Demo.model(Demo.colour)
        }
        return try Checkpoint.load(
            folder: folder, classes: classes.map { try TextClasses(path: $0) }, imageSize: imageSize)
    }

    static func checkpoint(_ settings: SweepSettings) throws -> Checkpoint {
        try checkpoint(folder: settings.model, classes: settings.classes, imageSize: settings.imageSize)
    }

    /// The donor, with the model's image size and class texts
    static func donor(_ settings: SweepSettings) throws -> Checkpoint? {
        guard let folder = settings.donor else { return nil }
        if folder == "demo" { return try Demo.model(Demo.gray) }
        return try checkpoint(
            folder: folder, classes: settings.classes, imageSize: settings.imageSize)
    }

    /// - Parameters:
    ///   - resize: nil: as the model's image processor
    ///   - allTokens: whether the last layer also computes tokens that the readout does not read
    init(
        _ checkpoint: Checkpoint, context: Context, gemm: GEMMChoice, resize: ResizeLibrary? = nil,
        allTokens: Bool = false
    ) throws {
        self.checkpoint = checkpoint
        preprocessor = try checkpoint.imageReader(resize: resize)
        library = KernelLibrary(context, precision: gemm.precision ?? .fp32)
        encoder = try Self.encoder(checkpoint, library, gemm, allTokens: allTokens)
    }

    private static func encoder(
        _ checkpoint: Checkpoint, _ library: KernelLibrary, _ gemm: GEMMChoice, allTokens: Bool
    ) throws -> Encoder {
        var config = checkpoint.config
        config.computesAllTokens = allTokens
        do throws(CLError) {
            return try Encoder(
                config: config, weights: checkpoint.weights, library: library, gemm: try gemm.make(library))
        } catch {
            guard error.isOutOfMemory else { throw error }
            throw CommandError(
                "\(library.context.device.title) does not have enough memory for the weights of "
                    + "\(checkpoint.name): \(error)")
        }
    }
}

/// The images of a command, and the model's class of each.
struct LabelledData: Sendable {
    private(set) var dataset: ImageDataset
    /// Class of the data -> class of the model
    let match: ClassMatch
    /// By image, the class that the column `foil` of the data names, -1 if it names none; nil without such a column
    let foilColumn: [Int]?

    /// - Parameters:
    ///   - skipped: collects unreadable images; nil: they are errors
    ///   - resuming: the folder of a sweep that is resumed; its data may have lost files since
    init(_ settings: SweepSettings, model: ViTConfig, skipped: SkippedImages? = nil, resuming: String? = nil) throws {
        let allowsMissing = skipped != nil || resuming != nil
        dataset =
            try settings.data.map { try ImageDataset(path: $0, allowsMissing: allowsMissing) } ?? Demo.images()
        if let resuming { Self.restore(&dataset, from: resuming) }
        let clipped = Once()
        dataset.reading = ImageReading(
            appliesEXIF: settings.exif == .apply,
            onClipped: { name in
                clipped.run {
                    Terminal.warning(
                        "\(name) is gray of more than 8 bits; values above 255 are taken as 255, as Pillow does. Convert such "
                            + "images first if they use the whole range.")
                }
            })
        if let skipped { dataset.onUnreadable = { skipped.add($0, $1) } }
        match = try dataset.labelIndices(
            modelLabels: model.labels, classMap: settings.classMap.map { try ClassMap(path: $0) })
        foilColumn = try dataset.labels(inColumn: "foil", modelLabels: model.labels).map { $0.map { $0 ?? -1 } }
        for note in dataset.notes + [match.warning].compactMap({ $0 }) { Terminal.warning(note) }
    }

    /// Restores the entries of missing files, from the list in the sweep's store.
    private static func restore(_ dataset: inout ImageDataset, from folder: String) {
        // Errors of the store are reported when the sweep opens it.
        guard let listed = try? ResultsStore.open(folder: folder).dataset(), !listed.isEmpty else { return }
        _ = dataset.restore(listed.map { .init(id: $0.id, classIndex: $0.classIndex, bytes: $0.bytes) })
    }

    /// The images as a new store lists them
    var listing: [ListedImage] {
        dataset.listing.map { ListedImage(id: $0.id, classIndex: $0.classIndex, bytes: $0.bytes) }
    }

    /// Refuses a foil that is the image's own label.
    func checkFoils(_ foil: Foil, _ target: Target) throws {
        guard foil == .column, target == .label, let foils = foilColumn else { return }
        if let same = foils.indices.first(where: { foils[$0] >= 0 && foils[$0] == label($0) }) {
            throw CommandError("\(dataset.name): the foil of \(dataset.id(same)) is its label; expected another class")
        }
    }

    /// -1 where the image has no label
    func label(_ index: Int) -> Int { dataset.classIndex(index).map { match.map[$0] } ?? -1 }

    /// For `--partner other-class`.
    func partnersOfOtherClasses(seed: UInt64) throws -> Partners {
        guard dataset.isLabelled else {
            throw UsageError("--partner other-class: \(dataset.name) has images without labels")
        }
        guard let partners = Partners(labels: (0..<dataset.count).map(label), seed: seed) else {
            throw UsageError("--partner other-class: all images of \(dataset.name) are of one class")
        }
        return partners
    }

    /// Refuses images without labels if labels are needed.
    func requireLabels(_ target: Target, keep: Keep) throws {
        if dataset.isLabelled || (target != .label && keep == .all) { return }
        throw UsageError(
            "\(dataset.name) has images without labels; --target clean with --keep all needs none")
    }

    /// The groups of further columns of a CSV file; a column of more than 100 values gives none.
    func ownGroups() -> [ImageGroups] {
        dataset.columns.sorted { $0.key < $1.key }.compactMap { column, values in
            if ["corrupted", "foil"].contains(column) { return nil }
            guard Set(values).count <= 100 else {
                Terminal.warning("the column \(column) of \(dataset.name) has more than 100 values and makes no groups")
                return nil
            }
            return ImageGroups(column: column, values: values)
        }
    }

    /// The groups of a file; a warning says how many of its images are not in the data.
    func groups(path: String) throws -> [ImageGroups] {
        do {
            try InputFile.check(path)
        } catch { throw CommandError("cannot read \(path): \(error)") }
        let (groups, unknown) = try ImageGroups.read(path: path, ids: (0..<dataset.count).map(dataset.id))
        if unknown > 0 { Terminal.warning("\(path): \(unknown) of its images are not in the data") }
        return groups
    }

    var hash: String { dataset.hash }

    /// The hash for a resumed sweep: the stored one if only sizes of files differ, as when a damaged image was
    /// replaced.
    func hash(resuming stored: String) -> String {
        let hash = hash
        guard stored != hash, stored.prefix(32) == hash.prefix(32) else { return hash }
        Terminal.warning(
            "Files of \(dataset.name) have changed their size since the sweep began; images that are done already keep their results."
        )
        return stored
    }
}

/// Runs something once, from any thread.
final class Once: Sendable {
    private let isDone = Mutex(false)

    func run(_ body: () -> Void) {
        let isFirst = isDone.withLock { done in
            defer { done = true }
            return !done
        }
        if isFirst { body() }
    }
}

extension ImageDataset {
    /// The first half covers the names and classes of the images in their order, the second half their files' sizes
    /// too.
    var hash: String {
        var names = classNames.joined(separator: "\n") + "\n"
        for i in 0..<count {
            names += "\(id(i))\t\(classIndex(i).map(String.init) ?? "")"
            if let foils = columns["foil"] { names += "\t\(foils[i])" }
            names += "\n"
        }
        return [names, fingerprintInput].map { (sha256Hex([Data($0.utf8)]) ?? "").prefix(32) }.joined()
    }
}
