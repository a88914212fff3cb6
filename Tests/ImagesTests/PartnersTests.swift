import Images
import Testing

struct PartnersTests {
    @Test func othersAreOfAnotherClassAndEquallyLikely() throws {
        let labels = [2, 0, 1, 2, 0, 2, 2]
        var counts: [Int: Int] = [:]
        let draws = 4000
        for seed in 0..<UInt64(draws) {
            let partners = try #require(Partners(labels: labels, seed: seed))
            for index in labels.indices {
                let other = partners(of: index, id: "image \(index)")
                #expect(labels[other] != labels[index])
                if index == 2 { counts[other, default: 0] += 1 }
            }
        }
        // Six others of 4000 draws: 667 each, with a standard deviation of 24
        #expect(counts.count == 6 && counts.values.allSatisfy { abs($0 - draws / 6) < 120 })
    }

    @Test func theChoiceDependsOnSeedAndIDAlone() throws {
        let partners = try #require(Partners(labels: [0, 1, 0, 1, 1], seed: 5))
        #expect(partners(of: 0, id: "a") == partners(of: 2, id: "a"))
        #expect((0..<50).contains { partners(of: 0, id: "\($0)") != partners(of: 0, id: "a") })
    }

    @Test func oneClassHasNoOther() {
        #expect(Partners(labels: [3, 3], seed: 0) == nil)
        #expect(Partners(count: 1, seed: 0)(of: 0, id: "a") == 0)
    }
}
