/// A corruption made ready for the images of one data set and one model.
///
/// What comes out depends on the image, the seed, the image's id and the sample only. All members may be used from
/// any thread.
package struct Corruptor: Sendable {
    package let corruption: Corruption
    let preprocessor: Preprocessor
    private let seed: UInt64
    private let work: Work

    private enum Work: Sendable {
        case keep
        /// ``Corruption/apply(to:)``
        case pixels
        case shuffle(cells: Int)
        /// That many random patches
        case zeroRandom(PatchGrid, count: Int)
        case zero(PatchGrid, patches: [Int])
        /// [3, S, S]
        case replace([Float])
        /// A path for each image
        case partners([String])
    }

    /// Reads what the corruption needs beyond an image: all of the data set for `mean`, the mask's file, and for `pair`
    /// whether every partner is there.
    ///
    /// - Parameters:
    ///   - dataset: all of `--data`; statistics and partners come from all of it.
    ///   - patchSize: P, which divides the preprocessor's S.
    ///   - progress: called with the number of images read and of all, where they are read.
    /// - Throws: ``ImageError``, naming the file or size at fault.
    package init(
        _ corruption: Corruption, dataset: ImageDataset, preprocessor: Preprocessor, patchSize: Int, seed: UInt64,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws {
        self.corruption = corruption
        self.preprocessor = preprocessor
        self.seed = seed
        let grid = try PatchGrid(imageSize: preprocessor.imageSize, patchSize: patchSize)
        work =
            switch corruption {
            case .none, .noise: .keep
            case .grayscale, .blur, .channel: .pixels
            case .shuffle(let cells): .shuffle(cells: cells)
            case .mask(let fraction): .zeroRandom(grid, count: Int((fraction * Double(grid.count)).rounded()))
            case .maskFile(let path): .zero(grid, patches: try grid.dark(in: decodeImage(readFile(path), name: path)))
            case .mean: .replace(try dataset.meanInput(preprocessor, progress: progress))
            case .pair(let folder): .partners(try dataset.partners(in: folder))
            }
    }

    /// The corrupted image as the model reads it, [3, S, S]; for `noise`, which the device adds, the clean one.
    ///
    /// - Parameters:
    ///   - image: the source image.
    ///   - index: its index in the data set.
    ///   - id: its id, for random choices.
    ///   - sample: the number of the random draw, from 0; other corruptions ignore it.
    ///   - clean: what the preprocessor makes of `image`, [3, S, S].
    /// - Throws: ``ImageError`` when the image is too small for `shuffle`, or the partner cannot be read.
    package func callAsFunction(
        image: RGBImage, index: Int, id: String, sample: Int, clean: [Float]
    ) throws -> [Float] {
        switch work {
        case .keep:
            return clean
        case .pixels, .shuffle, .partners:
            return try preprocessor(corruptedPixels(image: image, index: index, id: id, sample: sample))
        case .zeroRandom(let grid, let count):
            return try grid.zeroing(key(id, sample, .mask).permutation(grid.count).prefix(count), in: clean)
        case .zero(let grid, let patches):
            return try grid.zeroing(patches, in: clean)
        case .replace(let mean):
            return mean
        }
    }

    /// The corrupted source pixels; those of `image` where the corruption leaves them alone.
    func corruptedPixels(image: RGBImage, index: Int, id: String, sample: Int) throws -> RGBImage {
        switch work {
        case .keep, .zeroRandom, .zero, .replace:
            return image
        case .pixels:
            return try corruption.apply(to: image)
        case .shuffle(let cells):
            guard cells <= min(image.width, image.height) else {
                throw ImageError.corruption(
                    spec: corruption.spec,
                    reason: "needs images of at least \(cells) x \(cells) pixels, but \(id) has "
                        + "\(image.width) x \(image.height)")
            }
            let order = key(id, sample, .shuffle).permutation(cells * cells, mayBeIdentity: false)
            return image.shuffled(cells: cells, order: order)
        case .partners(let paths):
            guard paths.indices.contains(index) else {
                throw ImageError.corruption(
                    spec: corruption.spec, reason: "has \(paths.count) partners, and none for image \(index), \(id)")
            }
            return try decodeImage(readFile(paths[index]), name: paths[index])
        }
    }

    private func key(_ id: String, _ sample: Int, _ purpose: RandomKey.Purpose) -> RandomKey {
        RandomKey(seed: seed, imageID: id, sample: sample, purpose: purpose)
    }
}
