import Foundation
import Synchronization
import Testing

@testable import Images

private let names = fixtureNames("formats", ".webp", ".gif", ".bmp", ".tiff")

/// Files that scripts/fixtures/formats.py made with Pillow, and Pillow's pixels for them.
@Suite struct FormatTests {
    @Test("the same bytes as Pillow", arguments: names)
    func equalsPillow(file: String) throws {
        let image = try decodeImage(fixture("formats/\(file)"), name: file)
        let expected = try ppm("formats/\(file.replacingOccurrences(of: ".", with: "-")).ppm")
        #expect((image.width, image.height) == (expected.width, expected.height))
        let wrong = zip(image.pixels, expected.pixels).count { $0 != $1 }
        #expect(image.pixels == expected.pixels, "\(wrong) of \(expected.pixels.count) bytes differ")
    }

    @Test func allFixturesAreThere() {
        for (ending, count) in [(".webp", 5), (".gif", 11), (".bmp", 14), (".tiff", 37)] {
            #expect(fixtureNames("formats", ending).count == count, "\(ending)")
        }
    }

    /// Kinds of TIFF that Pillow reads in a way of its own, or not at all
    @Test func otherKindsOfTIFFAreRefusedInASentence() throws {
        let photometric: [UInt8] = [6, 1, 3, 0, 1, 0, 0, 0]  // the tag, before its value
        for (file, value, reason) in [
            ("rgb-raw", 6, "TIFF's YCbCr is read in JPEG compression only"),
            ("gray12", 0, "1 samples of 12 bits with TIFF's photometric interpretation 0 are not supported"),
        ] as [(String, UInt8, String)] {
            var other = try fixture("formats/\(file).tiff")
            let at = try #require((0..<other.count - 8).first { Array(other[$0..<$0 + 8]) == photometric })
            other[at + 8] = value
            let error = #expect(throws: ImageError.self) { try decodeImage(other, name: "x.tiff") }
            #expect(error.map { "\($0)".contains(reason) } == true, "\(String(describing: error))")
        }
    }

    @Test(
        "EXIF's orientation is ignored, and applied where asked for",
        arguments: fixtureNames("formats/exif", ".jpg", ".png", ".webp"))
    func exif(file: String) throws {
        let bytes = try fixture("formats/exif/\(file)")
        let plain = try decodeImage(bytes, name: file)
        let turned = try decodeImage(bytes, name: file, reading: ImageReading(appliesEXIF: true))
        #expect((plain.width, plain.height) == (7, 4))
        #expect(try turned == ppm("formats/exif/\(file.replacingOccurrences(of: ".", with: "-")).ppm"))
    }

    @Test("a format is known by its content and not by its name")
    func contentCounts() throws {
        let bytes = try fixture("formats/lossless.webp")
        #expect(try decodeImage(bytes, name: "a.jpg") == decodeImage(bytes, name: "a.webp"))
    }

    @Test(
        "gray of more than 8 bits is said",
        arguments: [
            ("formats/gray16.tiff", true), ("formats/float.tiff", true), ("decode/gray16.png", true),
            ("formats/rgb16.tiff", false), ("decode/rgb16.png", false), ("formats/gray.tiff", false),
        ])
    func clipping(file: String, clips: Bool) throws {
        let said = Mutex<[String]>([])
        _ = try decodeImage(
            fixture(file), name: file, reading: ImageReading(onClipped: { name in said.withLock { $0.append(name) } }))
        #expect(said.withLock { $0 } == (clips ? [file] : []))
    }

    @Test("a cut file is an error or has all its pixels", arguments: names)
    func truncated(file: String) throws {
        let bytes = try fixture("formats/\(file)")
        let whole = try decodeImage(bytes, name: file)
        var errors = 0
        for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 200)) {
            do {
                let image = try decodeImage(bytes[..<count], name: file)
                #expect(image == whole, "cut to \(count) of \(bytes.count) bytes")
            } catch let error as ImageError {
                #expect(error.description.hasPrefix("\(file) cannot be decoded: "))
                errors += 1
            }
        }
        #expect(errors > 20)
    }
}
