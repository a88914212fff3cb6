import CLRuntime
import Foundation
import Patch
import Reference
import TestSupport
import Testing
import ViT

/// Activations written as arrays, and read from files.
@Suite(.serialized) struct ActivationFileTests {
    // MARK: Writing

    @Test(arguments: TinySize.all) func activationsAreTheReferences(_ size: TinySize) throws {
        var random = SplitMix64.fresh()
        let seed = random.seed, model = Lab.model(size, &random)
        let rig = try Self.allTokens(model.config, model.weights), images = 3
        let clean = rig.pixels(images, &random), corrupted = rig.pixels(images, &random)
        let arrays = try Self.observed(rig, clean: clean, corrupted: corrupted)
        var seen = 0
        for (isCorrupted, pixels) in [(false, clean), (true, corrupted)] {
            for image in 0..<images {
                let wanted = model.reference.forward(
                    pixels: pixels[image].map(Double.init), capturing: Set(ReferenceSite.allCases)
                ).activations
                for site in Site.allCases {
                    for layer in site.hasLayers ? Array(0..<rig.config.layers) : [0] {
                        let place = Wavefront.Observed(
                            site: site, layer: layer, isCorrupted: isCorrupted, image: image)
                        let found = try #require(arrays[place], "\(place)")
                        let name = try #require(ReferenceSite(rawValue: site.rawValue))
                        let values = try #require(wanted[ReferencePlace(name, layer: layer)])
                        #expect(found.count == site.shape(images: 1, rig.config).reduce(1, *))
                        #expect(
                            maxAbsDiff(found.map(Double.init), values) < 1e-4, "seed \(seed): \(place)")
                        seen += 1
                    }
                }
            }
        }
        #expect(seen == arrays.count)
    }

    // MARK: Reading

    /// Arrays of clean activations have the effect of the clean pass, and change no bit of the clean pass itself.
    @Test func ownActivationsChangeNoBit() throws {
        let lab = try Lab(images: 3), reader = try Self.allTokens(lab.rig.config, lab.weights)
        let arrays = try Self.observed(reader, clean: lab.input.clean, corrupted: nil)
        let file = try TemporaryFile(), config = lab.rig.config
        try file.write(
            arrays: Self.arrays("clean", config) { site, layer, image in
                arrays[.init(site: site, layer: layer, isCorrupted: false, image: image)] ?? []
            }, images: 3, config)
        // A patched pattern is multiplied with the values in another way than in the attention kernel.
        for sites in Self.sites.map({ $0.filter { $0 != .pattern } }) {
            let given = lab.everyCombination(with: .file, sites: sites)
            lab.file = try ActivationFile(path: file.path, patches: given, config: config, modelHash: "model")
            let (found, usual) = (try lab.run(given), try lab.run(lab.everyCombination(sites: sites)))
            for (index, patch) in given.enumerated() {
                let wanted = patch.direction == .noising ? usual.cleanLogits : usual.patchedLogits[index]
                #expect(found.patchedLogits[index] == wanted, "seed \(lab.seed): \(lab.describe(patch))")
            }
            // Another wave: indices into the file are the images', not the wave's.
            let last = try lab.run(given, images: 2..<3, chunkRows: 2), classes = config.classes
            for index in given.indices {
                #expect(last.patchedLogits[index] == Array(found.patchedLogits[index][(2 * classes)...]))
            }
        }
    }

    /// The same for patterns, up to rounding.
    @Test func ownPatternsChangeNothing() throws {
        let lab = try Lab(images: 2), reader = try Self.allTokens(lab.rig.config, lab.weights), config = lab.rig.config
        let arrays = try Self.observed(reader, clean: lab.input.clean, corrupted: nil)
        let file = try TemporaryFile()
        try file.write(
            arrays: Self.arrays("clean", config) { site, layer, image in
                arrays[.init(site: site, layer: layer, isCorrupted: false, image: image)] ?? []
            }, images: 2, config)
        let given = lab.everyCombination(with: .file, sites: [.pattern])
        lab.file = try ActivationFile(path: file.path, patches: given, config: config, modelHash: "model")
        let (found, usual) = (try lab.run(given), try lab.run(lab.everyCombination(sites: [.pattern])))
        for (index, patch) in given.enumerated() {
            let wanted = patch.direction == .noising ? usual.cleanLogits : usual.patchedLogits[index]
            let difference = maxAbsDiff(found.patchedLogits[index].map(Double.init), wanted.map(Double.init))
            #expect(difference < 1e-4, "seed \(lab.seed): \(lab.describe(patch))")
        }
    }

    @Test(arguments: TinySize.all) func whatAFileHasIsPutIn(_ size: TinySize) throws {
        let lab = try Lab(size, images: 2), config = lab.rig.config
        var random = SplitMix64(seed: lab.seed)
        lab.fileValues = [[:], [:]]
        let file = try TemporaryFile()
        try file.write(
            arrays: Self.arrays("patch", config) { site, layer, image in
                let values = (0..<site.shape(images: 1, config).reduce(1, *)).map { _ in
                    Float.random(in: -1...1, using: &random)
                }
                if let name = ReferenceSite(rawValue: site.rawValue) {
                    lab.fileValues[image][ReferencePlace(name, layer: layer)] = values.map(Double.init)
                }
                return values
            }, images: 2, config)
        for sites in Self.sites {
            let patches = lab.everyCombination(with: .file, sites: sites)
            lab.file = try ActivationFile(path: file.path, patches: patches, config: config, modelHash: "another")
            try lab.expectAgreement(patches)
        }
    }

    @Test func badFilesAreRefusedWithTheirArray() throws {
        let config = try Lab().rig.config, file = try TemporaryFile()
        func refusal(_ part: Part, modelHash: String = "model") -> String {
            do {
                let patch = Patch(with: .file, parts: [part])
                _ = try ActivationFile(path: file.path, patches: [patch], config: config, modelHash: modelHash)
                return "none"
            } catch { return "\(error)" }
        }
        let z = Part(site: .z, layers: [1])
        #expect(refusal(z).contains("\(file.path): no such file"))
        let values = [Float](repeating: 0, count: 2 * config.tokens * config.hiddenSize)
        let shape = Site.z.shape(images: 2, config)
        try file.write([("clean.z.1", shape, values)], metadata: ["ids": #"["0","1"]"#, "model_hash": "model"])
        #expect(refusal(z) == "none")
        #expect(refusal(z, modelHash: "other").contains("\(file.path): tensor clean.z.1: it comes from another model"))
        #expect(
            refusal(Part(site: .z, layers: [2]))
                == "\(file.path): tensor patch.z.2: the file has neither it nor clean.z.2")
        try file.write(
            [("patch.z.1", [2, config.tokens, config.hiddenSize], values)], metadata: ["ids": #"["0","1"]"#])
        #expect(refusal(z).hasPrefix("\(file.path): tensor patch.z.1: expected shape \(shape), found"))
        try file.write([("patch.z.1", shape, values)], metadata: ["ids": #"["0","0"]"#])
        #expect(refusal(z) == "\(file.path): its metadata's ids name an image twice")
        try file.write([("patch.z.1", shape, values)], metadata: [:])
        #expect(refusal(z).contains("its metadata has no ids"))
        try file.write([("patch.z.1", shape, values)], metadata: ["ids": #"["0","1"]"#])
        let good = try ActivationFile(
            path: file.path, patches: [Patch(with: .file, parts: [z])], config: config, modelHash: "")
        #expect(try good.position(of: "1") == 1)
        #expect(throws: CheckpointError.file(path: file.path, reason: "its metadata's ids lack the image 2")) {
            try good.position(of: "2")
        }
    }

    // MARK: Helpers

    /// A file has `embed`, or `resid_pre` of layer 0, which is the same activation.
    static let sites = [Site.allCases.filter { $0 != .embed }, [.embed]]

    static func allTokens(_ config: ViTConfig, _ weights: ViTWeights) throws -> Rig {
        var config = config
        config.computesAllTokens = true
        return try Rig(config: config, weights: weights)
    }

    /// Every observed activation, in the layout of an array
    static func observed(
        _ rig: Rig, clean: [[Float]], corrupted: [[Float]]?
    ) throws -> [Wavefront.Observed: [Float]] {
        let sites = Set(Site.allCases)
        var found: [Wavefront.Observed: [Float]] = [:]
        let plan = try WavePlan(
            encoder: rig.encoder, patches: [], observing: sites, images: clean.count, memory: nil)
        try WaveRunner(encoder: rig.encoder, library: rig.library, plan: plan).run(
            images: clean.count, patches: 0..<0
        ) { wavefront, piece in
            var wave = Wave(clean: Array(clean[piece.images]), corrupted: nil, labels: piece.images.map { _ in -1 })
            wave.corrupted = corrupted.map { Array($0[piece.images]) }
            try wavefront.observe(wave, sites: sites) { place, values in
                var place = place
                place.image += piece.images.lowerBound
                found[place] = place.site.arranged(values, rig.config)
            }
        }
        return found
    }

    typealias Values = (Site, Int, Int) -> [Float]
    typealias Array_ = (name: String, site: Site, layer: Int, values: Values)

    static func arrays(_ prefix: String, _ config: ViTConfig, _ values: @escaping Values) -> [Array_] {
        Site.allCases.flatMap { site in
            (site.hasLayers ? Array(0..<config.layers) : [0]).map {
                ("\(prefix).\(site.rawValue).\($0)", site, $0, values)
            }
        }
    }
}

/// A temporary file, removed when the test releases it.
private final class TemporaryFile {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)").path

    init() throws {}
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(arrays: [ActivationFileTests.Array_], images: Int, _ config: ViTConfig) throws {
        let ids = String(decoding: try JSONEncoder().encode((0..<images).map { "\($0)" }), as: UTF8.self)
        try write(
            arrays.map { array in
                (
                    array.name, array.site.shape(images: images, config),
                    (0..<images).flatMap { array.values(array.site, array.layer, $0) }
                )
            }, metadata: ["ids": ids, "model_hash": "model"])
    }

    func write(_ arrays: [(String, [Int], [Float])], metadata: [String: String]) throws {
        let header = try SafeTensors.Header(arrays: arrays.map { ($0.0, $0.1) }, metadata: metadata)
        var data = Data(header.bytes)
        for array in arrays { array.2.withUnsafeBytes { data.append(contentsOf: $0) } }
        #expect(data.count == header.size)
        try data.write(to: URL(fileURLWithPath: path))
    }
}
