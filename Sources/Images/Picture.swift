// Pictures for people: corrupted images and model inputs as RGB bytes.

extension RGBImage {
    /// The image, scaled down so that its longer side has at most `longest` pixels.
    /// - Throws: ``ImageError/size(_:)`` if `longest` is below 1.
    package func fitted(longest: Int) throws -> RGBImage {
        let side = max(width, height)
        guard side > longest else { return self }
        func scaled(_ length: Int) -> Int { max(min(1, longest), (length * longest + side / 2) / side) }
        return try resize(self, width: scaled(width), height: scaled(height), filter: .lanczos)
    }
}

extension Corruptor {
    /// For ``picture(of:index:id:)`` of a corruption of source pixels, which does not depend on the model.
    /// - Throws: ``ImageError``; ``ImageError/corruption(spec:reason:)`` for a corruption at another stage.
    package init(picturing corruption: Corruption, dataset: ImageDataset, seed: UInt64) throws {
        guard corruption.stage == .source else {
            throw ImageError.corruption(spec: corruption.spec, reason: "needs a model to be pictured")
        }
        // A placeholder model of one pixel; pictures of source pixels do not use it.
        try self.init(
            corruption, dataset: dataset, preprocessor: Preprocessor(config: nil, imageSize: 1), patchSize: 1,
            seed: seed)
    }

    /// A picture of the corrupted image: the source pixels, or the model's input if the corruption acts there. The
    /// first draw of a random corruption; nil if pixels cannot show it (`noise`).
    ///
    /// - Throws: ``ImageError``, as ``callAsFunction(image:index:id:sample:clean:)``
    package func picture(of image: RGBImage, index: Int, id: String) throws -> RGBImage? {
        switch corruption.stage {
        case .none: return image
        case .device: return nil
        case .source: return try corruptedPixels(image: image, index: index, id: id, sample: 0)
        case .tensor:
            let input = try self(image: image, index: index, id: id, sample: 0, clean: preprocessor(image))
            return try preprocessor.picture(of: input)
        }
    }
}
