import Foundation
import Testing

@testable import Images

/// Random numbers that scripts/fixtures/images.py drew with its own Philox
struct RandomFixture: Decodable {
    struct Case: Decodable {
        let seed: UInt64
        let id: String
        let sample: Int
        let key: [UInt32]
        let shuffle: [Int]
        let mask: [Int]
    }

    let dark: [Int]
    let cases: [Case]

    static func load() throws -> RandomFixture {
        try JSONDecoder().decode(Self.self, from: Data(fixture("corrupt/random.json")))
    }
}

@Suite struct PhiloxTests {
    @Test("Random123's known answers")
    func knownAnswers() {
        #expect(
            Philox.block(counter: [0, 0, 0, 0], key: [0, 0]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
        #expect(
            Philox.block(counter: .init(repeating: .max), key: .init(repeating: .max))
                == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
        #expect(
            Philox.block(
                counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], key: [0xa409_3822, 0x299f_31d0])
                == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
    }

    @Test func keysAndPermutationsOfTheFixture() throws {
        let cases = try RandomFixture.load().cases
        #expect(cases.count == 5)
        for drawn in cases {
            let noise = RandomKey.noiseKey(seed: drawn.seed, imageID: drawn.id, sample: drawn.sample)
            #expect([noise.k0, noise.k1, noise.c2, noise.c3] == drawn.key)
            func key(_ purpose: RandomKey.Purpose) -> RandomKey {
                RandomKey(seed: drawn.seed, imageID: drawn.id, sample: drawn.sample, purpose: purpose)
            }
            #expect(key(.shuffle).permutation(4, mayBeIdentity: false) == drawn.shuffle)
            #expect(key(.mask).permutation(drawn.mask.count) == drawn.mask)
        }
        // The last case is chosen because its first draw is the identity.
        let again = try #require(cases.last)
        let key = RandomKey(seed: again.seed, imageID: again.id, sample: 0, purpose: .shuffle)
        #expect(key.permutation(4) == [0, 1, 2, 3])
        #expect(again.shuffle != [0, 1, 2, 3])
    }

    @Test func seedIdSampleAndPurposeAllMatter() {
        func key(_ seed: UInt64, _ id: String, _ sample: Int, _ purpose: RandomKey.Purpose) -> SIMD4<UInt32> {
            RandomKey(seed: seed, imageID: id, sample: sample, purpose: purpose).block(0)
        }
        let keys = [
            key(1, "a", 0, .noise), key(2, "a", 0, .noise), key(1 << 32, "a", 0, .noise), key(1, "b", 0, .noise),
            key(1, "a", 1, .noise), key(1, "a", -1, .noise), key(1, "a", 0, .mask), key(1, "a", 0, .shuffle),
            key(1, "", 0, .noise), key(1, "aa", 0, .noise), key(1, "a\0", 0, .noise),
        ]
        #expect(Set(keys).count == keys.count)
        #expect(keys[0] == key(1, "a", 0, .noise))
    }

    @Test func permutationsAreEvenlySpread() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var counts: [[Int]: Int] = [:]
        for sample in 0..<6000 {
            let key = RandomKey(seed: seed, imageID: "x", sample: sample, purpose: .mask)
            counts[key.permutation(3), default: 0] += 1
        }
        #expect(counts.count == 6)
        // 1000 each, standard deviation 29: seven deviations leave one failure in 10^11.
        #expect(counts.values.allSatisfy { abs($0 - 1000) < 200 }, "seed \(seed)")
        let key = RandomKey(seed: seed, imageID: "x", sample: 0, purpose: .shuffle)
        #expect(key.permutation(1000).sorted() == Array(0..<1000))
        let order = RandomKey.order(50, of: "a", draw: 3, seed: seed)
        #expect(order.sorted() == Array(0..<50) && order == RandomKey.order(50, of: "a", draw: 3, seed: seed))
        for other in [
            RandomKey.order(50, of: "b", draw: 3, seed: seed), RandomKey.order(50, of: "a", draw: 4, seed: seed),
            RandomKey.order(50, of: "a", draw: 3, seed: seed &+ 1),
            RandomKey(seed: seed, imageID: "a", sample: 3, purpose: .shuffle).permutation(50),
        ] { #expect(other != order) }
        #expect(key.permutation(0) == [] && key.permutation(1, mayBeIdentity: false) == [0])
    }
}
