import Foundation
import Results
import TestSupport

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
    static func random(_ random: inout SplitMix64, kl: Float? = nil) -> PassMetrics {
        PassMetrics(
            p: .random(in: 0...1, using: &random), logit: .random(in: -9...9, using: &random),
            logitDiff: .random(in: -9...9, using: &random), kl: kl ?? .random(in: 0...3, using: &random),
            prediction: .random(in: 0..<10, using: &random), logOdds: .random(in: -9...9, using: &random))
    }
}

func randomImage(
    _ index: Int, corruption: Int = 0, id: String? = nil, kept: Bool = true, _ random: inout SplitMix64
) -> ImageRecord {
    ImageRecord(
        image: index, id: id ?? "cat/\(index).png", corruption: corruption, label: index % 10, target: index % 10,
        foil: (index + 1) % 10, clean: .random(&random, kl: 0), corrupted: .random(&random), kept: kept)
}

func randomEffects(
    _ image: Int, corruption: Int = 0, patches: Range<Int>, _ random: inout SplitMix64
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
