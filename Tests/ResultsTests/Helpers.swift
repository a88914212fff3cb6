import Foundation
import Results

/// A temporary folder, removed at the end of the test.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// New numbers in every run; expectations print `seed`, so that a failure can be repeated.
struct SeededRandom: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64 = .random(in: 0...(.max))) {
        self.seed = seed
        state = seed
    }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state ^ (state >> 29)) &* 0xBF58_476D_1CE4_E5B9
    }
}

func testManifest(patches: Int = 3, corruptions: [String] = ["grayscale"]) -> Manifest {
    var manifest = Manifest(
        version: "0.1.0", model: "models/tiny", modelHash: "aa11bb22cc33dd44", data: "images", dataHash: "ff00",
        spec: #"{"site":"attn_out"}"#, corruptions: corruptions,
        patches: (0..<patches).map {
            PatchRecord(direction: "restore", site: "attn_out", layer: "\($0)", head: "", token: "", window: "1")
        },
        classNames: ["cat", "dog, \"wild\""], seed: 7, limit: 100, device: "cpu", driver: "1.0", gemm: "clblast",
        host: "here", command: "vitpatch sweep", started: "2025-01-01T00:00:00Z")
    manifest.patchWith = "clean"
    return manifest
}

extension PassMetrics {
    static func random(_ random: inout SeededRandom, kl: Float? = nil) -> PassMetrics {
        PassMetrics(
            p: .random(in: 0...1, using: &random), logit: .random(in: -9...9, using: &random),
            logitDiff: .random(in: -9...9, using: &random), kl: kl ?? .random(in: 0...3, using: &random),
            prediction: .random(in: 0..<10, using: &random), logOdds: .random(in: -9...9, using: &random))
    }
}

func randomImage(
    _ index: Int, corruption: Int = 0, id: String? = nil, kept: Bool = true, _ random: inout SeededRandom
) -> ImageRecord {
    ImageRecord(
        image: index, id: id ?? "cat/\(index).png", corruption: corruption, label: index % 10, target: index % 10,
        foil: (index + 1) % 10, clean: .random(&random, kl: 0), corrupted: .random(&random), kept: kept)
}

func randomEffects(
    _ image: Int, corruption: Int = 0, patches: Range<Int>, _ random: inout SeededRandom
) -> [EffectRecord] {
    patches.map { EffectRecord(image: image, corruption: corruption, patch: $0, patched: .random(&random)) }
}

extension ResultsStore {
    func exported(_ format: ExportFormat = .csv) throws -> String {
        var bytes: [UInt8] = []
        try export(format) { bytes += $0 }
        return String(decoding: bytes, as: UTF8.self)
    }
}
