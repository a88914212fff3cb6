import Foundation
import Testing

@testable import Images

/// Changes, cuts, repeats and exchanges a few bytes.
private func mutated(_ bytes: [UInt8], _ random: inout some RandomNumberGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[at] = .random(in: 0...255, using: &random)
        case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...16, using: &random)))
        case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 16)], at: at)
        default: bytes.replaceSubrange(at..<min(bytes.count, at + 4), with: [0xff, 0xff, 0xff, 0x7f])
        }
    }
    return bytes
}

/// Seconds to mutate for; a moment where nobody asks for more.
private let seconds = Double(ProcessInfo.processInfo.environment["VITPATCH_FUZZ_SECONDS"] ?? "") ?? 0.5

/// Damaged files are errors or are read; nothing traps, hangs or takes memory without limit (`make fuzz`).
@Suite struct ImagesFuzzTests {
    @Test func imagesAndBatches() throws {
        let images =
            try fixtureNames("decode", ".png", ".jpg").map { try fixture("decode/\($0)") }
            + fixtureNames("formats", ".webp", ".gif", ".bmp", ".tiff").map { try fixture("formats/\($0)") }
            + fixtureNames("formats/exif", ".jpg", ".png", ".webp").map { try fixture("formats/exif/\($0)") }
        let batches = try (0...5).map { try fixture("cifar/protocol-\($0)/test_batch") }
        let processors = try fixtureNames("preprocess-torchvision", ".json").map {
            try fixture("preprocess-torchvision/\($0)")
        }
        var random = SystemRandomNumberGenerator(), count = 0
        let end = Date() + seconds
        while Date() < end {
            let image = images.randomElement(using: &random) ?? [], batch = batches.randomElement(using: &random) ?? []
            _ = try? decodeImage(
                mutated(image, &random), name: "image", reading: ImageReading(appliesEXIF: true))
            if let read = try? CIFARBatch(mutated(batch, &random), path: "batch") {
                _ = try? read.integers("labels")
                _ = try? read.byteArray("data", columns: 3072)
            }
            let processor = processors.randomElement(using: &random) ?? []
            _ = try? Preprocessor(config: Data(mutated(processor, &random)), imageSize: 16)
            count += 3
        }
        if seconds > 1 { print("\(count) images, batches and processors read") }
    }
}
