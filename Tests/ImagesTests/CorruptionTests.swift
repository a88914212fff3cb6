import Foundation
import TestSupport
import Testing

@testable import Images

/// Parsing and canonical spelling
@Suite struct CorruptionSpecTests {
    @Test(
        "every corruption, and its number in one spelling",
        arguments: [
            ("none", "none"), ("grayscale", "grayscale"), ("mean", "mean"),
            ("blur:2", "blur:2"), ("blur:0.50", "blur:0.5"),
            ("blur:1000", "blur:1000"), ("noise:3", "noise:3"),
            ("noise:5e-1", "noise:0.5"), ("noise:0", "noise:0"),
            ("noise:1e-7", "noise:1e-07"), ("channel:r", "channel:r"),
            ("channel:g", "channel:g"), ("channel:b", "channel:b"),
            ("shuffle:02", "shuffle:2"), ("mask:0", "mask:0"),
            ("mask:1.0", "mask:1"), ("mask:.25", "mask:0.25"),
            ("mask:a,b:c/0.5.PNG", "mask:a,b:c/0.5.PNG"),
            ("pair:/data/a,b", "pair:/data/a,b"),
            ("pair:c:d", "pair:c:d"), ("pair", "pair"),
        ])
    func valid(spec: String, spelled: String) throws {
        let corruption = try Corruption(spec: spec)
        #expect(try Corruption.list(spec: spec) == [corruption])
        #expect(corruption.spec == spelled)
        #expect(try Corruption(spec: spelled) == corruption)
    }

    @Test(arguments: [
        ("noise:0.5,1,2,4.0", ["noise:0.5", "noise:1", "noise:2", "noise:4"]), ("blur:2,1", ["blur:2", "blur:1"]),
        ("mask:0.25,0.5", ["mask:0.25", "mask:0.5"]), ("shuffle:2,4", ["shuffle:2", "shuffle:4"]),
        ("channel:b,r", ["channel:b", "channel:r"]),
    ])
    func lists(spec: String, each: [String]) throws {
        #expect(try Corruption.list(spec: spec).map(\.spec) == each)
        #expect(
            message { _ = try Corruption(spec: spec) }
                == "The corruption '\(spec)' has \(each.count) values, expected one.")
    }

    @Test(arguments: ["", "gray", "Grayscale", ":", " none", "blurry:2"])
    func unknown(spec: String) {
        let text = message { _ = try Corruption(spec: spec) }
        #expect(text?.contains("'\(spec)' is unknown; valid are none, grayscale, blur:SIGMA") == true)
    }

    @Test(arguments: [
        ("grayscale:1", "takes no value"), ("none:", "takes no value"), ("mean:/data", "takes no value"),
        ("blur", "lacks its value, as in 'blur:2'"), ("noise:", "lacks its value, as in 'noise:3'"),
        ("mask", "lacks its value, as in 'mask:0.5'"),
        ("pair:", "lacks its value, as in 'pair:DIR'"),
        ("blur:0", "has the value '0', expected a number of source pixels from 0.1 to 1000"),
        ("noise:-1", "has the value '-1', expected a number of standard deviations from 0 to 1000"),
        ("channel:x", "has the value 'x', expected r, g or b"),
        ("shuffle:1", "has the value '1', expected a whole number of cells a side from 2 to 1000"),
        ("mask:1.5", "has the value '1.5', expected a fraction from 0 to 1, or an image file"),
        ("noise:1,,2", "has the value '', expected a number of standard deviations from 0 to 1000"),
        ("noise:1,2,1.0", "has the value '1.0' twice"),
    ])
    func invalid(spec: String, reason: String) {
        #expect(message { _ = try Corruption(spec: spec) } == "The corruption '\(spec)' \(reason).")
    }

    @Test(arguments: [
        "blur:-1", "blur:nan", "blur:inf", "blur:1001", "blur: 1", "blur:1px", "noise:nan", "noise:inf", "noise:1e400",
        "channel:R", "channel:0", "channel:rgb", "shuffle:0", "shuffle:-2", "shuffle:2.5", "shuffle:65536",
        "shuffle:99999999999999999999", "mask:-0.1", "mask:-0.0", "noise:-0", "blur:1e-320", "shuffle:1001", "mask:nan",
        "mask:half", "mask:0.5,1.5",
    ])
    func outOfRange(spec: String) {
        #expect(message { _ = try Corruption.list(spec: spec) }?.contains("', expected ") == true)
    }
}

