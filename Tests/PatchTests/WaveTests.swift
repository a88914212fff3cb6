import CLRuntime
import Patch
import Reference
import TestSupport
import Testing
import Verification
import ViT

/// Any source and any site: images and patches have the same bits together and apart.
@Suite(.serialized) struct WaveTests {
    /// The kinds of patches in a sweep.
    enum Kind: CaseIterable {
        case clean, noise, zero, mean, resample, donor, noisyDonor

        func lab(_ size: TinySize = .usual, images: Int = 5) throws -> Lab {
            try Lab(
                size, images: images, donor: self == .donor || self == .noisyDonor,
                noise: self == .noise || self == .noisyDonor ? 1 : nil, meanOf: self == .mean ? 5 : 0)
        }

        var with: PatchWith {
            switch self {
            case .zero: .zero
            case .mean: .mean
            case .resample: .resample
            default: .other
            }
        }

        /// A few patches at every site
        func patches(_ lab: Lab) -> [Patch] {
            var random = SplitMix64(seed: lab.seed)
            let sites = Site.allCases.filter { self != .mean || $0 != .pattern }
            let all = lab.everyCombination(with: with, sites: sites)
            return all.shuffled(using: &random).prefix(60)
                + (0..<10).map { _ in lab.randomPatch(&random, with: [with]) }
        }
    }

    @Test(arguments: Kind.allCases) func noResultDependsOnTheWave(_ kind: Kind) throws {
        let lab = try kind.lab()
        let patches = kind.patches(lab), classes = lab.rig.config.classes
        let whole = try lab.run(patches, chunkRows: 64)
        func same(_ some: WaveResult, images: Range<Int>, patches range: Range<Int>, _ what: String) {
            func bits(_ logits: [Float], _ images: Range<Int>) -> [UInt32] {
                logits[(images.lowerBound * classes)..<(images.upperBound * classes)].map(\.bitPattern)
            }
            let note: Comment = "seed \(lab.seed), \(kind): \(what), images \(images), patches \(range)"
            let all = 0..<images.count
            #expect(bits(some.cleanLogits, all) == bits(whole.cleanLogits, images), note)
            #expect(bits(some.corruptedLogits, all) == bits(whole.corruptedLogits, images), note)
            #expect(some.clean == Array(whole.clean[images]), note)
            #expect(some.corrupted == Array(whole.corrupted[images]), note)
            #expect(some.donor == whole.donor.map { Array($0[images]) }, note)
            #expect(some.targets == Array(whole.targets[images]) && some.foils == Array(whole.foils[images]), note)
            for k in range {
                #expect(
                    bits(some.patchedLogits[k - range.lowerBound], all) == bits(whole.patchedLogits[k], images), note)
                #expect(some.patched[k - range.lowerBound] == Array(whole.patched[k][images]), note)
            }
        }
        for image in 0..<lab.images {
            same(
                try lab.run(patches, images: image..<(image + 1), chunkRows: 1), images: image..<(image + 1),
                patches: patches.indices, "alone")
        }
        same(try lab.run(patches, chunkRows: 1), images: 0..<lab.images, patches: patches.indices, "chunks of 1")
        same(try lab.run(patches, images: 2..<5, chunkRows: 7), images: 2..<5, patches: patches.indices, "chunks of 7")

