import Foundation
import Testing

@testable import ViT

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
@Suite struct ViTFuzzTests {
    @Test func checkpoints() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/pytorch")
        let files = try ["zip.bin", "legacy.bin", "nested.bin", "module.bin"].map {
            try Array(Data(contentsOf: root.appendingPathComponent($0)))
        }
        let tensors = Array(safetensors(["a": TestTensor([2, 2], [1, 2, 3, 4]), "b": TestTensor([1], [5])]))
        let config = Array(TinyModel.config())
        var random = SystemRandomNumberGenerator(), count = 0
        let end = Date() + seconds
        while Date() < end {
            let data = Data(mutated(files.randomElement(using: &random) ?? [], &random))
            if let views = try? PyTorchLayout(data).views() {
                for view in views.values {
                    // What a tensor says lies within the file.
                    #expect(view.range.lowerBound >= 0 && view.range.upperBound <= data.count)
                }
            }
            if let read = try? SafeTensors(data: Data(mutated(tensors, &random)), name: "m") {
                for (name, shape) in read.shapes { _ = try? read.tensor(name, shape: shape).firstNonFinite }
            }
            _ = try? ViTConfig(json: Data(mutated(config, &random)), name: "config.json")
            count += 3
        }
        if seconds > 1 { print("\(count) weight files and configurations read") }
    }
}
