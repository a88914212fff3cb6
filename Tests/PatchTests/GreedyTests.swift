import Foundation
import Patch
import Reference
import TestSupport
import Testing
import ViT

@Suite struct GreedyTests {
    private func heads(_ config: (layers: Int, heads: Int), direction: Direction = .restore) -> [Patch] {
        (0..<config.layers).flatMap { layer in
            (0..<config.heads).map { Patch(direction: direction, sites: [.z], layers: [layer], heads: [$0]) }
        }
    }

    /// The order of additions and the stopping rule, with additive gains.
    @Test func addsTheLargestAndStops() {
        let alone = [0.1, 0.4, 0.4, -0.2, 0.3]
        func run(until: Double, most: Int? = nil) -> Greedy {
            var greedy = Greedy(candidates: heads((5, 1)), until: until, most: most)
            while greedy.end == nil {
                #expect(greedy.trials.count == greedy.remaining.count)
                _ = greedy.take(greedy.remaining.map { alone[$0] + (greedy.gains.last ?? 0) })
                if greedy.end != .noGain { greedy.reached(greedy.gains.last ?? 0) }
            }
            return greedy
        }
        let all = run(until: 9)
        #expect(all.chosen == [1, 2, 4, 0], "ties go to the first; 3 takes away")
        #expect(all.end == .noGain)
        #expect(all.singles == alone)
        #expect(all.ranked == [1, 2, 4, 0, 3])
        #expect(run(until: 0.75).chosen == [1, 2])
        #expect(run(until: 0.75).end == .share)
        #expect(run(until: 0.4).chosen == [1], "a share that is just reached is reached")
        #expect(run(until: 9, most: 3).chosen == [1, 2, 4])
        #expect(run(until: 9, most: 3).end == .maximum)
        #expect(run(until: 9, most: 99).chosen == [1, 2, 4, 0])
    }

    @Test func endsWhereNothingIsLeftOrNothingHelps() {
        var one = Greedy(candidates: heads((2, 1)), until: 9)
        _ = one.take([0.1, 0.2])
        _ = one.take([0.3])
        #expect(one.end == .exhausted && one.chosen == [1, 0])
        var none = Greedy(candidates: heads((3, 1)), until: 0.5)
        #expect(none.take([0, -1, .nan]) == nil)
        #expect(none.end == .noGain && none.chosen.isEmpty)
        #expect(Greedy(candidates: [], until: 1).end == .exhausted)
    }

    /// Half of every class, whether classes alternate in the data (as in folders) or not.
    @Test(arguments: [0.5, 0.25, 0.2, 0.0])
    func everyClassIsSplit(_ share: Double) {
        var random = SplitMix64.fresh()
        let perClass = 20, classes = 6
        let alternating = (0..<perClass * classes).map { $0 % classes }
        for labels in [alternating, alternating.sorted(), alternating.shuffled(using: &random)] {
            let split = Greedy.split(labels: labels, heldOut: share)
            #expect((split.search + split.heldOut).sorted() == Array(labels.indices))
            #expect(split.search == split.search.sorted() && split.heldOut == split.heldOut.sorted())
            for label in 0..<classes {
                let count = split.heldOut.count { labels[$0] == label }
                #expect(abs(Double(count) - share * Double(perClass)) <= 1, "seed \(random.seed)")
            }
        }
        #expect(Greedy.split(labels: [3], heldOut: share).search == [0])
    }

    @Test func mergingDoesNotDependOnTheOrder() {
        var random = SplitMix64.fresh()
        let candidates =
            heads((3, 4)) + [Patch(sites: [.attnOut, .mlpOut], layers: [1]), Patch(sites: [.embed], layers: [])]
        let merged = Patch(merging: candidates)
        for _ in 0..<5 { #expect(Patch(merging: candidates.shuffled(using: &random)) == merged, "seed \(random.seed)") }
        // All heads of all layers: one part.
        #expect(merged.parts.count == 4)
        #expect(merged.parts.contains(Part(site: .z, layers: [0, 1, 2], heads: [0, 1, 2, 3])))
        let some = Patch(merging: [candidates[0], candidates[2], candidates[6], Patch(sites: [.z], layers: [2])])
        #expect(
            some.parts == [
                Part(site: .z, layers: [0], heads: [0, 2]), Part(site: .z, layers: [1], heads: [2]),
                Part(site: .z, layers: [2]),
            ])
        let tokens = Patch(merging: [3, 1].map { Patch(sites: [.mlpOut], layers: [0], tokens: [$0]) })
        #expect(tokens.parts == [Part(site: .mlpOut, layers: [0], tokens: [1, 3])])
    }
}