        // Ranges of patches in a wavefront made for all of them, as the plan cuts them; then the last, smaller wave.
        let shape = WaveShape(images: lab.images, patches: patches, chunkRows: 4, donor: lab.donor != nil)
        let wavefront = try Wavefront(
            encoder: lab.rig.encoder, donor: lab.donor, library: lab.rig.library, shape: shape, means: lab.means)
        for images in [0..<3, 3..<5] {
            for range in [0..<1, 1..<40, 40..<70] {
                let some = try wavefront.run(lab.input(images), patches: Array(patches[range]), keepLogits: true)
                same(some, images: images, patches: range, "a range of patches")
            }
        }
    }

    /// Patches that are equal up to some place share their passes until there, with the same results as each alone.
    @Test(arguments: Kind.allCases) func relativesShareTheirBeginnings(_ kind: Kind) throws {
        let lab = try kind.lab(TinySize(layers: 5), images: 2)
        var random = SplitMix64(seed: lab.seed)
        // Some parts per layer, of which a patch has one or none, so that many patches share a prefix.
        let sites = Site.allCases.filter { $0 != .embed && (kind != .mean || $0 != .pattern) }
        let choices = (0..<5).map { layer in
            (0..<4).map { _ in
                let site = sites.randomElement(using: &random) ?? .attnOut
                let isOutput = site == .attnOut || site == .mlpOut
                return Part(
                    site: site, layers: [layer], heads: site.hasHeads && Bool.random(using: &random) ? [1] : nil,
                    tokens: isOutput && Bool.random(using: &random) || site.rawValue.hasPrefix("resid") ? [0, 2] : nil)
            }
        }
        let patches = (0..<60).map { _ in
            Patch(
                direction: Bool.random(using: &random) ? .restore : .noising, with: kind.with,
                parts: choices.compactMap { Bool.random(using: &random) ? $0.randomElement(using: &random) : nil })
        }
        let together = try lab.run(patches, chunkRows: 5)
        var evaluations = 0
        for (k, patch) in patches.enumerated() {
            let alone = try lab.run([patch])
            evaluations += alone.evaluations
            let note: Comment = "seed \(lab.seed), \(kind): \(lab.describe(patch))"
            #expect(together.patchedLogits[k].map(\.bitPattern) == alone.patchedLogits[0].map(\.bitPattern), note)
        }
        let base = try lab.run([]).evaluations
        #expect(together.evaluations - base < evaluations - patches.count * base, "seed \(lab.seed)")
    }

    @Test(arguments: Kind.allCases) func ownActivationsChangeNoBit(_ kind: Kind) throws {
        let lab = try kind.lab(.noBias, images: 2)
        let patches = lab.everyCombination(
            with: kind.with, sites: Site.allCases.filter { kind != .mean || $0 != .pattern })
        let output = try lab.run(patches, chunkRows: 9, own: true)
        for (patch, logits) in zip(patches, output.patchedLogits) where kind != .zero || patch.parts[0].site != .pattern
        {
            let base = patch.direction == .restore ? output.corruptedLogits : output.cleanLogits
            #expect(
                logits.map(\.bitPattern) == base.map(\.bitPattern), "seed \(lab.seed), \(kind): \(lab.describe(patch))")
        }
    }

    /// Draws of noise differ, and the clean pass has none.
    @Test func onlyCorruptedPassesAreNoisy() throws {
        let lab = try Lab(images: 2, noise: 1)
        let shape = WaveShape(images: 2, patches: [], chunkRows: 2)
        let wavefront = try Wavefront(encoder: lab.rig.encoder, library: lab.rig.library, shape: shape)
        var input = lab.input
        input.corrupted = input.clean
        let first = try wavefront.run(input, patches: [], keepLogits: true)
        #expect(first.corruptedLogits != first.cleanLogits)
        input.noise?.keys[0].3 ^= 1
        let second = try wavefront.run(input, patches: [], keepLogits: true)
        let classes = lab.rig.config.classes
        #expect(second.cleanLogits == first.cleanLogits)
        #expect(second.corruptedLogits[..<classes] != first.corruptedLogits[..<classes])
        #expect(second.corruptedLogits[classes...] == first.corruptedLogits[classes...])
        input.noise?.strength = 0
        #expect(try wavefront.run(input, patches: [], keepLogits: true).corruptedLogits == first.cleanLogits)
    }

    /// Foils that are given, or chosen by either pass or both; log-odds are those of the logits.
    @Test(arguments: [Wave.FoilPasses.clean, .corrupted, .both]) func foilsAndLogOdds(_ passes: Wave.FoilPasses) throws
    {
        let lab = try Lab(images: 5), classes = lab.rig.config.classes
        let wavefront = try Wavefront(
            encoder: lab.rig.encoder, library: lab.rig.library, shape: WaveShape(images: 5, patches: [], chunkRows: 2))
        var input = lab.input
        input.foilPasses = passes
        input.foils[1] = 2
        let output = try wavefront.run(input, patches: [], keepLogits: true)
        for image in 0..<5 {
            let range = (image * classes)..<((image + 1) * classes)
            let clean = output.cleanLogits[range].map(Double.init),
                other = output.corruptedLogits[range].map(Double.init)
            let scores =
                switch passes {
                case .clean: clean
                case .corrupted: other
                case .both: zip(clean, other).map(+)
                }
            let target = output.targets[image]
            #expect(output.foils[image] == (image == 1 ? 2 : foil(scores, target: target)), "seed \(lab.seed)")
            for (pass, logits) in [(output.clean[image], clean), (output.corrupted[image], other)] {
                #expect(abs(Double(pass.logOdds) - logOdds(logits, target: target)) < 1e-5, "seed \(lab.seed)")
            }
        }
        input.foils[0] = classes
        #expect(throws: CLError.self) { try wavefront.run(input, patches: []) }
    }

    /// One deviation for all data: noise proportional to that with an image's own.
    @Test func noiseTakesTheDeviationThatIsGiven() throws {
        let lab = try Lab(images: 2, noise: 1)
        let wavefront = try Wavefront(
            encoder: lab.rig.encoder, library: lab.rig.library, shape: WaveShape(images: 2, patches: [], chunkRows: 2))
        var own = ProjectionDeviation(), all = ProjectionDeviation(), values: [Double] = []
        var image = 0
        try wavefront.observeProjections(lab.input.clean) {
            if image == 0 { own.add($0) }
            all.add($0)
            values += $0.map(Double.init)
            image += 1
        }
        #expect(abs(all.deviation - populationDeviation(values)) < 1e-9, "seed \(lab.seed)")
        let measured = try ProjectionDeviation.over(
            images: 2, encoder: lab.rig.encoder, library: lab.rig.library
        ) { Array(lab.input.clean[$0]) }
        #expect(measured == Float(all.deviation), "seed \(lab.seed)")

        var input = lab.input
        input.corrupted = input.clean
        let classes = lab.rig.config.classes
        let usual = try wavefront.run(input, patches: [], keepLogits: true).corruptedLogits
        input.noiseDeviations = [Float(own.deviation)]
        let given = try wavefront.run(input, patches: [], keepLogits: true).corruptedLogits
        let error = zip(given, usual).map { abs($0 - $1) }
        #expect(error[..<classes].allSatisfy { $0 < 1e-4 }, "seed \(lab.seed)")
        #expect(error[classes...].contains { $0 > 1e-4 }, "seed \(lab.seed)")
        input.noiseDeviations = [1, 1]
        #expect(throws: CLError.self) { try wavefront.run(input, patches: []) }
    }

    @Test func whatAWaveLacksIsRefused() throws {
        let lab = try Lab(images: 2)
        func refuses(_ shape: WaveShape, _ input: Wave, _ patches: [Patch]) {
            #expect(
                performing: {
                    let wavefront = try Wavefront(encoder: lab.rig.encoder, library: lab.rig.library, shape: shape)
                    _ = try wavefront.run(input, patches: patches)
                },
                throws: { if case CLError.shape = $0 { true } else { false } })
        }
        let plain = [Patch(sites: [.attnOut], layers: [0])],
            resample = [Patch(with: .resample, sites: [.z], layers: [0])]
        let mean = [Patch(with: .mean, sites: [.z], layers: [0])]
        let shape = WaveShape(images: 2, patches: plain, chunkRows: 2)
        refuses(shape, lab.input, resample)  // no room for another pass
        refuses(shape, lab.input, plain + plain)
        refuses(WaveShape(images: 1, patches: plain, chunkRows: 2), lab.input, plain)
        refuses(WaveShape(images: 2, patches: mean, chunkRows: 2), lab.input, mean)  // no means
        var without = lab.input
        without.partner = nil
        refuses(WaveShape(images: 2, patches: resample, chunkRows: 2), without, resample)
        without.corrupted = nil
        refuses(shape, without, plain)
        without = lab.input
        without.noise = (1, [(1, 2, 3, 4)])
        refuses(shape, without, plain)
    }
}
