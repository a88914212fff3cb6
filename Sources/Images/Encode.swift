import CImageIO

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Encodes as 8-bit RGB PNG, lossless: ``decodeImage(_:name:reading:)`` returns the same pixels.
///
/// - Throws: ``ImageError/encode(_:)``
package func encodePNG(_ image: RGBImage) throws -> Data {
    let width = UInt32(image.width), height = UInt32(image.height)  // at most maxImageSide
    var count = cimage_png_bound(width, height)
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { out, filled in
        try withReason(ImageError.encode) {
            cimage_png_encode(image.pixels, width, height, out.baseAddress, &count, $0)
        }
        filled = count
    }
    return Data(bytes)
}
