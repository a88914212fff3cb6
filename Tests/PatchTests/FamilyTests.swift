import Formats
import Foundation
import Patch
import Reference
import TestSupport
import Testing
import ViT

/// Every family's tiny model against transformers or timm in float64: logits, hidden states, and a patched pass at
/// every site. Fixtures by `scripts/fixtures/families.py`.
@Suite(.serialized) struct FamilyTests {
    /// float32 keeps logits and hidden states within this of float64 over two layers of width 16.
    static let tolerance = 1e-5

    static let names = [
        "deit", "deit-distilled", "vit-msn", "dinov2", "dinov2-registers", "clip", "siglip", "timm", "timm-average",
        "timm-pre-norm", "timm-no-class", "dinov2-swiglu", "beit", "beit-cls", "clip-zero-shot", "siglip-zero-shot",
        "timm-distilled", "timm-qk-norm", "timm-swiglu", "timm-siglip", "vit-wide",
    ]

    /// The family's model, with its class texts if it has them
    static func checkpoint(_ name: String, imageSize: PixelSize? = nil) throws -> Checkpoint {
        let folder = Fixture.directory("families/\(name)").path, texts = "\(folder)/classes.safetensors"
        return try Checkpoint.load(
            folder: folder,
            classes: FileManager.default.fileExists(atPath: texts) ? TextClasses(path: texts) : nil,
            imageSize: imageSize)
    }

    struct Case: Decodable {
        let direction: String, sites: [String], layers: [Int], heads: [Int]?, tokens: [Int]?, noop: Bool
    }
    struct CaseList: Decodable {
        let prefix: Int, cases: [Case]
    }

