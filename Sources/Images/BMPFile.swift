/// A BMP file's header and pixel decoder. Reads 1, 4, 8, 16, 24 and 32 bits, RLE4 and RLE8, OS/2's short header and
/// either row order, with Pillow's rounding.
struct BMPHeader {
    let width: Int
    let height: Int
    private let name: String
    private let topDown: Bool
    private let bits: Int
    private let compression: Compression
    /// Bit masks of red, green and blue in a pixel of 16 to 32 bits
    private let masks: [UInt32]
    /// [256, 3]; empty above 8 bits
    private let palette: [UInt8]
    private let pixelsAt: Int

    private enum Compression: Int { case none, rle8, rle4, bitFields }

    /// - Throws: ``ImageError/decode(name:reason:)``
    init(_ bytes: UnsafeBufferPointer<UInt8>, name: String) throws {
        func fail(_ reason: String) -> ImageError { .decode(name: name, reason: reason) }
        func integer(_ at: Int, _ count: Int) throws -> Int {
            guard at >= 0, at + count <= bytes.count else { throw fail("it ends early") }
            return (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        self.name = name
        let size = try integer(14, 4)
        let isShort = size == 12
        guard isShort || [40, 52, 56, 64, 108, 124].contains(size) else {
            throw fail("its header has \(size) bytes, which is not a known BMP header")
        }
        width = try integer(18, isShort ? 2 : 4)
        let rows = try integer(isShort ? 20 : 22, isShort ? 2 : 4)
        topDown = !isShort && rows >= 1 << 31
        height = topDown ? (1 << 32) - rows : rows
        let bits = try integer(isShort ? 24 : 28, 2)
        self.bits = bits
        guard [1, 4, 8, 16, 24, 32].contains(bits) else { throw fail("BMP files with \(bits) bits are not supported") }
        let number = isShort ? 0 : try integer(30, 4)
        guard let compression = Compression(rawValue: number) else {
            throw fail("BMP compression \(number) is not supported")
        }
        self.compression = compression
        switch compression {
        case .none: masks = bits == 16 ? [0x7C00, 0x3E0, 0x1F] : [0xFF0000, 0xFF00, 0xFF]
        case .bitFields:
            let stored = try (0..<3).map { UInt32(try integer(54 + 4 * $0, 4)) }
            masks = stored == [0, 0, 0] ? [0xFF0000, 0xFF00, 0xFF] : stored
            guard bits >= 16, masks.allSatisfy({ Self.isByte($0) || bits == 16 }) else {
                throw fail("its bit fields are not supported")
            }
        case .rle8, .rle4:
            masks = []
            guard bits == (compression == .rle8 ? 8 : 4) else {
                throw fail("its compression does not fit its \(bits) bits")
            }
        }
        var colours: [UInt8] = []
        let colourBytes = isShort ? 3 : 4
        let used = isShort ? 0 : try integer(46, 4), count = used == 0 ? 1 << min(bits, 8) : used
        if bits <= 8 {
            guard count <= 65_536 else { throw fail("its palette has \(count) colours") }
            colours = [UInt8](repeating: 0, count: 768)
            for i in 0..<min(count, 256) {
                for c in 0..<3 { colours[3 * i + c] = UInt8(try integer(14 + size + i * colourBytes + 2 - c, 1)) }
            }
        }
        palette = colours
        pixelsAt = try integer(10, 4)
    }

    private static func isByte(_ mask: UInt32) -> Bool {
        mask != 0 && mask.trailingZeroBitCount % 8 == 0 && mask >> UInt32(mask.trailingZeroBitCount) == 0xFF
    }

    /// - Parameter out: [height, width, 3]
    /// - Throws: ``ImageError/decode(name:reason:)`` where pixels are missing
    func decode(_ bytes: UnsafeBufferPointer<UInt8>, into out: UnsafeMutableBufferPointer<UInt8>) throws {
        if compression == .rle8 || compression == .rle4 {
            let indices = try runs(bytes)
            for y in 0..<height {
                for x in 0..<width { colour(Int(indices[y * width + x]), to: out, row: y, x) }
            }
            return
        }
        let stride = (width * bits + 31) / 32 * 4
        guard pixelsAt <= bytes.count, bytes.count - pixelsAt >= stride * (height - 1) + (width * bits + 7) / 8 else {
            throw ImageError.decode(name: name, reason: "it ends early")
        }
        for y in 0..<height {
            let row = pixelsAt + y * stride
            for x in 0..<width {
                if bits <= 8 {
                    let at = x * bits, byte = Int(bytes[row + at / 8])
                    colour(byte >> (8 - bits - at % 8) & ((1 << bits) - 1), to: out, row: y, x)
                } else {
                    let count = bits / 8, at = row + x * count
                    let pixel = (0..<count).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
                    for (c, mask) in masks.enumerated() {
                        let value = (pixel & mask) >> UInt32(mask.trailingZeroBitCount)
                        out[offset(row: y, x) + c] = UInt8(
                            value * 255 / max(1, mask >> UInt32(mask.trailingZeroBitCount)))
                    }
                }
            }
        }
    }

    /// - Parameter row: in the file's order
    private func offset(row: Int, _ x: Int) -> Int { ((topDown ? row : height - 1 - row) * width + x) * 3 }

    private func colour(_ index: Int, to out: UnsafeMutableBufferPointer<UInt8>, row: Int, _ x: Int) {
        for c in 0..<3 { out[offset(row: row, x) + c] = palette[3 * index + c] }
    }

    /// Palette indices of an RLE image, [height, width] in the file's row order.
    private func runs(_ bytes: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
        let isFour = compression == .rle4, total = width * height
        var at = pixelsAt, x = 0
        var out: [UInt8] = []
        func next() throws -> Int {
            guard at < bytes.count else { throw ImageError.decode(name: name, reason: "it ends early") }
            defer { at += 1 }
            return Int(bytes[at])
        }
        func pad(_ count: Int) { out.append(contentsOf: repeatElement(0, count: min(count, total - out.count))) }
        reading: while out.count < total {
            let count = try next(), value = try next()
            switch (count, value) {
            case (0, 0):
                pad((width - out.count % width) % width)
                x = 0
            case (0, 1): break reading
            case (0, 2):
                pad(try next() + next() * width)
                x = out.count % width
            case (0, _):
                let literal = min(total - out.count, value)
                for i in 0..<(isFour ? (literal + 1) / 2 : literal) {
                    let byte = try next()
                    if isFour {
                        out.append(UInt8(byte >> 4))
                        if 2 * i + 1 < literal { out.append(UInt8(byte & 15)) }
                    } else {
                        out.append(UInt8(byte))
                    }
                }
                x += value
                at += at % 2
            default:
                let run = max(0, min(count, width - x))
                for i in 0..<run { out.append(UInt8(isFour ? (i % 2 == 0 ? value >> 4 : value & 15) : value)) }
                x += run
            }
        }
        guard out.count >= total else { throw ImageError.decode(name: name, reason: "its pixels end early") }
        return out
    }
}
