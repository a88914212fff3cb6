import Foundation
import TestSupport
import Testing

@testable import Images

@Suite struct DecodeTests {
    @Test("the same bytes as Pillow", arguments: fixtureNames("decode", ".png", ".jpg"))
    func equalsPillow(file: String) throws {
        let image = try decodeImage(fixture("decode/\(file)"), name: file)
        let expected = try ppm("decode/\(file.dropLast(4)).ppm")
        #expect(image.width == expected.width)
        #expect(image.height == expected.height)
        #expect(image.pixels == expected.pixels)
    }

    @Test func allFixturesAreThere() {
        #expect(fixtureNames("decode", ".png").count == 32)
        #expect(fixtureNames("decode", ".jpg").count == 15)
    }

    @Test func dataAndBytesAlike() throws {
        let bytes = try fixture("decode/rgb8.png")
        #expect(try decodeImage(Data(bytes), name: "a") == decodeImage(bytes, name: "a"))
    }

    @Test func whatFollowsTheEndIsIgnored() throws {
        for file in ["decode/rgb8.png", "decode/420.jpg"] {
            let bytes = try fixture(file)
            #expect(try decodeImage(bytes + [1, 2, 3], name: file) == decodeImage(bytes, name: file))
        }
    }

    @Test(
        "every truncation is an error",
        arguments: [
            "rgb8.png", "rgb8-interlaced.png", "palette4.png", "gray16.png", "420.jpg", "420-progressive.jpg",
            "gray.jpg",
            "cmyk.jpg", "420-restart.jpg",
        ])
    func truncated(file: String) throws {
        let bytes = try fixture("decode/\(file)")
        for count in 0..<bytes.count {
            let text = message { _ = try decodeImage(bytes[..<count], name: file) }
            #expect(
                text?.hasPrefix("\(file) cannot be decoded: ") == true, "cut to \(count) of \(bytes.count) bytes")
        }
    }

    @Test func emptyAndForeign() {
        #expect(
            message { _ = try decodeImage([UInt8](), name: "a.png") } == "a.png cannot be decoded: it is empty.")
        let text = Array("P6, not one of ours".utf8)
        #expect(
            message { _ = try decodeImage(text, name: "b.jpg") }
                == "b.jpg cannot be decoded: it is not a PNG, JPEG, WebP, GIF, BMP or TIFF file.")
    }

    @Test func everyFlippedBitOfPNGDataIsAnError() throws {
        // From IHDR's length to the last CRC, every byte of this file is in a critical chunk with a checksum.
        let bytes = try fixture("decode/gray1.png")
        for i in 8..<bytes.count {
            var broken = bytes
            broken[i] ^= 0x10
            #expect(message { _ = try decodeImage(broken, name: "x.png") } != nil, "byte \(i)")
        }
    }

    @Test func damagedJPEGDataIsAnError() throws {
        // A marker in the middle of the scan ends the scan early.
        var bytes = try fixture("decode/420.jpg")
        let middle = bytes.count - 200
        bytes.replaceSubrange(middle..<middle + 2, with: [0xFF, 0xD9])
        #expect(message { _ = try decodeImage(bytes, name: "x.jpg") }?.contains("Corrupt JPEG data") == true)
    }

    @Test func hugePNGIsRefused() throws {
        var bytes = try fixture("decode/rgb8.png")
        // 65535 x 65535, with the CRC of that header
        bytes.replaceSubrange(16..<24, with: [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF])
        bytes.replaceSubrange(29..<33, with: bigEndian(crc32(bytes[12..<29])))
        #expect(message { _ = try decodeImage(bytes, name: "x.png") }?.contains("65535 x 65535 pixels") == true)
    }

    @Test func hugeJPEGIsRefused() throws {
        var bytes = try fixture("decode/420.jpg")
        let start = try #require(zip(bytes, bytes.dropFirst()).enumerated().first { $1 == (0xFF, 0xC0) }?.offset)
        bytes.replaceSubrange(start + 5..<start + 9, with: [0xFD, 0xE8, 0xFD, 0xE8])
        #expect(message { _ = try decodeImage(bytes, name: "x.jpg") }?.contains("65000 x 65000 pixels") == true)
    }

    @Test func repeatedScansAreRefused() throws {
        let bytes = try fixture("decode/gray-progressive.jpg")
        let scan = try #require(scans(bytes).first)
        let many = bytes[..<scan.upperBound] + (0..<600).flatMap { _ in bytes[scan] } + bytes[scan.upperBound...]
        #expect(
            message { _ = try decodeImage(Array(many), name: "x.jpg") }?.contains("Inconsistent progression")
                == true)
    }

    @Test("random damage gives an error or an image of its size, never a trap")
    func mutations() throws {
        var random = SplitMix64.fresh()
        for file in fixtureNames("decode", ".png", ".jpg") {
            let bytes = try fixture("decode/\(file)")
            for _ in 0..<40 {
                var broken = bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let at = Int.random(in: 8..<broken.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: broken[at] = .random(in: 0...255, using: &random)
                    case 1: broken.remove(at: at)
                    default: broken.insert(.random(in: 0...255, using: &random), at: at)
                    }
                }
                if file.hasSuffix(".png") { mendChecksums(&broken) }
                let image = try? decodeImage(broken, name: file)
                if let image {
                    #expect(image.pixels.count == image.width * image.height * 3, "seed \(random.seed)")
                }
            }
        }
    }
}

@Suite struct GrayscaleTests {
    @Test func equalsPillow() throws {
        #expect(try source().grayscale() == ppm("gray.ppm"))
    }

    @Test func extremesAndTie() throws {
        // The weighted sum of 0, 52, 184 ends in exactly one half, which rounds up.
        let image = try RGBImage(
            width: 5, height: 1, pixels: [0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255, 0, 52, 184])
        #expect(image.grayscale().pixels == [0, 0, 0, 255, 255, 255, 76, 76, 76, 29, 29, 29, 52, 52, 52])
    }

    @Test func sizesAreChecked() {
        #expect(message { _ = try RGBImage(width: 2, height: 2, pixels: [1, 2, 3]) } != nil)
        #expect(message { _ = try RGBImage(width: 0, height: 5, pixels: []) } != nil)
        #expect(message { _ = try RGBImage(width: .max, height: .max, pixels: []) } != nil)
    }
}

private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var crc: UInt32 = .max
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return ~crc
}

private func bigEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
}

/// Recomputes the CRCs, so that damage reaches the code behind the check.
private func mendChecksums(_ bytes: inout [UInt8]) {
    var at = 8
    while at + 12 <= bytes.count {
        let length = bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
        guard at + 12 + length <= bytes.count else { return }
        bytes.replaceSubrange(
            at + 8 + length..<at + 12 + length, with: bigEndian(crc32(bytes[at + 4..<at + 8 + length])))
        at += 12 + length
    }
}

/// From each SOS marker to the next marker after its data
private func scans(_ bytes: [UInt8]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var start: Int?
    for i in 2..<bytes.count - 1
    where bytes[i] == 0xFF && bytes[i + 1] != 0 && !(0xD0...0xD7).contains(bytes[i + 1]) {
        if let from = start { found.append(from..<i) }
        start = bytes[i + 1] == 0xDA ? i : nil
    }
    return found
}
