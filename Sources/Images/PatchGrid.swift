/// The model's patches of P x P pixels, counted row by row.
struct PatchGrid: Sendable {
    let imageSize: Int  // S
    let patchSize: Int  // P

    /// - Throws: ``ImageError/size(_:)`` where no patch fits.
    init(imageSize: Int, patchSize: Int) throws {
        guard patchSize >= 1, imageSize >= patchSize else {
            throw ImageError.size(
                "Patches of \(patchSize) x \(patchSize) pixels do not fit into an image of \(imageSize) x \(imageSize)."
            )
        }
        self.imageSize = imageSize
        self.patchSize = patchSize
    }

    /// S / P, rounded down: pixels beyond the last whole patch are not read
    var side: Int { imageSize / patchSize }
    var count: Int { side * side }

    /// The given image, [3, S, S], with these patches set to 0.
    /// - Throws: ``ImageError/size(_:)`` when it has another size.
    func zeroing(_ patches: some Sequence<Int>, in image: [Float]) throws -> [Float] {
        guard image.count == 3 * imageSize * imageSize else {
            throw ImageError.size(
                "A preprocessed image has \(image.count) values, expected 3 x \(imageSize) x \(imageSize).")
        }
        var result = image
        for patch in patches {
            let x = patch % side * patchSize, y = patch / side * patchSize
            for c in 0..<3 {
                for row in y..<y + patchSize {
                    let start = (c * imageSize + row) * imageSize + x
                    for i in start..<start + patchSize { result[i] = 0 }
                }
            }
        }
        return result
    }

    /// The patches where a mask, resized to one pixel each (nearest), is darker than 128.
    func dark(in mask: RGBImage) throws -> [Int] {
        let gray = try resize(mask.grayscale(), width: side, height: side, filter: .nearest)
        return (0..<count).filter { gray.pixels[$0 * 3] < 128 }
    }
}
