import Foundation
import TestSupport
import Testing

@testable import Reference

struct NoiseTests {
    @Test("Random123's known answers")
    func philox() {
        #expect(
            philox4x32(counter: [0, 0, 0, 0], key: [0, 0]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
        #expect(
            philox4x32(counter: [.max, .max, .max, .max], key: [.max, .max])
                == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
        #expect(
            philox4x32(
                counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], key: [0xa409_3822, 0x299f_31d0])
                == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
    }

    /// Against Python's numbers, from scripts/fixtures/images.py
    @Test func firstNormals() throws {
        struct File: Decodable {
            struct Case: Decodable {
                let key: [UInt32]
                let normals: [Double]
            }
            let cases: [Case]
        }
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/images/corrupt/random.json")
        let cases = try JSONDecoder().decode(File.self, from: Data(contentsOf: path)).cases
        #expect(cases.count == 5)
        for drawn in cases {
            let (key, count) = (drawn.key, drawn.normals.count)
            let normals = referenceNormals(k0: key[0], k1: key[1], c2: key[2], c3: key[3], count: count)
            // The logarithms and cosines of the two may differ in their last digits.
            #expect(normals.count == count)
            #expect(maxAbsDiff(normals, drawn.normals) < 1e-13)
        }
    }

    @Test func momentsAreThoseOfANormal() {
        var random = SplitMix64.fresh()
        let words = (0..<4).map { _ in UInt32.random(in: 0...UInt32.max, using: &random) }
        let n = 100_000
        let x = referenceNormals(k0: words[0], k1: words[1], c2: words[2], c3: words[3], count: n)
        func mean(_ f: (Double) -> Double) -> Double { x.map(f).reduce(0, +) / Double(n) }
        // The moments' standard errors are 1, sqrt(2), sqrt(15) and sqrt(96) over sqrt(n); seven of them are allowed.
        let error = 7 / Double(n).squareRoot()
        #expect(abs(mean { $0 }) < error, "seed \(random.seed)")
        #expect(abs(mean { $0 * $0 } - 1) < 1.42 * error, "seed \(random.seed)")
        #expect(abs(mean { $0 * $0 * $0 }) < 3.88 * error, "seed \(random.seed)")
        #expect(abs(mean { $0 * $0 * $0 * $0 } - 3) < 9.8 * error, "seed \(random.seed)")
        // Neighbours, the pairs of one Box-Muller transform included, are uncorrelated.
        let products = zip(x, x.dropFirst()).map { $0 * $1 }.reduce(0, +) / Double(n)
        #expect(abs(products) < error, "seed \(random.seed)")
    }

    @Test func aPrefixDoesNotDependOnTheCount() {
        let all = referenceNormals(k0: 1, k1: 2, c2: 3, c3: 4, count: 11)
        for n in 0...11 { #expect(referenceNormals(k0: 1, k1: 2, c2: 3, c3: 4, count: n) == Array(all.prefix(n))) }
    }
}
