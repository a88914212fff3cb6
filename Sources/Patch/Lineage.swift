/// Which pass each patched pass descends from.
///
/// Two patches with the same receiving and giving pass that do the same at all places before some place are one pass up
/// to there: a window of layers 3-5 is the window of layers 3 and 4 until layer 5. So patches form a tree (a trie over
/// what they do, place by place), and a pass is computed only from where it leaves its parent. Patches that do the same
/// everywhere are one pass.
struct Lineage {
    struct Birth: Equatable {
        var place: Place
        /// The patch whose row it is a copy of until then; nil: the receiving pass
        var parent: Int?
    }

    /// Per patch; nil where it has no row of its own
    private(set) var births: [Birth?]
    /// Per patch: the patch that it is equal to, if another one is
    private(set) var twins: [Int?]
    /// The patches with rows, in the order of birth; a parent comes before its children
    private(set) var order: [Int] = []

    /// - Parameters:
    ///   - places: what each patch does, by place; patches without any are the receiving pass
    ///   - base, source: each patch's receiving and giving block
    init(places: [[Place: [Swap]]], base: [Int], source: [Int]) {
        births = Array(repeating: nil, count: places.count)
        twins = births.map { _ in nil }
        var numbers: [[Swap]: Int] = [:]
        let paths = places.map { places in
            places.sorted { $0.key < $1.key }.map { place, swaps in
                let known = numbers[swaps] ?? numbers.count
                numbers[swaps] = known
                return Step(place: place, kind: Step.Kind(swaps, at: place), swaps: known)
            }
        }
        // Neighbours in this order share the longest beginnings, and who goes on longer without a change comes first.
        let sorted = places.indices.filter { !paths[$0].isEmpty }.sorted { a, b in
            if base[a] != base[b] { return base[a] < base[b] }
            if source[a] != source[b] { return source[a] < source[b] }
            for (x, y) in zip(paths[a], paths[b]) where x != y { return x < y }
            return paths[a].count == paths[b].count ? a < b : paths[a].count < paths[b].count
        }
        for (k, patch) in sorted.enumerated() {
            births[patch] = Birth(place: paths[patch][0].place)
            guard k > 0, base[sorted[k - 1]] == base[patch], source[sorted[k - 1]] == source[patch] else { continue }
            let last = sorted[k - 1], shared = zip(paths[last], paths[patch]).prefix { $0 == $1 }.count
            if shared == paths[patch].count {
                (births[patch], twins[patch]) = (nil, twins[last] ?? last)
            } else if shared > 0 {
                descend(patch, from: twins[last] ?? last, at: paths[patch][shared], paths)
            }
        }
        let births = births
        order = sorted.filter { births[$0] != nil }.sorted { a, b in
            guard let x = births[a]?.place, let y = births[b]?.place, x != y else { return a < b }
            return x < y
        }
    }

    /// What a patch does at one place
    private struct Step: Equatable, Comparable {
        /// In the order in which children are made
        enum Kind: Int {
            /// Slices of a stage's output: the stage itself is the parent's
            case output
            /// Something inside a stage, or slices of the stream
            case other
            /// The whole output of a stage, which is then not computed
            case whole

            init(_ swaps: [Swap], at place: Place) {
                let output: Site? = place.stage == .attention ? .attnOut : place.stage == .mlp ? .mlpOut : nil
                let isOutput = swaps.allSatisfy { $0.site == output }
                self = !isOutput ? .other : swaps.contains(where: \.isFull) ? .whole : .output
            }
        }
        var place: Place
        var kind: Kind
        /// Equal where the swaps are
        var swaps: Int

        static func < (a: Step, b: Step) -> Bool {
            if a.place != b.place { return a.place > b.place }
            return a.kind == b.kind ? a.swaps < b.swaps : a.kind.rawValue < b.kind.rawValue
        }
    }

    /// Has `patch` born from `last`, or from one of its ancestors, if that comes later than its own first place.
    private mutating func descend(
        _ patch: Int, from last: Int, at step: Step, _ paths: [[Step]]
    ) {
        // An ancestor is the same pass as `last` until `last` leaves it.
        func pass(aliveAt place: Place) -> Int? {
            var some: Int? = last
            while let patch = some, let birth = births[patch], birth.place >= place { some = birth.parent }
            return some
        }
        guard let old = births[patch], var parent = pass(aliveAt: step.place) else { return }
        var place = step.place
        if place.stage == .attention || place.stage == .mlp, step.kind != .whole {
            // The parent's output serves if the parent computes it as this pass would. Otherwise the pass starts before
            // the stage.
            let other = paths[parent].first { $0.place == step.place }
            if step.kind != .output || other.map({ $0.kind != .output }) ?? false {
                place.stage = place.stage == .attention ? .residPre : .residMid
                guard let before = pass(aliveAt: place) else { return }
                parent = before
            }
        }
        if place > old.place { births[patch] = Birth(place: place, parent: parent) }
    }
}
