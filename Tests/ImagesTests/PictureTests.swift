import Foundation
import TestSupport
import Testing

@testable import Images

@Suite struct PictureTests {
    @Test("a PNG gives the same pixels back", arguments: [(1, 1), (1, 77), (77, 1), (32, 32), (301, 5)])
    func roundTrip(width: Int, height: Int) throws {
        var random = SplitMix64.fresh()
        let image = try random.image(width: width, height: height)
        let png = try encodePNG(image)
        #expect(try decodeImage(png, name: "x.png") == image, "seed \(random.seed)")
        #expect(try encodePNG(image) == png)
    }

    /// Larger than the most that libpng writes in one IDAT chunk, and hard to compress.
    @Test func largePNG() throws {
        var random = SplitMix64.fresh()
        let image = try random.image(width: 700, height: 650)
        #expect(try decodeImage(encodePNG(image), name: "x.png") == image, "seed \(random.seed)")
    }

    @Test func fittedKeepsTheShape() throws {
        var random = SplitMix64.fresh()
        func size(_ width: Int, _ height: Int) throws -> [Int] {
            let image = try random.image(width: width, height: height).fitted(longest: 64)
            return [image.width, image.height]
        }
        #expect(try size(64, 20) == [64, 20] && size(128, 64) == [64, 32] && size(30, 130) == [15, 64])
        #expect(try size(1000, 1) == [64, 1])
        #expect(message { _ = try random.image(width: 2, height: 2).fitted(longest: 0) } != nil)
    }

    @Test(
        "rescaling and normalising are undone",
        arguments: [
            "{}", #"{"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}"#, #"{"do_normalize": false}"#,
            #"{"do_rescale": false}"#, #"{"image_std": -2, "rescale_factor": 0.1}"#,
        ])
    func inputAsPicture(config: String) throws {
        var random = SplitMix64.fresh()
        let preprocessor = try Preprocessor(config: Data(config.utf8), imageSize: 16)
        let image = try random.image(width: 16, height: 16)
        #expect(try preprocessor.picture(of: preprocessor(image)) == image, "seed \(random.seed)")
        #expect(message { _ = try preprocessor.picture(of: [0, 1]) } != nil)
        let outside = try preprocessor.picture(of: [.nan, .infinity, -.infinity] + Array(repeating: 0, count: 765))
        #expect(outside.pixels.count == 768)
    }

    @Test func corruptionsAsPictures() throws {
        var random = SplitMix64.fresh()
        let image = try random.image(width: 12, height: 12)
        let data = try ImageDataset(
            name: "memory", classNames: ["a"], ids: ["one"], labels: [0], width: 12, height: 12, pixels: image.pixels)
        let preprocessor = try Preprocessor(config: nil, imageSize: 12)
        func picture(_ spec: String) throws -> RGBImage? {
            let corruption = try Corruption(spec: spec)
            let corruptor =
                corruption.stage == .source
                ? try Corruptor(picturing: corruption, dataset: data, seed: 7)
                : try Corruptor(corruption, dataset: data, preprocessor: preprocessor, patchSize: 3, seed: 7)
            return try corruptor.picture(of: image, index: 0, id: "one")
        }
        #expect(try picture("none") == image && picture("noise:1") == nil && picture("mean") == image)
        #expect(try picture("grayscale") == image.grayscale())
        // The first draw, the same as the model's input
        for spec in ["shuffle:4", "mask:0.5"] {
            let corruptor = try Corruptor(
                Corruption(spec: spec), dataset: data, preprocessor: preprocessor, patchSize: 3, seed: 7)
            let input = try corruptor(image: image, index: 0, id: "one", sample: 0, clean: preprocessor(image))
            #expect(try picture(spec) == preprocessor.picture(of: input), "\(spec), seed \(random.seed)")
        }
        #expect(
            message { _ = try Corruptor(picturing: Corruption(spec: "mean"), dataset: data, seed: 0) }
                == "The corruption 'mean' needs a model to be pictured.")
    }
}
