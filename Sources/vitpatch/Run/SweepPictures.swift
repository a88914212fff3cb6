import Formats
import Foundation
import Images
import Report
import Results
import Spec
import ViT

/// The pictures of a sweep's images, made again from its manifest.
struct SweepPictures {
    private var dataset: ImageDataset
    private let indices: [String: Int]
    /// By SPEC text; the reason if a corruption cannot be made again
    private let corruptors: [String: Result<Corruptor, CommandError>]
    private let isRepeated: Bool
    /// The model's preprocessing, if images are shown as the model reads them
    private let preprocessor: Preprocessor?
    /// The most pixels along a side
    private let longest: Int

    /// Warns of pictures that cannot be shown.
    ///
    /// - Parameter data: where the images are now; nil: where the sweep found them
    /// - Returns: nil if the images are gone or have changed
    /// - Throws: an error in this case if `data` is given
    init?(_ manifest: Manifest, data: String?) throws {
        do {
            let path = data ?? manifest.data
            dataset = try data == nil && path == "demo" ? Demo.images() : ImageDataset(path: path)
            dataset.reading.appliesEXIF = manifest.exif == EXIFOrientation.apply.rawValue
            guard dataset.hash == manifest.dataHash else {
                throw CommandError(
                    "\(path) is not what the sweep read: ids, classes or sizes of its files differ from the store's fingerprint"
                )
            }
        } catch  where data == nil {
            Terminal.warning(
                "The report has no pictures: \(Self.sentence(error)). --data PATH says where the images are now.")
            return nil
        }
        let dataset = dataset
        indices = Dictionary((0..<dataset.count).map { (dataset.id($0), $0) }, uniquingKeysWith: { first, _ in first })
        isRepeated = manifest.samples > 1
        longest = manifest.corruptions.count > 1 ? 128 : 256

        let corruptions = try manifest.corruptions.map { try Corruption(spec: $0) }
        let showsPatches = manifest.ownPatches.contains { Int($0.token) != nil }
        var model: Result<(preprocessor: Preprocessor, patchSize: PixelSize), CommandError>?
        if showsPatches || corruptions.contains(where: { $0.stage == .tensor }) {
            model = Self.result { try Self.model(manifest) }
        }
        if showsPatches, case .failure(let error)? = model {
            Terminal.warning("The report draws no image under its patches: \(Self.sentence(error)).")
        }
        preprocessor = showsPatches ? try? model?.get().preprocessor : nil

        var corruptors: [String: Result<Corruptor, CommandError>] = [:]
        for corruption in corruptions where corruption.stage == .source || corruption.stage == .tensor {
            let made = Self.result {
                guard corruption.stage == .tensor, let model = try model?.get() else {
                    return try Corruptor(picturing: corruption, dataset: dataset, seed: manifest.seed)
                }
                return try Corruptor(
                    corruption, dataset: dataset, preprocessor: model.preprocessor, patchSize: model.patchSize,
                    seed: manifest.seed)
            }
            if case .failure(let error) = made {
                Terminal.warning("The report has no corrupted pictures of \(corruption.spec): \(Self.sentence(error)).")
            }
            corruptors[corruption.spec] = made
        }
        self.corruptors = corruptors
    }

    /// - Throws: `ImageError` when the image cannot be read
    func callAsFunction(id: String, corruption spec: String) throws -> ExamplePictures? {
        guard let index = indices[id] else { return nil }
        let image = try dataset.load(index), corruption = try Corruption(spec: spec)
        var pictures = ExamplePictures(clean: try png(image), corrupted: nil)
        if let preprocessor { pictures.input = try png(preprocessor.picture(of: preprocessor(image))) }
        switch corruptors[spec] {
        case .success(let corruptor):
            pictures.corrupted = try corruptor.picture(of: image, index: index, id: id).map(png)
            if corruption.stage == .tensor { pictures.note = "as the model reads it" }
            if corruption.isRandom, isRepeated { pictures.note += (pictures.note.isEmpty ? "" : ", ") + "first draw" }
        case .failure: pictures.note = "The corrupted picture is not available."
        case nil where corruption.stage == .device:
            pictures.note = "Noise is added to the patch embeddings, not to pixels."
        case nil: pictures.note = "The corrupted pass reads the same image."
        }
        return pictures
    }

    /// The clean image with at most 48 pixels along a side.
    /// - Throws: `ImageError` when the image cannot be read
    func thumbnail(id: String) throws -> Data? {
        try indices[id].map { try encodePNG(dataset.load($0).fitted(longest: 48)) }
    }

    private func png(_ image: RGBImage) throws -> Data { try encodePNG(image.fitted(longest: longest)) }

    private static func model(_ manifest: Manifest) throws -> (Preprocessor, PixelSize) {
        let checkpoint = try Model.checkpoint(
            folder: manifest.model == "demo" ? nil : manifest.model, classes: manifest.classes,
            imageSize: manifest.imageSize.flatMap(PixelSize.init))
        guard checkpoint.sha256 == manifest.modelHash else {
            throw CommandError("\(manifest.model) is not the model of the sweep: its SHA-256 differs")
        }
        let preprocessor = try checkpoint.imageReader(
            resize: ResizeLibrary(rawValue: manifest.resize ?? "") ?? .pillow)
        return (preprocessor, checkpoint.config.patchSize)
    }

    private static func result<Value>(_ body: () throws -> Value) -> Result<Value, CommandError> {
        Result(catching: body).mapError { CommandError("\($0)") }
    }

    /// Without the full stop at the end of some errors.
    private static func sentence(_ error: any Error) -> String {
        let text = "\(error)"
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
