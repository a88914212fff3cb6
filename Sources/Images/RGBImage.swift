/// The most pixels an image may have, decoded or resized; checked before anything is allocated.
package let maxImagePixels = 64 << 20
/// The most pixels along one side, which is JPEG's own limit
package let maxImageSide = 65_535

/// An 8-bit RGB image.
package struct RGBImage: Sendable, Equatable {
    package let width: Int
    package let height: Int
    /// [height, width, 3]
    package let pixels: [UInt8]

    /// - Throws: ``ImageError/size(_:)`` unless `pixels` has width * height * 3 bytes, within the limits.
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

    /// ITU-R 601-2 luma copied to three channels: the bytes of Pillow's `convert("L").convert("RGB")`.
    package func grayscale() -> RGBImage {
        let count = pixels.count
        let gray = [UInt8](unsafeUninitializedCapacity: count) { out, filled in
            pixels.withUnsafeBufferPointer { source in
                for i in stride(from: 0, to: count, by: 3) {
                    let r = UInt32(source[i]), g = UInt32(source[i + 1]), b = UInt32(source[i + 2])
                    // The weights sum to 65536, so this is at most 255.
                    let luma = UInt8(truncatingIfNeeded: (19595 &* r &+ 38470 &* g &+ 7471 &* b &+ 0x8000) >> 16)
                    out[i] = luma
                    out[i + 1] = luma
                    out[i + 2] = luma
                }
            }
            filled = count
        }
        return RGBImage(unchecked: width, height, gray)
    }

    /// Channel 0, 1 or 2 copied to all three
    func copying(channel: Int) -> RGBImage {
        var copies = pixels
        for i in stride(from: 0, to: copies.count, by: 3) {
            let value = pixels[i + channel]
            for c in 0..<3 { copies[i + c] = value }
        }
        return RGBImage(unchecked: width, height, copies)
    }
}

/// width * height, or nil unless both are 1 to ``maxImageSide`` and the product is at most ``maxImagePixels``.
func pixelCount(_ width: Int, _ height: Int) -> Int? {
    let sides = 1...maxImageSide
    guard sides.contains(width), sides.contains(height), width * height <= maxImagePixels else { return nil }
    return width * height
}
