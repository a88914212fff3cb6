import Formats

/// A corruption made ready for the images of one data set and one model.
///
/// What comes out depends on the image, the seed, the image's id and the sample only. All members may be used from
/// any thread.
package struct Corruptor: Sendable {
    package let corruption: Corruption
    let preprocessor: Preprocessor
    private let seed: UInt64
    private let work: CorruptionWork

    /// Reads what the corruption needs beyond an image: all of the data set for `mean`, the mask's file, and for `pair`
    /// whether every partner is there.
    ///
    /// - Parameters:
    ///   - dataset: all of `--data`; statistics and partners come from all of it.
    ///   - patchSize: of the model.
    ///   - progress: called with the number of images read and of all, where they are read.
    /// - Throws: ``ImageError``, naming the file or size at fault.
    package init(
        _ corruption: Corruption, dataset: ImageDataset, preprocessor: Preprocessor, patchSize: PixelSize, seed: UInt64,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws {
        self.corruption = corruption
        self.preprocessor = preprocessor
        self.seed = seed
        let grid = try PatchGrid(imageSize: preprocessor.imageSize, patchSize: patchSize)
        work = try withoutActuallyEscaping(progress) { progress in
            try corruption.kind.prepare(
                CorruptionSetting(dataset: dataset, preprocessor: preprocessor, grid: grid, progress: progress))
        }
    }

    /// The corrupted image as the model reads it, [3, S, S]; for a corruption that the device applies, the clean one.
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
        let draw = CorruptionDraw(image: image, index: index, id: id, seed: seed, sample: sample)
        return switch work {
        case .keep: clean
        case .pixels(let change): try preprocessor(change(draw))
        case .input(let change): try change(clean, draw)
        }
    }

    /// The corrupted source pixels; those of `image` where the corruption leaves them alone.
    func corruptedPixels(image: RGBImage, index: Int, id: String, sample: Int) throws -> RGBImage {
        guard case .pixels(let change) = work else { return image }
        return try change(CorruptionDraw(image: image, index: index, id: id, seed: seed, sample: sample))
    }
}
