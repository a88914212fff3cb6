import Foundation
import Testing
import VitPatch

/// Uses only the public API of `import VitPatch`, as another package would.
@Suite struct VitPatchTests {
    private static let model = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/tiny").path

    private func images(_ model: VisionTransformer, _ count: Int, seed: Float) -> [[Float]] {
        let values = model.channels * model.imageHeight * model.imageWidth
        return (0..<count).map { image in (0..<values).map { sin(seed + Float(image * values + $0)) } }
    }

    /// Restoring all of resid_post gives the clean pass, bit for bit; noising all of it gives the corrupted one.
    @Test func wholeStreamIsTheOtherPass() throws {
        let model = try VisionTransformer(folder: Self.model), layers = [model.layers - 1]
        let clean = images(model, 3, seed: 0), corrupted = images(model, 3, seed: 5)
        let results = try model.run(
            [
                ActivationPatch(.residPost, layers: layers),
                ActivationPatch(.residPost, layers: layers, direction: .noise),
                ActivationPatch(.z, layers: [0], heads: [0], tokens: [0, 1]),
            ], clean: clean, corrupted: corrupted)
        #expect(results.clean != results.corrupted)
        #expect(results.patched[0] == results.clean)
        #expect(results.patched[1] == results.corrupted)
        #expect(
            results.effects[0] == zip(results.clean, results.corrupted).map { $0.probability - $1.probability })
        #expect(results.effects[1] == results.effects[0].map { -$0 })
        #expect(results.effects[2].contains { $0 != 0 } && results.effects[2].count == 3)
    }

    @Test func badInputIsOneSentence() throws {
        let model = try VisionTransformer(folder: Self.model), image = images(model, 1, seed: 0)
        func message(_ patch: ActivationPatch, _ clean: [[Float]]? = nil, targets: [Int]? = nil) throws -> String {
            let error = try #require(throws: VitPatchError.self) {
                try model.run([patch], clean: clean ?? image, corrupted: image, targets: targets)
            }
            return error.description
        }
        let layers = model.layers
        #expect(
            try message(ActivationPatch(.z, layers: [layers]))
                == "z: layer \(layers) is outside the model's 0-\(layers - 1)")
        #expect(
            try message(ActivationPatch(.mlpOut, layers: [0], heads: [0])) == "mlp_out has no heads; leave them out")
        #expect(try message(ActivationPatch(.embed, layers: [0])) == "embed has no layers; leave them out")
        #expect(try message(ActivationPatch(.z)) == "z: no layers are given; at least one is needed")
        #expect(try message(ActivationPatch(.embed), [[1]]).hasPrefix("clean image 0 has 1 values; the model takes"))
        #expect(try message(ActivationPatch(.embed), targets: [-1]).hasPrefix("target -1 is outside"))
        let missing = #expect(throws: VitPatchError.self) { try VisionTransformer(folder: "/nonexistent/model") }
        #expect(missing?.description.contains("/nonexistent/model") == true)
    }

    /// Runs the program of examples/swift, with one picture as both images.
    @Test func theExampleRuns() throws {
        let picture = URL(fileURLWithPath: Self.model).deletingLastPathComponent()
            .appendingPathComponent("images/corrupt/mask.png").path
        let process = Process(), output = Pipe()
        let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
        process.executableURL = (bundle ?? URL(fileURLWithPath: CommandLine.arguments[0])).deletingLastPathComponent()
            .appendingPathComponent("Heads")
        process.arguments = [Self.model, picture, picture]
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text.contains("class ") && text.contains("\nL0 "))
    }
}
