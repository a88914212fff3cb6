// Images as people look at them: what was done to the model's input, as bytes.

extension RGBImage {
    /// The image, smaller where its longer side has more than `longest` pixels.
    /// - Throws: ``ImageError/size(_:)`` when `longest` is below 1.
    package func fitted(longest: Int) throws -> RGBImage {
        let side = max(width, height)
        guard side > longest else { return self }
        func scaled(_ length: Int) -> Int { max(min(1, longest), (length * longest + side / 2) / side) }
        return try resize(self, width: scaled(width), height: scaled(height), filter: .lanczos)
    }
}

extension Corruptor {
    /// For ``picture(of:index:id:)`` of a corruption of source pixels, which looks the same to every model.
    /// - Throws: ``ImageError``; ``ImageError/corruption(spec:reason:)`` for a corruption at another stage.
    package init(picturing corruption: Corruption, dataset: ImageDataset, seed: UInt64) throws {
        guard corruption.stage == .source else {
            throw ImageError.corruption(spec: corruption.spec, reason: "needs a model to be pictured")
        }
        // A model of one pixel stands in, which no picture sees.
        try self.init(
            corruption, dataset: dataset, preprocessor: Preprocessor(config: nil, imageSize: 1), patchSize: 1,
            seed: seed)
    }

    /// What the corruption makes of an image, for people: the source pixels, or, where it is applied to the model's
    /// input, that input. Of a random corruption the first draw; nil where pixels do not show it (`noise`).
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
