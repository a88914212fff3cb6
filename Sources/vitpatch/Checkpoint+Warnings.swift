import Images
import Patch
import ViT

extension Checkpoint {
    /// The default preprocessing in words, if the model's folder does not define it; else nil.
    var defaultsText: String? {
        preprocessor == nil ? Preprocessor.defaultsText(imageSize: config.imageSize) : nil
    }

    /// - Parameter resize: nil: as the model's image processor
    func imageReader(resize: ResizeLibrary?) throws -> Preprocessor {
        try Preprocessor(
            config: preprocessor, imageSize: config.imageSize, isScaled: config.imageSize != config.trainedImageSize,
            name: "\(name)/\(preprocessorName ?? "preprocessor_config.json")", library: resize)
    }

    func warnOfDefaults() {
        for note in notes { Terminal.warning(note) }
        guard let defaultsText else {
            for note in (try? imageReader(resize: nil).notes) ?? [] { Terminal.warning(note) }
            return
        }
        Terminal.warning("\(name) has no preprocessor_config.json, so images are \(defaultsText)")
    }

    /// Warns of classes that differ in names or number: the donor's activations can be used, its probabilities cannot.
    func warnOfOtherClasses(than model: Checkpoint) {
        if config.hasClasses(of: model.config) { return }
        let (own, others) = (config.labels, model.config.labels)
        let first = zip(own, others).enumerated().first { $1.0 != $1.1 }
        let what =
            own.count != others.count
            ? "\(own.count) classes and the model \(others.count)"
            : "other classes than the model" + (first.map { ", class \($0) is \($1.0) there and \($1.1) here" } ?? "")
        Terminal.warning("the donor has \(what), so p_donor stays empty")
    }
}