    @Test(arguments: names)
    func passesMatchTheLibrary(_ name: String) throws {
        let directory = Fixture.directory("families/\(name)")
        let expected = try SafetensorsFile(directory.appendingPathComponent("expected.safetensors"))
        let list = try JSONDecoder().decode(
            CaseList.self, from: Data(contentsOf: directory.appendingPathComponent("cases.json")))
        let rig = try Rig(Self.checkpoint(name))
        let config = rig.config, (t, d) = (config.tokens, config.hiddenSize)
        #expect(config.prefixTokens == list.prefix)
        #expect(config.labels == ["ash", "birch", "cedar", "dogwood", "elm"])
        let pixels = try ["clean", "corrupted"].map { try expected.doubles("\($0).pixels").map(Float.init) }

        // Hidden states
        let observer = try rig.wavefront(images: 1, patches: [], kept: true)
        let hidden = try expected.doubles("clean.hidden")
        #expect(hidden.count == (config.layers + 1) * t * d)
        var states = 0
        let wave = Wave(clean: [pixels[0]], corrupted: nil, labels: [0])
        try observer.observe(wave, sites: [.embed, .residPost]) { place, values in
            let (site, layer) = (place.site, place.layer)
            let first = (site == .embed ? 0 : layer + 1) * t * d
            // Relative to the largest value, if that is above 1
            let answer = Array(hidden[first..<(first + values.count)])
            let difference = maxAbsDiff(values.map(Double.init), answer) / max(1, answer.map(abs).max() ?? 1)
            #expect(difference < Self.tolerance, "\(name): \(site) \(layer) by \(difference)")
            states += 1
        }
        #expect(states == config.layers + 1)

        // Logits and patched passes
        let patches = list.cases.map { item in
            Patch(
                direction: item.direction == "restore" ? .restore : .noising, sites: item.sites.compactMap(Site.init),
                layers: item.layers, heads: item.heads, tokens: item.tokens)
        }
        #expect(Set(list.cases.flatMap(\.sites)) == Set(Site.allCases.map(\.rawValue)))
        let wavefront = try rig.wavefront(images: 1, patches: patches, chunkRows: 5)
        let output = try wavefront.run(
            .init(clean: [pixels[0]], corrupted: [pixels[1]], labels: [0]), patches: patches, keepLogits: true)
        let clean = try expected.doubles("clean.logits"), corrupted = try expected.doubles("corrupted.logits")
        var largest = max(
            maxAbsDiff(output.cleanLogits.map(Double.init), clean),
            maxAbsDiff(output.corruptedLogits.map(Double.init), corrupted))
        #expect(largest < Self.tolerance, "\(name): logits")
        let answers = try expected.doubles("patched.logits"), c = config.classes
        for (k, item) in list.cases.enumerated() {
            let found = output.patchedLogits[k].map(Double.init), answer = Array(answers[(k * c)..<((k + 1) * c)])
            let difference = maxAbsDiff(found, answer)
            largest = max(largest, difference)
            #expect(difference < Self.tolerance, "\(name): \(item) by \(difference)")
            let base = item.direction == "restore" ? corrupted : clean
            if !item.noop { #expect(maxAbsDiff(found, base) > 5e-5, "\(name): \(item) has no effect") }
        }
        #expect(list.cases.count > 100)
        if ProcessInfo.processInfo.environment["VITPATCH_SHOW"] != nil { print("\(name): \(largest)") }
    }

    /// Images of another size than in training, larger and smaller, with position embeddings interpolated as in
    /// transformers and timm. Fixtures by `scripts/fixtures/sizes.py`.
    @Test func otherSizesMatchTheLibrary() throws {
        let expected = try SafetensorsFile(Fixture.directory("families").appendingPathComponent("sizes.safetensors"))
        let passes = expected.entries.keys.filter { $0.hasSuffix(".logits") }.sorted()
        #expect(passes.count == 3 * Self.names.count { !$0.hasPrefix("beit") && $0 != "vit-wide" })
        for pass in passes {
            let parts = pass.split(separator: "."), name = String(parts[0]), size = String(parts[1])
            let rig = try Rig(Self.checkpoint(name, imageSize: PixelSize(size)))
            let pixels = try expected.doubles("\(name).\(size).pixels").map(Float.init)
            let found = try rig.wavefront(images: 1, patches: []).run(
                .init(clean: [pixels], corrupted: nil, labels: [-1]), patches: [], keepLogits: true)
            let difference = maxAbsDiff(found.cleanLogits.map(Double.init), try expected.doubles(pass))
            #expect(difference < Self.tolerance, "\(pass) by \(difference)")
        }
    }

    @Test func whatIsNotSquareIsNotInterpolated() throws {
        let error = try #require(throws: CheckpointError.self) { try Self.checkpoint("vit-wide", imageSize: 25) }
        #expect(error.description.contains("interpolated from square grids only"))
    }

    @Test func biasesByPositionAreNotInterpolated() throws {
        let error = try #require(throws: CheckpointError.self) { try Self.checkpoint("beit", imageSize: 25) }
        #expect(error.description.contains("the bias by relative position of BEiT is not interpolated"))
    }

    /// One image per wave or three, chunks of any size: the same bits, also with mean-pooled readouts.
    @Test(arguments: ["dinov2-registers", "timm-average", "clip", "dinov2-swiglu", "siglip-zero-shot"])
    func wavesDoNotMatter(_ name: String) throws {
        let rig = try Rig(Self.checkpoint(name))
        var random = SplitMix64(seed: 5)
        let wave = rig.input(images: 3, &random)
        let together = try rig.wavefront(images: 3, patches: [], chunkRows: 2).run(wave, patches: [], keepLogits: true)
        for image in 0..<3 {
            let alone = try rig.wavefront(images: 1, patches: []).run(
                .init(clean: [wave.clean[image]], corrupted: nil, labels: [-1]), patches: [], keepLogits: true)
            let c = rig.config.classes
            #expect(Array(together.cleanLogits[(image * c)..<((image + 1) * c)]) == alone.cleanLogits)
        }
    }
}
