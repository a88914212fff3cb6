import CLRuntime
import Images
import Patch
import Spec
import Statistics

/// A greedy search over images: every step runs the set with each of the places left added to it, in waves over the
/// half that is searched on, and then the new set on the half that is held out.
struct SearchRun {
    let experiment: Experiment
    let corruption: Corruption
    let keep: Keep
    /// The metric of effects
    var metric = SearchMetric.p
    let heldOutShare: Double
    /// The number of places tried, those with the largest estimated gain on the half that is searched on; nil: all
    var screen: Int?
    let runner: (_ candidates: [Patch]) throws -> WaveRunner
    /// Makes the runner of the candidates' estimates
    let estimator: (_ candidates: [Patch]) throws -> AttributionRunner
    let interruption: Interruption

    /// Orders of the random baseline
    static let orders = 5
    /// The most bytes of host memory for prepared images; if they need more, they are prepared again every step.
    static let imageBytes = 2 << 30

    struct Outcome {
        var searched = 0, heldOut = 0
        var totalEffect = TotalEffect(mean: .nan, low: .nan, high: .nan), heldOutTotalEffect: TotalEffect?
        /// nil: interrupted
        var end: Greedy.End?
        var chosen: [Int] = []
        var steps: [Step] = []
        var baselinesAreHeldOut = false
        var passes = 0
        /// The candidates that were tried, if estimates chose them
        var screened: [Int]?

        struct Step {
            var searched: RecoveredShare, heldOut: RecoveredShare?
            var ranked: Double?
            var random: [Double] = []
        }
    }

    /// - Parameters:
    ///   - images: indices in the data's order
    ///   - onStep: called after each step with the outcome so far
    func run(_ search: Greedy, images: [Int], onStep: (Outcome) -> Void) throws -> Outcome {
        var greedy = search, outcome = Outcome()
        let loader = try experiment.loader(corruption), config = experiment.model.encoder.config
        let values = config.imageValues * (1 + experiment.draws(corruption))
        let isKept = images.count <= Self.imageBytes / MemoryLayout<Float>.size / max(values, 1)
        // Choosing the images needs only clean and corrupted passes.
        var runner = try runner(screen == nil ? search.candidates : [])
        let perWave = runner.plan.shape.images
        func feed(_ indices: [Int], isKept: Bool) -> ImageFeed {
            ImageFeed([.init(images: indices, loader: loader)], perBatch: perWave, isKept: isKept)
        }
        guard let kept = try keptImages(feed(images, isKept: false), runner, &outcome) else { return outcome }
        if kept.isEmpty {
            throw CommandError("--keep \(keep.rawValue) leaves none of the \(images.count) images")
        }
        let split = Greedy.split(labels: kept.map(experiment.data.label), heldOut: heldOutShare)
        let searched = feed(split.search.map { kept[$0] }, isKept: isKept)
        let heldOut = feed(split.heldOut.map { kept[$0] }, isKept: isKept)
        (outcome.searched, outcome.heldOut) = (searched.indices.count, heldOut.indices.count)
        // All images are read before the first pass: the held-out half runs only after a first step, if there is one,
        // and an unreadable image must not end a search hours later, or go unseen.
        if keep == .all, experiment.skipped == nil {
            for half in [searched, heldOut] where try !half.forEach({ _ in !interruption.isRequested }) {
                return outcome
            }
        }

        if let screen, screen < search.candidates.count {
            guard let chosen = try screened(search.candidates, to: screen, searched) else { return outcome }
            outcome.screened = chosen
            greedy = Greedy(candidates: chosen.map { search.candidates[$0] }, until: search.until, most: search.most)
        }
        if screen != nil { runner = try self.runner(greedy.candidates) }
        let bootstrap = Bootstrap(seed: experiment.seed)
        while greedy.end == nil {
            guard let trials = try evaluate(greedy.trials, searched, runner, &outcome) else {
                return outcome
            }
            if greedy.chosen.isEmpty {
                outcome.totalEffect = TotalEffect(trials.totals, bootstrap: bootstrap)
                guard outcome.totalEffect.mean > 0 else {
                    throw CommandError(
                        "there is nothing to bring back: --corruption \(corruption.spec) changes the target's mean \(metric == .p ? "probability" : metric.title) "
                            + "by \(String(format: "%+.3g", -outcome.totalEffect.mean)) on the \(outcome.searched) images searched on"
                    )
                }
            }
            guard let taken = greedy.take(trials.gains.map(mean)) else { break }
            outcome.chosen = greedy.chosen.map { outcome.screened?[$0] ?? $0 }
            outcome.steps.append(
                Outcome.Step(
                    searched: recoveredShare(effects: trials.gains[taken], totals: trials.totals, bootstrap: bootstrap),
                    heldOut: nil))
            if !heldOut.indices.isEmpty {
                guard let set = try evaluate([greedy.set(greedy.chosen)], heldOut, runner, &outcome) else {
                    return outcome
                }
                outcome.heldOutTotalEffect = TotalEffect(set.totals, bootstrap: bootstrap)
                outcome.steps[outcome.steps.count - 1].heldOut = recoveredShare(
                    effects: set.gains[0], totals: set.totals, bootstrap: bootstrap)
            }
            if let step = outcome.steps.last { greedy.reached((step.heldOut ?? step.searched).share) }
            onStep(outcome)
        }
        try baselines(greedy, heldOut.indices.isEmpty ? searched : heldOut, runner, &outcome)
        outcome.baselinesAreHeldOut = !heldOut.indices.isEmpty
        return outcome
    }