/// source.png corrupted, before resizing
private func corrupted(_ spec: String) throws -> RGBImage {
    let image = try source()
    let data = try ImageDataset(
        name: "memory", classNames: ["a"], ids: ["0"], labels: [0], width: image.width, height: image.height,
        pixels: image.pixels)
    let corruptor = try Corruptor(
        Corruption(spec: spec), dataset: data, preprocessor: Preprocessor(config: nil, imageSize: 4), patchSize: 2,
        seed: 0)
    return try corruptor.corruptedPixels(image: image, index: 0, id: "0", sample: 0)
}

/// Corruptions of source pixels
@Suite struct CorruptionPixelTests {
    @Test(
        "the bytes of Pillow and scipy",
        arguments: [
            ("grayscale", "gray"), ("channel:r", "corrupt/channel-r"), ("channel:g", "corrupt/channel-g"),
            ("channel:b", "corrupt/channel-b"), ("blur:0.3", "corrupt/blur-0.3"), ("blur:1", "corrupt/blur-1"),
            ("blur:2.5", "corrupt/blur-2.5"), ("blur:7.25", "corrupt/blur-7.25"),
        ])
    func equalsFixture(spec: String, file: String) throws {
        #expect(try corrupted(spec) == ppm(file + ".ppm"))
    }

    @Test func noneKeepsTheImage() throws {
        #expect(try corrupted("none") == source())
    }

    @Test func blurKeepsAConstantImage() throws {
        for (width, height, sigma) in [(1, 1, 1000.0), (5, 1, 0.7), (1, 9, 3), (6, 4, 40), (3, 3, 5e-324)] {
            for value in [0, 1, 127, 255] as [UInt8] {
                let image = try RGBImage(
                    width: width, height: height, pixels: Array(repeating: value, count: width * height * 3))
                #expect(image.blurred(sigma: sigma) == image)
            }
        }
    }

    @Test func aTinyBlurChangesNothing() throws {
        var random = SplitMix64.fresh()
        let image = try random.image(width: 6, height: 5)
        #expect(image.blurred(sigma: 1e-3) == image, "seed \(random.seed)")
    }

    /// A separable filter is the outer product of its weights; here summed pixel by pixel.
    @Test func blurEqualsItsDefinition() throws {
        var random = SplitMix64.fresh()
        for _ in 0..<10 {
            let width = Int.random(in: 1...9, using: &random), height = Int.random(in: 1...9, using: &random)
            let sigma = Double.random(in: 0.3...2, using: &random)
            let image = try random.image(width: width, height: height)
            let blurred = image.blurred(sigma: sigma)
            let radius = Int((4 * sigma).rounded(.up))
            func weight(_ x: Int) -> Double { exp(-Double(x * x) / (2 * sigma * sigma)) }
            let total = (-radius...radius).map(weight).reduce(0, +)
            for y in 0..<height {
                for x in 0..<width {
                    for c in 0..<3 {
                        var sum = 0.0
                        for dy in -radius...radius {
                            for dx in -radius...radius {
                                let row = min(max(y + dy, 0), height - 1), column = min(max(x + dx, 0), width - 1)
                                sum += weight(dx) * weight(dy) * Double(image.pixels[(row * width + column) * 3 + c])
                            }
                        }
                        let value = sum / (total * total)
                        // Within half a step, plus the rounding of the sums
                        let difference = abs(value - Double(blurred.pixels[(y * width + x) * 3 + c]))
                        #expect(difference < 0.5 + 1e-9, "seed \(random.seed)")
                    }
                }
            }
        }
    }
}
