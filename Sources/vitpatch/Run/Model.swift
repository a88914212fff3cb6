import CLRuntime
import Files
import Foundation
import Images
import Kernels
import Results
import Spec
import Synchronization
import ViT

/// A model on a device with the images that it can read.
struct Model {
    let checkpoint: Checkpoint
    let preprocessor: Preprocessor
    let library: KernelLibrary
    let encoder: Encoder

    /// - Parameter folder: nil for the demo's colour model
    static func checkpoint(folder: String?) throws -> Checkpoint {
        try folder.map { try Checkpoint.load(folder: $0) } ?? Demo.model(Demo.colour)
    }

    /// - Parameters:
    ///   - resize: nil for what the model's image processor says
    ///   - allTokens: have the last layer compute those too that the classifier does not read
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
                "\(library.context.device.title) has not enough memory for the weights of \(checkpoint.name): \(error)")
        }
    }
}

/// The images of a command, and which class of the model each belongs to.
struct LabelledData: Sendable {
    private(set) var dataset: ImageDataset
    /// Class of the data -> class of the model
    let match: ClassMatch

    /// - Parameters:
    ///   - skipped: takes the images that cannot be read; nil: they are errors
    init(_ settings: SweepSettings, model: ViTConfig, skipped: SkippedImages? = nil) throws {
        dataset = try settings.data.map { try ImageDataset(path: $0) } ?? Demo.images()
        let clipped = FirstOnly()
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
        for note in dataset.notes + [match.warning].compactMap({ $0 }) { Terminal.warning(note) }
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

    /// Refuses images without labels where labels are asked for.
    func requireLabels(_ target: Target, keep: Keep) throws {
        if dataset.isLabelled || (target != .label && keep == .all) { return }
        throw UsageError(
            "\(dataset.name) has images without labels; --target clean with --keep all needs none")
    }

    /// The groups that further columns of a CSV file make; a column of more than 100 values makes none.
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

    /// The hash of an interrupted sweep that goes on, also after a damaged image was replaced by a good one.
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
final class FirstOnly: Sendable {
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
    /// Half of it tells the names and classes of the images in their order, half of it the sizes of their files too.
    var hash: String {
        var names = classNames.joined(separator: "\n") + "\n"
        for i in 0..<count { names += "\(id(i))\t\(classIndex(i).map(String.init) ?? "")\n" }
        return [names, fingerprintInput].map { (sha256Hex([Data($0.utf8)]) ?? "").prefix(32) }.joined()
    }
}
