import Formats

/// A corruption prepared for the images of one data set and one model.
///
/// The result depends only on the image, its id, the seed and the sample. All members may be used from any thread.
package struct Corruptor: Sendable {
    package let corruption: Corruption
    let preprocessor: Preprocessor
    private let seed: UInt64
    private let work: CorruptionWork

    /// Reads the corruption's other inputs: the whole data set for `mean`, the file for `mask:FILE`. For `pair`, checks
    /// that every partner exists.
    ///
    /// - Parameters:
    ///   - dataset: all of `--data`, from which means and partners come.
    ///   - patchSize: the model's.
    ///   - progress: called with the number of images read and the total, where images are read.
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

    /// The corrupted model input, [3, height, width]; the clean one for a corruption that the device applies.
    ///
    /// - Parameters:
    ///   - image: the source image.
    ///   - index: its index in the data set.
    ///   - id: its id, which keys the random numbers.
    ///   - sample: the number of the random draw, from 0; ignored by corruptions that are not random.
    ///   - clean: the preprocessed `image`, [3, height, width].
    /// - Throws: ``ImageError`` if the image is too small for `shuffle`, or its partner cannot be read.
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

    /// The corrupted source pixels; `image` itself if the corruption does not change source pixels.
    func corruptedPixels(image: RGBImage, index: Int, id: String, sample: Int) throws -> RGBImage {
        guard case .pixels(let change) = work else { return image }
        return try change(CorruptionDraw(image: image, index: index, id: id, seed: seed, sample: sample))
    }
}