    /// Sets of the same sizes as the greedy ones: of the places that are best alone, and of random ones.
    private func baselines(
        _ greedy: Greedy, _ half: ImageFeed, _ runner: WaveRunner, _ outcome: inout Outcome
    ) throws {
        let orders =
            [greedy.ranked]
            + randomOrders(count: greedy.candidates.count, orders: Self.orders, seed: experiment.seed)
        let steps = outcome.steps.indices
        let sets = orders.map { order in steps.map { greedy.set(order.prefix($0 + 1)) } }
        var seen: Set<Patch> = []
        let patches = sets.joined().filter { seen.insert($0).inserted }
        if patches.isEmpty { return outcome.end = greedy.end }
        guard let result = try evaluate(patches, half, runner, &outcome) else { return }
        // No shares of a total that may be zero
        let total = TotalEffect(result.totals, bootstrap: Bootstrap(seed: experiment.seed))
        let shares = Dictionary(zip(patches, result.gains.map { total.isClear ? mean($0) / total.mean : .nan })) {
            first, _ in first
        }
        for step in steps {
            outcome.steps[step].ranked = shares[sets[0][step]]
            outcome.steps[step].random = sets.dropFirst().compactMap { shares[$0[step]] }
        }
        outcome.end = greedy.end
    }

    /// The candidates with the largest mean estimated gain, in their order; nil if the run was interrupted.
    private func screened(_ candidates: [Patch], to count: Int, _ half: ImageFeed) throws -> [Int]? {
        let estimator = try estimator(candidates)
        var sums = [Double](repeating: 0, count: candidates.count)
        var progress = Progress(total: half.indices.count)
        defer { progress.finish() }
        let isComplete = try half.forEach { images in
            if interruption.isRequested { return false }
            let result = try experiment.estimate(images, corruption, on: estimator)
            for values in result.values[0] {
                for (candidate, value) in values.enumerated() { sums[candidate] += Double(value) }
            }
            progress.advance(images: images.indices.count, passes: 0)
            return true
        }
        if !isComplete { return nil }
        let gains = zip(candidates, sums).map { $0.direction == .restore ? $1 : -$1 }
        return gains.indices.sorted { (gains[$0], -$0) > (gains[$1], -$1) }.prefix(count).sorted()
    }

    // MARK: Passes

    private struct Evaluation {
        /// How far each patch moves each image's metric towards the other pass [patches][images]
        var gains: [[Double]]
        /// metric(clean) - metric(corrupted) [images]
        var totals: [Double] = []
    }

    /// - Returns: nil if the run was interrupted
    private func evaluate(
        _ patches: [Patch], _ half: ImageFeed, _ runner: WaveRunner, _ outcome: inout Outcome
    ) throws -> Evaluation? {
        var result = Evaluation(gains: Array(repeating: [], count: patches.count))
        var progress = Progress(total: half.indices.count)
        defer { progress.finish() }
        let draws = experiment.draws(corruption)
        let isComplete = try half.forEach { images in
            try run(images, patches, on: runner) { output, piece in
                for (index, passes) in zip(piece.patches, output.patched) {
                    for (image, pass) in passes.enumerated() {
                        result.gains[index].append(
                            patches[index].direction == .restore
                                ? metric(pass) - metric(output.corrupted[image])
                                : metric(output.clean[image]) - metric(pass))
                    }
                }
                if piece.patches.lowerBound == 0 {
                    result.totals += zip(output.clean, output.corrupted).map { metric($0) - metric($1) }
                }
                outcome.passes += (2 + piece.patches.count) * draws * piece.images.count
                progress.advance(images: 0, passes: (2 + piece.patches.count) * draws * piece.images.count)
                if piece.patches.upperBound == patches.count { progress.advance(images: piece.images.count, passes: 0) }
            }
        }
        return isComplete ? result : nil
    }

    /// The images that `--keep` keeps; nil if the run was interrupted.
    private func keptImages(_ all: ImageFeed, _ runner: WaveRunner, _ outcome: inout Outcome) throws -> [Int]? {
        if keep == .all {
            guard experiment.skipped != nil else { return all.indices }
            // The images that can be read
            var read: [Int] = []
            let isComplete = try all.forEach { images in
                read += images.indices
                return !interruption.isRequested
            }
            return isComplete ? read : nil
        }
        var progress = Progress(total: all.indices.count)
        defer { progress.finish() }
        var kept: [Int] = []
        let isComplete = try all.forEach { images in
            try run(images, [], on: runner) { output, piece in
                for (i, index) in images.indices[piece.images].enumerated()
                where keep.keeps(
                    clean: output.clean[i], corrupted: output.corrupted[i], label: experiment.data.label(index))
                {
                    kept.append(index)
                }
                let passes = 2 * experiment.draws(corruption) * piece.images.count
                outcome.passes += passes
                progress.advance(images: piece.images.count, passes: passes)
            }
        }
        return isComplete ? kept : nil
    }

    /// Runs every patch on these images, in as many waves as they need.
    /// - Returns: whether all were run; false if the run was interrupted
    private func run(
        _ images: ImageBatch, _ patches: [Patch], on runner: WaveRunner,
        _ body: (WaveResult, WaveRunner.Piece) -> Void
    ) throws -> Bool {
        func check() throws { if interruption.isRequested { throw Interrupted() } }
        do {
            try experiment.run(images, corruption, on: runner, patches: patches, check: check) { piece, _, result in
                body(result, piece)
            }
            return true
        } catch is Interrupted { return false }
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
}

extension SearchMetric {
    func callAsFunction(_ pass: WaveResult.Pass) -> Double {
        switch self {
        case .p: Double(pass.p)
        case .logOdds: Double(pass.logOdds)
        case .logitDiff: Double(pass.logitDiff)
        }
    }
}
