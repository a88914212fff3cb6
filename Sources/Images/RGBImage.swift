/// The most pixels an image may have, decoded or resized; checked before anything is allocated.
package let maxImagePixels = 64 << 20
/// The most pixels along one side, JPEG's own limit
package let maxImageSide = 65_535

/// An 8-bit RGB image.
package struct RGBImage: Sendable, Equatable {
    package let width: Int
    package let height: Int
    /// [height, width, 3]
    package let pixels: [UInt8]

    /// - Throws: ``ImageError/size(_:)`` unless `pixels` has width * height * 3 bytes and the size is within limits.
    package init(width: Int, height: Int, pixels: [UInt8]) throws {
        guard let count = pixelCount(width, height), pixels.count == count * 3 else {
            throw ImageError.size(
                "An image of \(width) x \(height) pixels cannot be made from \(pixels.count) bytes.")
        }
        self.init(unchecked: width, height, pixels)
    }

    init(unchecked width: Int, _ height: Int, _ pixels: [UInt8]) {
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}

/// width * height, or nil unless both are 1 to ``maxImageSide`` and the product is at most ``maxImagePixels``.
func pixelCount(_ width: Int, _ height: Int) -> Int? {
    let sides = 1...maxImageSide
    guard sides.contains(width), sides.contains(height), width * height <= maxImagePixels else { return nil }
    return width * height
}
