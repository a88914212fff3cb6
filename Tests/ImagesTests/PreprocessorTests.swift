import Foundation
import Testing

@testable import Images

@Suite struct PreprocessorTests {
    @Test("the same bits as transformers on its Pillow backend", arguments: fixtureNames("preprocess", ".json"))
    func equalsTransformers(file: String) throws {
        let json = try #require(
            JSONSerialization.jsonObject(with: Data(fixture("preprocess/\(file)"))) as? [String: Any])
        let size = try #require(json["model_image_size"] as? Int)
        let config = try json["config"].map { try JSONSerialization.data(withJSONObject: $0) }
        let values = try Preprocessor(config: config, imageSize: size)(source())
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
            (#"{"image_mean": [0.5]}"#, ""),
            (#"{"image_mean": [0.5, 0.5]}"#, "image_mean has 2 values, expected 3"),
            (#"{"image_std": [1, 0, 1]}"#, "image_std has a 0"),
            (#"{"do_pad": true}"#, "do_pad"),
            (#"{"do_resize": "yes"}"#, "do_resize has an unexpected type"),
            (#"{"size""#, "not valid JSON"),
            ("[]", "unexpected type"),
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
        var random = Random()
        #expect(try shortest(random.image(width: 9, height: 9)).count == 3 * 16 * 16)
        let line = try random.image(width: 60_000, height: 1)
        #expect(
            message { _ = try shortest(line) }?.contains("60000 x 1 pixels cannot be resized to 960000 x 16")
                == true)

        let off = try Preprocessor(config: Data(#"{"do_resize": false}"#.utf8), imageSize: 16)
        #expect(message { _ = try off(source()) }?.contains("37 x 23") == true)
    }
}
