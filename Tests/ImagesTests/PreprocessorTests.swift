import Formats
import Foundation
import TestSupport
import Testing

@testable import Images

@Suite struct PreprocessorTests {
    @Test("the same bits as transformers on its Pillow backend", arguments: fixtureNames("preprocess", ".json"))
    func equalsTransformers(file: String) throws {
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(fixture("preprocess/\(file)"))) as? [String: Any])
        let size = try #require(json["model_image_size"] as? Int)
        let config = try json["config"].map { try JSONSerialization.data(withJSONObject: $0) }
        let values = try Preprocessor(config: config, imageSize: PixelSize(side: size))(source())
        let bytes = try fixture("preprocess/\(file.dropLast(5)).f32")
        let expected = stride(from: 0, to: bytes.count, by: 4).map { i in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[i + $1]) << (8 * UInt32($1)) })
        }
        // Tolerance 0: both round to Float after rescaling, after subtracting and after dividing.
        #expect(values.count == 3 * size * size)
        #expect(values.count == expected.count)
        #expect(zip(values, expected).allSatisfy { $0.bitPattern == $1.bitPattern })
    }

    @Test func allFixturesAreThere() {
        #expect(fixtureNames("preprocess", ".json").count == 9)
        #expect(fixtureNames("preprocess-torchvision", ".json").count == 14)
        #expect(fixtureNames("resize-torchvision", ".ppm").count == 20)
    }

    @Test(
        "the bits of transformers on torchvision, of its classes' defaults, and of timm",
        arguments: fixtureNames("preprocess-torchvision", ".json"))
    func equalsTorchvision(file: String) throws {
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(fixture("preprocess-torchvision/\(file)"))) as? [String: Any])
        let size = try #require(json["model_image_size"] as? Int)
        let config = try JSONSerialization.data(withJSONObject: json["config"] ?? [:])
        var values = try Preprocessor(config: config, imageSize: PixelSize(side: size))(source())
        if size == 224 {  // every 16th row and column
            values = (0..<3 * 14 * 14).map { i in values[i / 196 * 224 * 224 + i / 14 % 14 * 16 * 224 + i % 14 * 16] }
        }
        let bytes = try fixture("preprocess-torchvision/\(file.dropLast(5)).f32")
        let expected = stride(from: 0, to: bytes.count, by: 4).map { i in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[i + $1]) << (8 * UInt32($1)) })
        }
        #expect(values.count == expected.count)
        let worst = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
        #expect(worst == 0, "largest difference \(worst)")
    }

    @Test("the bytes of torchvision's resize", arguments: fixtureNames("resize-torchvision", ".ppm"))
    func resizesLikeTorchvision(file: String) throws {
        let expected = try ppm("resize-torchvision/\(file)")
        let filter = try #require(Resample.allCases.first { file.hasPrefix("\($0)-") })
        let made = try resize(
            source(), width: expected.width, height: expected.height, filter: filter, like: .torchvision)
        #expect(made == expected)
    }

    @Test func imagesNeedNotBeSquare() throws {
        let size = PixelSize(height: 12, width: 20), image = try source()
        let config = Data(#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 20}}"#.utf8)
        let wide = try Preprocessor(config: config, imageSize: size)
        let made = try wide.picture(of: wide(image))
        #expect(made == (try resize(image, width: 20, height: 12, filter: .bilinear)))
        let turned = PixelSize(height: 20, width: 12)
        let error = #expect(throws: ImageError.self) { try Preprocessor(config: config, imageSize: turned) }
        #expect(
            error.map { "\($0)".contains("it makes images of 20 x 12 pixels, but the model takes 12 x 20") } == true)
        // Without a file, at the model's size
        #expect(try Preprocessor(config: nil, imageSize: turned)(image).count == 3 * 240)
    }

    /// The file's sizes at another scale
    @Test func sizesAreScaledWhereAsked() throws {
        func text(_ size: String) -> Data { Data(#"{"image_processor_type": "ViTImageProcessor", \#(size)}"#.utf8) }
        let image = try source()
        func made(_ size: String, _ imageSize: PixelSize, isScaled: Bool = true) throws -> [Float] {
            try Preprocessor(config: text(size), imageSize: imageSize, isScaled: isScaled)(image)
        }
        #expect(throws: ImageError.self) { try made(#""size": 16"#, 24, isScaled: false) }
        #expect(try made(#""size": 16"#, 24) == made(#""size": 24"#, 24, isScaled: false))
        let crop = #""size": {"shortest_edge": 32}, "do_center_crop": true, "crop_size": 28"#
        let larger = #""size": {"shortest_edge": 16}, "do_center_crop": true, "crop_size": 14"#
        #expect(try made(crop, 14) == made(larger, 14, isScaled: false))
        // Sizes that already fit stay.
        #expect(try made(crop, 28) == made(crop, 28, isScaled: false))
    }

    @Test func theLibraryIsThatOfTheClassUnlessGiven() throws {
        func library(_ type: String, _ given: ResizeLibrary? = nil) throws -> ResizeLibrary {
            let config = Data(#"{"image_processor_type": "\#(type)", "size": 16}"#.utf8)
            return try Preprocessor(config: config, imageSize: 16, library: given).library
        }
        #expect(try library("ViTImageProcessor") == .pillow && library("ViTImageProcessorFast") == .torchvision)
        #expect(try library("ViTImageProcessorFast", .pillow) == .pillow)
        #expect(try library("ViTFeatureExtractor", .torchvision) == .torchvision)
    }

    @Test func anImageProcessorWithinAProcessorAndFiltersAsText() throws {
        let image = try source()
        let plain = try Preprocessor(config: Data(#"{"size": 16, "resample": 3}"#.utf8), imageSize: 16)
        for name in ["bicubic", "BICUBIC", "PILImageResampling.BICUBIC"] {
            let nested = Data(#"{"image_processor": {"size": 16, "resample": "\#(name)"}}"#.utf8)
            #expect(try Preprocessor(config: nested, imageSize: 16)(image) == plain(image))
        }
    }

    @Test func notesListDefaults() throws {
        func notes(_ config: String?) throws -> [String] {
            try Preprocessor(config: config.map { Data($0.utf8) }, imageSize: 16, name: "p.json").notes
        }
        #expect(
            try notes(nil)[0].hasPrefix("There is no p.json: images are resized to 16 x 16 pixels"))
        #expect(try notes("{}")[0].hasPrefix("p.json names no image_processor_type"))
        #expect(try notes(#"{"image_processor_type": "ViTImageProcessor", "size": 16}"#).isEmpty)
    }

    @Test func defaultsAreThoseOfAnEmptyFile() throws {
        let image = try source()
        #expect(
            try Preprocessor(config: nil, imageSize: 24)(image)
                == Preprocessor(config: Data("{}".utf8), imageSize: 24)(image))
    }

    @Test func oneNumberForAllChannels() throws {
        let image = try source()
        let one = try Preprocessor(config: Data(#"{"image_mean": 0.25, "image_std": 2}"#.utf8), imageSize: 8)
        let three = Data(#"{"image_mean": [0.25, 0.25, 0.25], "image_std": [2, 2, 2], "resample": null}"#.utf8)
        #expect(try one(image) == Preprocessor(config: three, imageSize: 8)(image))
    }

    @Test(
        "what cannot be followed is an error that says why",
        arguments: [
            (#"{"size": 32}"#, "32 x 32 pixels, but the model takes 16 x 16"),
            (#"{"size": {"height": 16, "width": 20}}"#, "20 x 16 pixels, but the model takes 16 x 16"),
            (#"{"size": 16, "do_center_crop": true, "crop_size": 8}"#, "8 x 8 pixels"),
            (#"{"size": {"longest_edge": 16}}"#, "longest_edge"),
            (#"{"size": 0}"#, "0 x 0 is not usable"),
            (#"{"size": -16}"#, "-16"),
            (#"{"size": 4611686018427387904}"#, "is not usable"),
            (#"{"size": {"shortest_edge": 99999999}}"#, "99999999"),
            (#"{"size": "big"}"#, "size has an unexpected type"),
            (#"{"resample": 6}"#, "resample is 6"),
            (#"{"resample": -1}"#, "resample is -1"),
            (#"{"resample": "cubic"}"#, "resample is cubic, expected 0 to 5 or one of nearest, lanczos"),
            (
                #"{"image_processor_type": "PoolFormerImageProcessor"}"#,
                "image_processor_type is PoolFormerImageProcessor, expected one of ViTImageProcessor, "
            ),
            (#"{"image_processor_type": "DeiTImageProcessor"}"#, "224 x 224 pixels, but the model takes 16 x 16"),
            (#"{"pretrained_cfg": {"input_size": [3, 32, 32]}}"#, "input_size is [3, 32, 32]"),
            (#"{"pretrained_cfg": {"crop_mode": "border"}}"#, "crop_mode is border"),
            (#"{"image_mean": [0.5]}"#, ""),
            (#"{"image_mean": [0.5, 0.5]}"#, "image_mean has 2 values, expected 3"),
            (#"{"image_std": [1, 0, 1]}"#, "image_std has a 0"),
            (#"{"do_pad": true}"#, "do_pad"),
            (#"{"do_resize": "yes"}"#, "do_resize has an unexpected type"),
            (#"{"size""#, "not valid JSON"),
            ("[]", "no object"),
            ("", "not valid JSON"),
        ])
    func errors(json: String, part: String) {
        let text = message { _ = try Preprocessor(config: Data(json.utf8), imageSize: 16, name: "p.json") }
        if part.isEmpty {
            #expect(text == nil)
        } else {
            #expect(text?.hasPrefix("p.json: ") == true && text?.contains(part) == true, "\(text ?? "no error")")
        }
    }

    @Test func aSizeThatDependsOnTheImageIsCheckedThere() throws {
        let shortest = try Preprocessor(config: Data(#"{"size": {"shortest_edge": 16}}"#.utf8), imageSize: 16)
        #expect(
            message { _ = try shortest(source()) }
                == "Preprocessing gives 25 x 16 pixels, but the model takes 16 x 16.")
        var random = SplitMix64.fresh()
        #expect(try shortest(random.image(width: 9, height: 9)).count == 3 * 16 * 16)
        let line = try random.image(width: 60_000, height: 1)
        #expect(
            message { _ = try shortest(line) }?.contains("60000 x 1 pixels cannot be resized to 960000 x 16")
                == true)

        let off = try Preprocessor(config: Data(#"{"do_resize": false}"#.utf8), imageSize: 16)
        #expect(message { _ = try off(source()) }?.contains("37 x 23") == true)
    }
}
