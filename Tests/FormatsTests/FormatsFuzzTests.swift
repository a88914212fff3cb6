import Formats
import Foundation
import Testing

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
@Suite struct FormatsFuzzTests {
    @Test func textsAndPickles() {
        let seeds = [
            #"{"a": [1, -2.5e3, true, null, "x\u00e9\ud83e\udd89"], "b": {"c": {}}}"#, "a,b\r\n\"x,\"\"y\",2\n3,\n",
            "(lp0\nI1\naS'x\\x41'\np1\na(dp2\nV\\u00e9\nL5L\nsas.",
            "\u{2}}q\u{1}(U\u{1}aK\u{1}U\u{1}b]q\u{2}(K\u{2}K\u{3}eu.",
        ].map { Array($0.utf8) }
        var random = SystemRandomNumberGenerator(), count = 0
        let end = Date() + seconds
        while Date() < end {
            for seed in seeds {
                let data = Data(mutated(seed, &random))
                _ = JSON.object(data)
                _ = try? CSV(data)
                _ = try? Pickle(data, functions: ["_codecs.encode", "numpy.dtype"])
                count += 3
            }
        }
        if seconds > 1 { print("\(count) texts and pickles read") }
    }
}
