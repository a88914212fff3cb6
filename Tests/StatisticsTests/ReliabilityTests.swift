import Foundation
import Results
import StoreTestSupport
import TestSupport
import Testing
@testable import Statistics

@Suite struct ReliabilityTests {
    /// A patch far ahead of the others wins in every half; equal ones are a lottery.
    @Test func sureAndUnsure() throws {
        var random = SplitMix64(seed: 4)
        func columns(_ lead: Float) -> [[Float]] {
            (0..<8).map { c in (0..<60).map { _ in Float.random(in: -1...1, using: &random) + (c == 3 ? lead : 0.2) } }
        }
        let sure = try #require(Reliability(columns(3), seed: 1))
        #expect(sure.sameStrongest == 1 && sure.agreesWithAll == 1 && sure.correlation > 0.9 && sure.splits == 100)
        #expect(abs(sure.heldOut - 3) < 0.3)
        let unsure = try #require(Reliability(columns(0.2), seed: 1))
        #expect(unsure.sameStrongest < 0.4 && unsure.correlation < 0.5)
        // The half that selected the patch sees a larger effect than the other half.
        #expect(unsure.heldOut < 0.35)
        #expect(Reliability(columns(3).map { Array($0.prefix(11)) }, seed: 1) == nil)
        #expect(Reliability([columns(3)[0]], seed: 1) == nil)
    }

    @Test func correlationsAndTails() {
        #expect(abs(pearson([1, 2, 3], [2, 4, 6]) - 1) < 1e-12 && pearson([1, 1], [1, 2]).isNaN)
        #expect(spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == 1)
        #expect(abs(spearman([1, 2, 2, 4], [4, 3, 2, 1]) + 0.9486832980505138) < 1e-12)
        #expect(topTenthShare([10] + Array(repeating: 0, count: 9)) == 1)
        #expect(abs(topTenthShare(Array(repeating: -1, count: 20)) - 0.1) < 1e-12 && topTenthShare([0, 0]).isNaN)
        #expect(carriers([1, 1, 0, 0]) == 2 && carriers([0]).isNaN)
    }

    /// The exact chance that the largest of several reaches this rank, against drawing ranks.
    @Test(arguments: [(1, 19, 0), (3, 20, 1), (5, 40, 0), (2, 6, 6)])
    func maximumOfAsMany(_ own: Int, _ places: Int, _ beyond: Int) {
        var random = SplitMix64(seed: 8)
        let hits = (0..<20_000).count { _ in
            let values = (0..<own + places).map { _ in Double.random(in: 0...1, using: &random) }
            let largest = values[..<own].max() ?? 0
            return values[own...].count { $0 >= largest } <= beyond
        }
        let p = maximumRankP(own: own, random: places, beyond: beyond)
        #expect(abs(Double(hits) / 20_000 - p) < 0.012, "\(p)")
        if own == 1 { #expect(abs(p - Double(1 + beyond) / Double(1 + places)) < 1e-12) }
    }
}
