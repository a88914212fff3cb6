import Foundation
import Results
import StoreTestSupport
import TestSupport
import Testing
@testable import Statistics

@Suite struct SignFlipTests {
    private func flips(_ columns: [[Float]], draws: Int = 10_000, seed: UInt64 = 1) -> SignFlips.Result {
        SignFlips(draws: draws, seed: seed).test(columns, rows: columns.first?.count ?? 0)
    }

    /// All signs, one by one: each patch alone, and the step-down maximum.
    @Test func exactAgainstEverySign() {
        var random = SplitMix64.fresh()
        for n in [1, 2, 7, 8, 9, 12] {
            let columns = (0..<4).map { c in (0..<n).map { _ in Float.random(in: -1...Float(c + 1), using: &random) } }
            func statistic(_ column: [Float], _ signs: Int) -> Double {
                var sum = 0.0, squares = 0.0
                for i in 0..<n {
                    sum += signs >> i & 1 == 1 ? Double(column[i]) : -Double(column[i])
                    squares += Double(column[i]) * Double(column[i])
                }
                return abs(sum) / squares.squareRoot()
            }
            let all = (1 << n) - 1
            let observed = columns.map { statistic($0, all) }
            let found = flips(columns)
            #expect(found.floor == 1 / Double(1 << (n - 1)))
            var last = 0.0
            for column in columns.indices.sorted(by: { observed[$0] > observed[$1] }) {
                let weaker = columns.indices.filter { observed[$0] <= observed[column] }
                let alone = (0...all).count { statistic(columns[column], $0) >= observed[column] - 1e-9 }
                let most = (0...all).count { signs in
                    weaker.contains { statistic(columns[$0], signs) >= observed[column] - 1e-9 }
                }
                last = max(last, Double(most) / Double(1 << n))
                #expect(abs(found.p[column] - Double(alone) / Double(1 << n)) < 1e-12, "\(n), seed \(random.seed)")
                #expect(abs(found.adjusted[column] - last) < 1e-12, "\(n), seed \(random.seed)")
            }
        }
    }

    /// Randomly drawn signs agree with all signs.
    @Test func drawsAgreeWithAllSigns() {
        var random = SplitMix64(seed: 3)
        let columns = [(0..<14).map { _ in Float.random(in: -1...1.6, using: &random) }]
        let all = flips(columns, draws: 1 << 13), drawn = flips(columns, draws: (1 << 13) - 1)
        #expect(all.p[0] > 0.0005 && all.p[0] < 0.5 && abs(drawn.p[0] - all.p[0]) < 0.35 * all.p[0])
        #expect(drawn.floor == 1 / Double(1 << 13))
    }

    @Test func edges() {
        #expect(flips([]).p.isEmpty)
        #expect(flips([[1, .nan], [1, 1]]).p[0].isNaN && flips([[1, .nan], [1, 1]]).adjusted[1] == 0.5)
        #expect(flips([[0, 0, 0]]).p == [1] && flips([Array(repeating: 0, count: 100)], draws: 500).p == [1])
        let sure = flips([Array(repeating: 0.1, count: 100)], draws: 500)
        #expect(sure.p[0] == 1.0 / 501 && sure.adjusted[0] == sure.floor)
    }

    /// Patches that differ only in scale are one hypothesis, at no cost; independent ones cost nearly Bonferroni's
    /// factor.
    @Test func correlatedPatchesCountAsOne() {
        var random = SplitMix64(seed: 11)
        let one = (0..<40).map { _ in Float.random(in: -1...1.7, using: &random) }
        let copies = (1...30).map { size in one.map { $0 * Float(size) } }
        let same = flips(copies)
        #expect(same.adjusted.allSatisfy { $0 == same.p[0] })
        let strangers = [one] + (0..<30).map { _ in (0..<40).map { _ in Float.random(in: -1...1, using: &random) } }
        let found = flips(strangers)
        #expect(found.p[0] == same.p[0] && found.adjusted[0] > 2 * found.p[0])
    }

    /// The chance of any false rejection among 20 patches that share the images' noise is 5%.
    @Test func holdsTheFamilysLevel() {
        var random = SplitMix64(seed: 99)
        var rejected = 0
        for _ in 0..<400 {
            let shared = (0..<30).map { _ in Float.random(in: -1...1, using: &random) }
            let columns = (0..<20).map { _ in shared.map { $0 + Float.random(in: -1...1, using: &random) } }
            let found = SignFlips(draws: 199, seed: random.next()).test(columns, rows: 30)
            if found.adjusted.contains(where: { $0 <= 0.05 }) { rejected += 1 }
        }
        #expect((8...34).contains(rejected), "\(rejected) of 400")
    }

    /// One family per corruption and direction, without patches by construction.
    @Test func familiesOfAStore() throws {
        var patches = ["restore", "noise"].flatMap { direction in
            ["attn_out", "z"].flatMap { site in (0..<3).map { patch($0, direction, site: site) } }
        }
        patches.append(patch(1, site: "resid_post"))
        let temporary = try TemporaryStore(testManifest(patches: patches))
        var random = SplitMix64.fresh()
        var effects = [[Float]](repeating: [], count: patches.count)
        for index in 0..<10 {
            func pass(_ p: Float) -> PassMetrics { PassMetrics(p: p, logit: p, logitDiff: p, kl: 0, prediction: 0) }
            let patched = patches.indices.map { Float($0 == 1 ? 0.6 : .random(in: 0.2...0.6, using: &random)) }
            for (number, p) in patched.enumerated() {
                effects[number].append(
                    Float(Double(p) - Double(Float(patches[number].direction == "noise" ? 0.9 : 0.4))))
            }
            try temporary.store.append(
                images: [image(index, clean: pass(0.9), corrupted: pass(0.4))],
                effects: patched.enumerated().map {
                    EffectRecord(image: index, corruption: 0, patch: $0, patched: pass($1))
                })
        }
        let found = try statistics(of: temporary.store)[0]
        for (direction, members) in [("restore", Array(0..<6)), ("noise", Array(6..<12))] {
            let wanted = SignFlips(seed: 7).test(members.map { effects[$0] }, rows: 10)
            #expect(members.map { found.patches[$0].pAdjusted } == wanted.adjusted, "seed \(random.seed)")
            #expect(found.direction(direction)?.family == 6 && found.direction(direction)?.pFloor == 1.0 / 512)
        }
        #expect(found.patches[12].construction == .everything && found.patches[12].pValue.isNaN)
        #expect(found.patches[1].pValue == 1.0 / 512 && found.isFloor(found.patches[1].pValue, "restore"))
        #expect(try statistics(of: temporary.store, significance: false)[0].patches[1].pAdjusted.isNaN)
    }
}
