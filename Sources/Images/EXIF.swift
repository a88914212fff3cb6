/// The EXIF orientation of a JPEG, PNG or WebP file, 1 to 8; 1 if there is none or it cannot be read.
package func exifOrientation(_ bytes: UnsafeBufferPointer<UInt8>, _ format: ImageFormat) -> Int {
    let block: Range<Int>? =
        switch format {
        case .jpeg: jpegBlock(bytes)
        case .png:
            // Length, type, data, checksum
            chunk(bytes, from: 8, "eXIf", typeAt: 4, header: 8, length: { big(bytes, $0, 4) }, after: 4)
        case .webp:
            chunk(
                bytes, from: 12, "EXIF", typeAt: 0, header: 8, length: { little(bytes, $0 + 4, 4).map { $0 + $0 % 2 } },
                after: 0)
        case .gif, .bmp, .tiff: nil
        }
    guard var block else { return 1 }
    if bytes[block].starts(with: "Exif\0\0".utf8) { block = block.lowerBound + 6..<block.upperBound }
    return orientation(UnsafeBufferPointer(rebasing: bytes[block]))
}

private func big(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int, _ count: Int) -> Int? {
    guard at >= 0, at <= bytes.count - count else { return nil }
    return bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) }
}

private func little(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int, _ count: Int) -> Int? {
    guard at >= 0, at <= bytes.count - count else { return nil }
    return bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | Int($1) }
}

/// The data of the first APP1 segment marked as EXIF.
private func jpegBlock(_ bytes: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    var at = 2
    while let marker = big(bytes, at, 2), marker > 0xFF00, marker != 0xFFDA, let length = big(bytes, at + 2, 2) {
        let end = at + 2 + length
        guard length >= 2, end <= bytes.count else { return nil }
        if marker == 0xFFE1, bytes[at + 4..<end].starts(with: "Exif\0\0".utf8) { return at + 4..<end }
        at = end
    }
    return nil
}

/// The data of the first chunk of this type.
private func chunk(
    _ bytes: UnsafeBufferPointer<UInt8>, from start: Int, _ type: String, typeAt: Int, header: Int,
    length: (Int) -> Int?, after: Int
) -> Range<Int>? {
    var at = start
    while let length = length(at), length <= bytes.count - at - header {
        if bytes[(at + typeAt)...].starts(with: type.utf8) { return at + header..<at + header + length }
        at += header + length + after
        if at > bytes.count { return nil }
    }
    return nil
}

/// Tag 0x0112 of the first directory of a TIFF structure.
private func orientation(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    let isBig = bytes.starts(with: "MM".utf8)
    guard isBig || bytes.starts(with: "II".utf8) else { return 1 }
    func integer(_ at: Int, _ count: Int) -> Int? { isBig ? big(bytes, at, count) : little(bytes, at, count) }
    guard let directory = integer(4, 4), let count = integer(directory, 2) else { return 1 }
    for i in 0..<count {
        let entry = directory + 2 + 12 * i
        guard let tag = integer(entry, 2) else { return 1 }
        if tag == 0x0112, let type = integer(entry + 2, 2), let value = integer(entry + 8, type == 4 ? 4 : 2) {
            return (1...8).contains(value) ? value : 1
        }
    }
    return 1
}

extension RGBImage {
    /// The image rotated or flipped by an EXIF orientation (1 to 8); unchanged for 1 and any other value.
    func turned(_ orientation: Int) -> RGBImage {
        guard (2...8).contains(orientation) else { return self }
        let swaps = orientation >= 5
        let flipsX = [2, 3, 7, 8].contains(orientation), flipsY = [3, 4, 6, 7].contains(orientation)
        let (w, h) = swaps ? (height, width) : (width, height)
        let turned = [UInt8](unsafeUninitializedCapacity: pixels.count) { out, filled in
            for y in 0..<h {
                for x in 0..<w {
                    let (column, row) = swaps ? (y, x) : (x, y)
                    let from = ((flipsY ? height - 1 - row : row) * width + (flipsX ? width - 1 - column : column)) * 3
                    for c in 0..<3 { out[(y * w + x) * 3 + c] = pixels[from + c] }
                }
            }
            filled = pixels.count
        }
        return RGBImage(unchecked: w, h, turned)
    }
}
