import Foundation
import FuzzReaders
import Testing

/// Damaged files give errors or are read; nothing traps, hangs or uses unlimited memory. A short version of `make
/// fuzz`.
@Suite(.serialized) struct FuzzTests {
    @Test(arguments: FuzzReader.all) func damaged(reader: FuzzReader) throws {
        var random = SystemRandomNumberGenerator()
        let seeds = try reader.seeds()
        try #require(!seeds.isEmpty)
        // The first seed is intact; some are inputs found by earlier fuzzing.
        try reader.read(Data(seeds[0]))
        for seed in seeds.prefix(8) {
            try? reader.read(Data(seed))
            for _ in 0..<(FuzzReader.slow.contains(reader.name) ? 2 : 12) {
                try? reader.read(Data(mutated(seed, &random)))
            }
        }
    }
}