@Suite(.serialized) struct GreedyPassTests {
    /// Merged and unmerged parts are the same patch, bit for bit.
    @Test func mergingChangesNothing() throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: "relu"), config = rig.config
        for direction in Direction.allCases {
            let places = (0..<12).map { _ in
                let site = [Site.z, .q, .v, .pattern, .mlpOut, .attnOut].randomElement(using: &random) ?? .z
                return Patch(
                    direction: direction, sites: [site], layers: [Int.random(in: 0..<config.layers, using: &random)],
                    heads: [Int.random(in: 0..<config.heads, using: &random)],
                    tokens: Bool.random(using: &random) ? nil : [Int.random(in: 0..<config.tokens, using: &random)])
            }
            let patches = [
                Patch(direction: direction, parts: places.flatMap(\.parts)), Patch(merging: places),
            ]
            #expect(patches[1].parts.count <= patches[0].parts.count)
            let output = try rig.wavefront(images: 2, patches: patches).run(
                rig.input(images: 2, &random), patches: patches)
            #expect(output.patched[0] == output.patched[1], "seed \(random.seed)")
        }
    }

    /// The search on the device against a brute-force search: one reference pass per image, set and place.
    @Test(arguments: Direction.allCases, ["tiny", "relu"])
    func isTheBruteForceSearch(_ direction: Direction, _ fixture: String) throws {
        var random = SplitMix64.fresh()
        let rig = try Rig(fixture: fixture), config = rig.config
        let reference = try ReferenceModel.load(Fixture.directory(fixture))
        var candidates = (0..<config.layers).flatMap { layer in
            (0..<config.heads).map { Patch(direction: direction, sites: [.z], layers: [layer], heads: [$0]) }
        }
        candidates.append(Patch(direction: direction, sites: [.mlpOut], layers: [1]))
        let images = 3
        let input = rig.input(images: images, &random)
        func image(_ values: [[Float]], _ i: Int) -> [Double] { values[i].map(Double.init) }
        let sign = direction == .restore ? 1.0 : -1.0

        // Per image: activations of the source pass; pixels and probability of the receiving pass.
        let passes = (0..<images).map { i in
            let clean = image(input.clean, i), corrupted = image(input.corrupted ?? [], i)
            let (giving, receiving) = direction == .restore ? (clean, corrupted) : (corrupted, clean)
            return (
                source: reference.forward(pixels: giving, capturing: [.z, .mlpOut]).activations, base: receiving,
                p: softmax(reference.forward(pixels: receiving).logits)[input.labels[i]]
            )
        }
        func gain(_ set: [Int]) -> Double {
            (0..<images).reduce(0) { sum, i in
                let interventions = set.flatMap { candidates[$0].parts }.flatMap { part in
                    part.layers.compactMap { layer -> Intervention? in
                        guard let site = ReferenceSite(rawValue: part.site.rawValue),
                            let values = passes[i].source[ReferencePlace(site, layer: layer)]
                        else { return nil }
                        return Intervention(site, layer: layer, heads: part.heads, values: values)
                    }
                }
                let logits = reference.forward(pixels: passes[i].base, interventions: interventions).logits
                return sum + sign * (softmax(logits)[input.labels[i]] - passes[i].p) / Double(images)
            }
        }

        var greedy = Greedy(candidates: candidates, until: .infinity)
        while greedy.end == nil {
            let trials = greedy.trials, set = greedy.chosen
            let output = try rig.wavefront(images: images, patches: trials).run(input, patches: trials)
            let base = direction == .restore ? output.corrupted : output.clean
            let gains = output.patched.map { passes in
                zip(passes, base).map { sign * (Double($0.p) - Double($1.p)) }.reduce(0, +) / Double(images)
            }
            let expected = greedy.remaining.map { gain(set + [$0]) }
            for (found, expected) in zip(gains, expected) {
                #expect(abs(found - expected) < 2e-5, "seed \(random.seed)")
            }
            let best = expected.max() ?? 0
            if let taken = greedy.take(gains) {
                // Candidates that are equal up to rounding may be chosen either way.
                #expect(expected[taken] >= best - 4e-5, "seed \(random.seed): \(set) and \(greedy.chosen)")
                #expect(expected[taken] > (set.isEmpty ? 0 : gain(set)) - 4e-5, "seed \(random.seed)")
            } else {
                #expect(best < (set.isEmpty ? 0 : gain(set)) + 4e-5, "seed \(random.seed): ended too early")
            }
        }
        #expect(Set(greedy.chosen).count == greedy.chosen.count)
    }
}
