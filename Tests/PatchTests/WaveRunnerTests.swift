import CLRuntime
import Patch
import TestSupport
import Testing

/// Devices with less memory than the plan assumes.
@Suite(.serialized) struct WaveRunnerTests {
    /// A lab's images and patches of every kind, with the results of a single wave.
    struct Work {
        let lab: Lab
        let patches: [Patch]
        let plan: WavePlan
        let whole: WaveResult
        /// Bytes allocated before the first wave
        let before: Int

        init(_ kind: WaveTests.Kind) throws {
            lab = try kind.lab(images: 5)
            patches = Array(kind.patches(lab).prefix(20))
            plan = try WavePlan(
                encoder: lab.rig.encoder, donor: lab.donor, patches: patches, images: lab.images, memory: nil)
            whole = try lab.run(patches)
            before = lab.rig.context.allocatedBytes
        }

        func runner(_ onFirstHalving: @escaping (WavePlan, CLError) -> Void = { _, _ in }) -> WaveRunner {
            WaveRunner(
                encoder: lab.rig.encoder, donor: lab.donor, library: lab.rig.library, plan: plan, means: lab.means,
                onFirstHalving: onFirstHalving)
        }

        /// Runs everything and compares every result with the single wave's.
        func run(_ runner: WaveRunner, _ comment: Comment) throws {
            let classes = lab.rig.config.classes
            var seen: [[Int]] = Array(repeating: [], count: patches.count)
            try runner.run(images: lab.images, patches: patches.indices) { wavefront, piece in
                let output = try wavefront.run(
                    lab.input(piece.images), patches: Array(patches[piece.patches]), keepLogits: true)
                for (position, patch) in piece.patches.enumerated() {
                    seen[patch] += Array(piece.images)
                    let range = piece.images.lowerBound * classes..<piece.images.upperBound * classes
                    #expect(
                        output.patchedLogits[position].map(\.bitPattern)
                            == whole.patchedLogits[patch][range].map(\.bitPattern),
                        comment)
                    #expect(output.patched[position] == Array(whole.patched[patch][piece.images]), comment)
                }
            }
            // Every image once, in order.
            #expect(seen.allSatisfy { $0 == Array(0..<lab.images) }, comment)
        }
    }

    @Test(arguments: WaveTests.Kind.allCases) func lessMemoryGivesTheSameBits(_ kind: WaveTests.Kind) throws {
        let work = try Work(kind), context = work.lab.rig.context
        var fitted: [WaveShape] = [], failed = 0
        for share in [2, 0.6, 0.3, 0.15, 0.05, 0.001] {
            let limit = work.before + Int(share * Double(work.plan.bytes))
            context.allocationLimit = limit
            var halvings = 0
            let runner = work.runner { _, error in
                halvings += 1
                #expect(error.isOutOfMemory)
            }
            do {
                try work.run(runner, "seed \(work.lab.seed), \(kind), \(share) of \(work.plan.bytes) bytes")
                fitted.append(runner.plan.shape)
                #expect(halvings == (runner.plan == work.plan ? 0 : 1))
                #expect(context.allocatedBytes <= limit)
            } catch SweepError.memory(let sentence) {
                failed += 1
                #expect(sentence.contains(context.device.name) && sentence.contains("one image and one patch"))
            }
        }
        #expect(fitted.first == work.plan.shape && failed >= 1)
        #expect(Set(fitted.map { "\($0)" }).count >= 4, "\(fitted)")
    }

    /// Memory runs out only inside a wave, by a few bytes: there is no room for its row lists.
    @Test func memoryThatRunsOutWithinAWave() throws {
        let work = try Work(.clean), context = work.lab.rig.context
        var limit = 0
        do {
            let wavefront = try Wavefront(
                encoder: work.lab.rig.encoder, library: work.lab.rig.library, shape: work.plan.shape)
            limit = context.allocatedBytes + 8
            withExtendedLifetime(wavefront) {}
        }
        context.allocationLimit = limit
        let runner = work.runner()
        try work.run(runner, "seed \(work.lab.seed)")
        #expect(runner.plan.shape.images < work.plan.shape.images)
    }

    /// Drivers that allocate memory at the first launch report the failure there.
    @Test func aLaunchThatFails() throws {
        let work = try Work(.clean)
        var pieces: [WaveRunner.Piece] = [], calls = 0
        let runner = work.runner()
        try runner.run(images: 5, patches: 3..<20) { _, piece in
            calls += 1
            if piece.images.count > 1 || piece.patches.count > 6 {
                throw CLError.call("clEnqueueNDRangeKernel", calls == 1 ? .outOfResources : .outOfHostMemory)
            }
            pieces.append(piece)
        }
        // The plan is for 20 patches; halved twice it has ranges of at most 5.
        #expect(runner.plan.shape.images == 1 && runner.plan.shape.patches == 5)
        #expect(pieces.map(\.images) == (0..<5).flatMap { image in Array(repeating: image..<image + 1, count: 4) })
        #expect(pieces.prefix(4).map(\.patches) == [3..<7, 7..<11, 11..<15, 15..<20])
        #expect(runner.plan.patchRanges == [0..<5, 5..<10, 10..<15, 15..<20])
    }

    @Test func otherErrorsEndIt() throws {
        let work = try Work(.clean)
        var calls = 0
        #expect(throws: CLError.self) {
            try work.runner().run(images: 5, patches: work.patches.indices) { _, _ in
                calls += 1
                throw CLError.call("clFinish", .init(rawValue: -36))
            }
        }
        #expect(calls == 1)
    }

    @Test func halvesEndAtOneOfEach() throws {
        let work = try Work(.clean), encoder = work.lab.rig.encoder
        var plan = work.plan, steps = 0
        while let smaller = try plan.halved(encoder: encoder) {
            #expect(smaller.bytes < plan.bytes)
            #expect(smaller.patchRanges.flatMap { Array($0) } == Array(work.patches.indices))
            #expect(smaller.patchRanges.allSatisfy { $0.count <= smaller.shape.patches })
            #expect(smaller.shape.images == plan.shape.images || plan.shape.images > 1)
            #expect(smaller.shape.patches == plan.shape.patches || plan.shape.images == 1)
            #expect(smaller.shape.chunkRows == plan.shape.chunkRows || plan.shape.patches == 1)
            (plan, steps) = (smaller, steps + 1)
        }
        #expect(plan.shape.images == 1 && plan.shape.patches == 1 && plan.shape.chunkRows == 1 && steps > 6)
    }

    /// Waves and layers share their buffers: further waves of the same sizes allocate nothing.
    @Test func buffersAreReused() throws {
        let work = try Work(.clean), context = work.lab.rig.context
        let runner = work.runner()
        var held: [Int] = []
        for images in [5, 2, 5, 2, 5] {
            try runner.run(images: images, patches: work.patches.indices) { wavefront, piece in
                _ = try wavefront.run(work.lab.input(piece.images), patches: work.patches)
            }
            held.append(context.allocatedBytes)
        }
        #expect(held[1] == held[4] && held[0] <= held[1])
        #expect(context.peakBytes <= work.before + max(work.plan.bytes, held[4]))
    }

    /// The means of `--patch-with mean` do not depend on the memory they were computed with either.
    @Test func meansHaveTheSameBits() throws {
        let lab = try Lab(images: 11), rig = lab.rig
        let before = rig.context.allocatedBytes
        var held = 0
        let patches = [Site.attnOut, .z, .mlpPre, .mlpAct, .residMid].map {
            Patch(with: .mean, sites: [$0], layers: [1])
        }
        func means(limit: Int) throws -> [UInt32] {
            rig.context.allocationLimit = limit
            defer { rig.context.allocationLimit = .max }
            let means = try ActivationMeans.over(
                images: lab.images, encoder: rig.encoder, library: rig.library,
                sites: [.attnOut, .z, .mlpPre, .mlpAct, .residMid]
            ) { Array(lab.input.clean[$0]) }
            rig.context.allocationLimit = .max
            held = rig.context.allocatedBytes - before
            let wavefront = try Wavefront(
                encoder: rig.encoder, library: rig.library, shape: WaveShape(images: 2, patches: patches, chunkRows: 2),
                means: means)
            return try wavefront.run(lab.input(0..<2), patches: patches, keepLogits: true).patchedLogits.flatMap {
                $0.map(\.bitPattern)
            }
        }
        let whole = try means(limit: .max)
        let most = ActivationMeans.bytes(patches, config: rig.config)
        #expect(held <= most && held > most / 2, "\(held) of \(most) bytes")
        let wave = try WavePlan(encoder: rig.encoder, patches: [], observing: [.mlpPre], images: 8, memory: nil).bytes
        for share in [0.7, 0.4, 0.3] {
            #expect(try means(limit: before + Int(share * Double(wave))) == whole, "\(share)")
        }
        #expect(throws: SweepError.self) { try means(limit: before + 100) }
    }
}
