import CImageIO

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Decodes a PNG or JPEG, told apart by its first bytes, to the bytes of Pillow's `Image.open(f).convert("RGB")`.
///
/// JPEG: libjpeg-turbo's accurate integer DCT and fancy upsampling; CMYK and YCCK are taken as Adobe's inverted ones.
/// PNG: alpha and transparency are dropped without compositing, gamma and profiles are ignored, 16-bit samples keep
/// their high byte, except in plain gray, where Pillow saturates at 255. EXIF orientation is ignored.
/// Stricter than Pillow in one way: data that is damaged or missing, the end marker included, is always an error.
///
/// - Parameter name: the file name for error messages.
/// - Throws: ``ImageError/decode(name:reason:)``; also when the header claims more than ``maxImageSide`` or
///   ``maxImagePixels``.
package func decodeImage(_ data: some ContiguousBytes, name: String) throws -> RGBImage {
    try data.withUnsafeBytes { raw in
        let bytes = raw.bindMemory(to: UInt8.self)
        let format = try Format(bytes, name: name)
        let (width, height) = try format.size(bytes, name: name)
        guard let count = pixelCount(width, height) else {
            throw ImageError.decode(
                name: name,
                reason:
                    "it has \(width) x \(height) pixels; at most \(maxImageSide) a side and \(maxImagePixels) in all are read"
            )
        }
        let pixels = try [UInt8](unsafeUninitializedCapacity: count * 3) { out, filled in
            try format.decode(bytes, width, height, into: out, name: name)
            filled = count * 3
        }
        return RGBImage(unchecked: width, height, pixels)
    }
}

private enum Format {
    case png, jpeg

    init(_ bytes: UnsafeBufferPointer<UInt8>, name: String) throws {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else {
            throw ImageError.decode(
                name: name, reason: bytes.isEmpty ? "it is empty" : "it is neither a PNG nor a JPEG file")
        }
    }

    func size(_ bytes: UnsafeBufferPointer<UInt8>, name: String) throws -> (width: Int, height: Int) {
        var width: UInt32 = 0, height: UInt32 = 0
        let read = self == .png ? cimage_png_size : cimage_jpeg_size
        try withReason({ ImageError.decode(name: name, reason: $0) }) {
            read(bytes.baseAddress, bytes.count, &width, &height, $0)
        }
        return (Int(width), Int(height))
    }

    func decode(
        _ bytes: UnsafeBufferPointer<UInt8>, _ width: Int, _ height: Int,
        into out: UnsafeMutableBufferPointer<UInt8>,
        name: String
    ) throws {
        let decode = self == .png ? cimage_png_rgb : cimage_jpeg_rgb
        try withReason({ ImageError.decode(name: name, reason: $0) }) {
            decode(bytes.baseAddress, bytes.count, UInt32(width), UInt32(height), out.baseAddress, $0)
        }
    }
}

/// Calls a C function that writes its reason to the given buffer when it returns false, and throws that reason.
func withReason(_ error: (String) -> ImageError, _ call: (UnsafeMutablePointer<CChar>?) -> Bool) throws {
    var reason = ""
    let done = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CIMAGE_ERROR_SIZE)) { buffer in
        buffer.initialize(repeating: 0)
        let done = call(buffer.baseAddress)
        if !done {
            reason = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        return done
    }
    if !done { throw error(reason.hasSuffix(".") ? String(reason.dropLast()) : reason) }
}
