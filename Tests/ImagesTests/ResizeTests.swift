import Foundation
import TestSupport
import Testing

@testable import Images

@Suite struct ResizeTests {
    @Test("the same bytes as Pillow", arguments: fixtureNames("resize", ".ppm"))
    func equalsPillow(file: String) throws {
        let filter = try #require(Resample.allCases.first { file.hasPrefix("\($0)-") })
        let expected = try ppm("resize/\(file)")
        let resized = try resize(source(), width: expected.width, height: expected.height, filter: filter)
        #expect(resized == expected)
    }

    @Test func allFixturesAreThere() {
        #expect(fixtureNames("resize", ".ppm").count == Resample.allCases.count * 9)
    }

    @Test func sameSizeIsTheSameImage() throws {
        let image = try source()
        for filter in Resample.allCases {
            #expect(try resize(image, width: image.width, height: image.height, filter: filter) == image)
        }
    }

    @Test(
        "random sizes, against the definition in Double",
        arguments: [Resample.bilinear, .bicubic, .lanczos, .hamming])
    func definition(filter: Resample) throws {
        var random = SplitMix64.fresh()
        for _ in 0..<6 {
            let w = Int.random(in: 1...40, using: &random), h = Int.random(in: 1...40, using: &random)
            let image = try random.image(width: w, height: h)
            let width = Int.random(in: 1...60, using: &random), height = Int.random(in: 1...60, using: &random)
            let resized = try resize(image, width: width, height: height, filter: filter)
            var expected = image.pixels.map(Double.init)
            if h - height > 2 * max(0, w - width) {
                expected = transposed(reference(transposed(expected, w, h), h, w, height, filter), height, w)
                expected = reference(expected, w, height, width, filter)
            } else {
                expected = reference(expected, w, h, width, filter)
                expected = transposed(
                    reference(transposed(expected, width, h), h, width, height, filter), height, width)
            }
            // Weights have 22 bits, so a value next to a tie may round the other way, once in each pass; the second
            // pass may amplify the first one's difference by its overshoot, less than 1.3 in all.
            let worst = zip(resized.pixels, expected).map { abs(Double($0) - $1) }.max() ?? 0
            #expect(worst <= 2, "\(w) x \(h) to \(width) x \(height), seed \(random.seed)")
        }
    }

    @Test func boxOverWholeBlocksIsTheMean() throws {
        var random = SplitMix64.fresh()
        let image = try random.image(width: 12, height: 6)
        let resized = try resize(image, width: 3, height: 6, filter: .box)
        for i in 0..<3 * 6 {
            for c in 0..<3 {
                let block = (0..<4).map { Int(image.pixels[(i * 4 + $0) * 3 + c]) }
                #expect(Int(resized.pixels[i * 3 + c]) == (block.reduce(0, +) + 2) / 4, "seed \(random.seed)")
            }
        }
    }

    @Test func oneColourStaysThatColour() throws {
        for value: UInt8 in [0, 1, 127, 255] {
            let image = try RGBImage(width: 13, height: 7, pixels: .init(repeating: value, count: 13 * 7 * 3))
            for filter in Resample.allCases {
                let resized = try resize(image, width: 29, height: 3, filter: filter)
                #expect(resized.pixels.allSatisfy { $0 == value }, "\(filter), \(value)")
            }
        }
    }

    @Test func impossibleSizesAreErrors() throws {
        let image = try source()
        for (w, h) in [(0, 5), (5, 0), (-1, 5), (1 << 20, 1 << 20), (.max, .max), (70_000, 1), (.min, 1)] {
            #expect(
                message { _ = try resize(image, width: w, height: h, filter: .bilinear) } != nil, "\(w) x \(h)")
        }
    }

    /// Resizes the rows of [height, width, 3] to `out` columns with exact weights, rounded to bytes.
    private func reference(_ image: [Double], _ width: Int, _ height: Int, _ out: Int, _ filter: Resample)
        -> [Double]
    {
        let scale = Double(width) / Double(out), stretch = max(1, scale)
        var result = [Double](repeating: 0, count: height * out * 3)
        for x in 0..<out {
            let center = (Double(x) + 0.5) * scale
            var weights = [Double](repeating: 0, count: width)
            for i in 0..<width { weights[i] = kernel(filter, (Double(i) + 0.5 - center) / stretch) }
            let total = weights.reduce(0, +)
            for y in 0..<height {
                for c in 0..<3 {
                    var sum = 0.0
                    for i in 0..<width { sum += image[(y * width + i) * 3 + c] * weights[i] }
                    let rounded = (sum / total).rounded()
                    result[(y * out + x) * 3 + c] = min(max(rounded, 0), 255)
                }
            }
        }
        return result
    }

    private func transposed(_ image: [Double], _ width: Int, _ height: Int) -> [Double] {
        var result = image
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<3 { result[(x * height + y) * 3 + c] = image[(y * width + x) * 3 + c] }
            }
        }
        return result
    }

    private func kernel(_ filter: Resample, _ x: Double) -> Double {
        let a = abs(x)
        func sinc(_ t: Double) -> Double { t == 0 ? 1 : sin(.pi * t) / (.pi * t) }
        switch filter {
        case .nearest, .box: return 0  // see the fixture tests: ties at the edges depend on rounding
        case .bilinear: return max(0, 1 - a)
        case .hamming: return a < 1 ? sinc(a) * (0.54 + 0.46 * cos(.pi * a)) : 0
        case .bicubic:
            if a < 1 { return 1.5 * a * a * a - 2.5 * a * a + 1 }
            return a < 2 ? -0.5 * a * a * a + 2.5 * a * a - 4 * a + 2 : 0
        case .lanczos: return a < 3 ? sinc(a) * sinc(a / 3) : 0
        }
    }
}
