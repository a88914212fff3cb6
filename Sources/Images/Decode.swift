import CImageIO

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Options for reading image files.
package struct ImageReading: Sendable {
    /// Whether to rotate or flip by EXIF's orientation, as Pillow's `ImageOps.exif_transpose`
    package var appliesEXIF = false
    /// Called with the name of each file whose gray values of more than 8 bits are clipped at 255
    package var onClipped: (@Sendable (String) -> Void)?

    package init(appliesEXIF: Bool = false, onClipped: (@Sendable (String) -> Void)? = nil) {
        (self.appliesEXIF, self.onClipped) = (appliesEXIF, onClipped)
    }
}

/// Decodes an image file, recognised by its first bytes, to the bytes of Pillow's `Image.open(f).convert("RGB")`.
///
/// JPEG: libjpeg-turbo's accurate integer DCT and fancy upsampling; CMYK and YCCK are read as Adobe's inverted ones.
/// PNG: gamma and profiles are ignored. GIF and WebP: the first frame on its canvas. TIFF: the first page, rotated or
/// flipped by its orientation. BMP: 1 to 32 bits, RLE. Alpha and transparency are dropped without compositing. 16-bit
/// samples keep their high byte, except in plain gray, where Pillow saturates at 255. EXIF orientation is ignored
/// unless `reading` applies it. Stricter than Pillow in one way: damaged or missing pixels are always an error, and so
/// are missing end markers of JPEG and PNG.
///
/// - Parameter name: the file name for error messages.
/// - Throws: ``ImageError/decode(name:reason:)``; also if the header claims more than ``maxImageSide`` or
///   ``maxImagePixels``.
package func decodeImage(
    _ data: some ContiguousBytes, name: String, reading: ImageReading = ImageReading()
) throws -> RGBImage {
    try data.withUnsafeBytes { raw in
        let bytes = raw.bindMemory(to: UInt8.self)
        guard let format = ImageFormat(bytes) else {
            throw ImageError.decode(
                name: name, reason: bytes.isEmpty ? "it is empty" : "it is not a \(ImageFormat.list) file")
        }
        let file = ImageFile(format: format, bytes: bytes, name: name)
        let size = try file.size()
        guard let count = pixelCount(size.width, size.height) else {
            throw ImageError.decode(
                name: name,
                reason: "it has \(size.width) x \(size.height) pixels; at most \(maxImageSide) a side and "
                    + "\(maxImagePixels) in all are read"
            )
        }
        var clips = false
        let pixels = try [UInt8](unsafeUninitializedCapacity: count * 3) { out, filled in
            clips = try file.decode(size.width, size.height, into: out)
            filled = count * 3
        }
        if clips { reading.onClipped?(name) }
        let image = RGBImage(unchecked: size.width, size.height, pixels)
        let orientation = format == .tiff ? size.orientation : reading.appliesEXIF ? exifOrientation(bytes, format) : 1
        return image.turned(orientation)
    }
}

package enum ImageFormat: String, CaseIterable {
    case png = "PNG", jpeg = "JPEG", webp = "WebP", gif = "GIF", bmp = "BMP", tiff = "TIFF"

    static let list = "PNG, JPEG, WebP, GIF, BMP or TIFF"

    package init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        func starts(_ text: String, at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: text.utf8) }
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if starts("RIFF"), starts("WEBP", at: 8) {
            self = .webp
        } else if starts("GIF87a") || starts("GIF89a") {
            self = .gif
        } else if starts("BM") {
            self = .bmp
        } else if ["II*\0", "MM\0*", "II+\0", "MM\0+"].contains(where: { starts($0) }) {
            self = .tiff
        } else {
            return nil
        }
    }
}

/// One file's bytes and format.
private struct ImageFile {
    let format: ImageFormat
    let bytes: UnsafeBufferPointer<UInt8>
    let name: String

    private func check(_ call: (UnsafeMutablePointer<CChar>?) -> Bool) throws {
        try withReason({ ImageError.decode(name: name, reason: $0) }, call)
    }

    /// From the header; `orientation` is TIFF's.
    func size() throws -> (width: Int, height: Int, orientation: Int) {
        var width: UInt32 = 0, height: UInt32 = 0, orientation: UInt16 = 1
        let (start, count) = (bytes.baseAddress, bytes.count)
        switch format {
        case .png: try check { cimage_png_size(start, count, &width, &height, $0) }
        case .jpeg: try check { cimage_jpeg_size(start, count, &width, &height, $0) }
        case .webp: try check { cimage_webp_size(start, count, &width, &height, $0) }
        case .gif: try check { cimage_gif_size(start, count, &width, &height, $0) }
        case .tiff: try check { cimage_tiff_size(start, count, &width, &height, &orientation, $0) }
        case .bmp:
            let header = try BMPHeader(bytes, name: name)
            return (header.width, header.height, 1)
        }
        return (Int(width), Int(height), Int(orientation))
    }

    /// - Returns: whether gray values of more than 8 bits were clipped at 255
    func decode(_ width: Int, _ height: Int, into out: UnsafeMutableBufferPointer<UInt8>) throws -> Bool {
        let (start, count, rgb) = (bytes.baseAddress, bytes.count, out.baseAddress)
        let (w, h) = (UInt32(width), UInt32(height))
        var clips = false
        switch format {
        case .png:
            try check { cimage_png_rgb(start, count, w, h, rgb, $0) }
            clips = bytes[24] == 16 && bytes[25] == 0  // IHDR: 16 bits, gray
        case .jpeg: try check { cimage_jpeg_rgb(start, count, w, h, rgb, $0) }
        case .webp: try check { cimage_webp_rgb(start, count, w, h, rgb, $0) }
        case .gif: try check { cimage_gif_rgb(start, count, w, h, rgb, $0) }
        case .tiff: try check { cimage_tiff_rgb(start, count, w, h, rgb, &clips, $0) }
        case .bmp: try BMPHeader(bytes, name: name).decode(bytes, into: out)
        }
        return clips
    }
}

/// Calls a C function that returns false and writes a reason to its buffer on failure; throws that reason.
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
