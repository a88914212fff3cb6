import Formats

/// The model's grid of patches, counted row by row.
struct PatchGrid: Sendable {
    let imageSize: PixelSize
    let patchSize: PixelSize

    /// - Throws: ``ImageError/size(_:)`` if no patch fits.
    init(imageSize: PixelSize, patchSize: PixelSize) throws {
        guard patchSize.height >= 1, patchSize.width >= 1, imageSize.height >= patchSize.height,
            imageSize.width >= patchSize.width
        else {
            throw ImageError.size(
                "Patches of \(patchSize.pixels) pixels do not fit into an image of \(imageSize.pixels)."
            )
        }
        self.imageSize = imageSize
        self.patchSize = patchSize
    }

    /// Rounded down: the model does not read pixels beyond the last whole patch
    var rows: Int { imageSize.height / patchSize.height }
    var columns: Int { imageSize.width / patchSize.width }
    var count: Int { rows * columns }

    /// A copy of the image, [3, height, width], with these patches set to 0.
    /// - Throws: ``ImageError/size(_:)`` if the image has another size.
    func zeroing(_ patches: some Sequence<Int>, in image: [Float]) throws -> [Float] {
        guard image.count == 3 * imageSize.count else {
            throw ImageError.size(
                "A preprocessed image has \(image.count) values, expected 3 x \(imageSize.height) x \(imageSize.width)."
            )
        }
        var result = image
        for patch in patches {
            let x = patch % columns * patchSize.width, y = patch / columns * patchSize.height
            for c in 0..<3 {
                for row in y..<y + patchSize.height {
                    let start = (c * imageSize.height + row) * imageSize.width + x
                    for i in start..<start + patchSize.width { result[i] = 0 }
                }
            }
        }
        return result
    }

    /// The patches where the mask, resized to one pixel per patch (nearest), is darker than 128.
    func dark(in mask: RGBImage) throws -> [Int] {
        let gray = try resize(mask.grayscale(), width: columns, height: rows, filter: .nearest)
        return (0..<count).filter { gray.pixels[$0 * 3] < 128 }
    }
}
