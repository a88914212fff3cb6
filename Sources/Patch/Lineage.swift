/// The pass that each patched pass descends from.
///
/// Two patches with the same receiving and source pass whose swaps are equal at all depths before some depth are one
/// pass up to there: a window of layers 3-5 is the window of layers 3 and 4 until layer 5. So patches form a tree (a
/// trie over their swaps, depth by depth), and a pass is computed only from where it leaves its parent. Patches with
/// the same swaps everywhere are one pass.
struct Lineage {
    struct Birth: Equatable {
        var depth: Depth
        /// The patch whose row it is copied from; nil: the receiving pass
        var parent: Int?
    }

    /// Per patch; nil if it has no row of its own
    private(set) var births: [Birth?]
    /// Per patch: the earlier patch with the same swaps, if there is one
    private(set) var twins: [Int?]
    /// The patches with rows, in order of birth; a parent comes before its children
    private(set) var order: [Int] = []

    /// - Parameters:
    ///   - swaps: each patch's swaps, by depth; a patch without any is the receiving pass
    ///   - base, source: each patch's receiving and source block
    init(swaps: [[Depth: [Swap]]], base: [Int], source: [Int]) {
        births = Array(repeating: nil, count: swaps.count)
        twins = births.map { _ in nil }
        var numbers: [[Swap]: Int] = [:]
        let paths = swaps.map { swaps in
            swaps.sorted { $0.key < $1.key }.map { depth, swaps in
                let known = numbers[swaps] ?? numbers.count
                numbers[swaps] = known
                return Step(depth: depth, kind: Step.Kind(swaps), swaps: known)
            }
        }
        // Sorted so that neighbours share the longest prefix; the patch whose next change comes later sorts first.
        let sorted = swaps.indices.filter { !paths[$0].isEmpty }.sorted { a, b in
            if base[a] != base[b] { return base[a] < base[b] }
            if source[a] != source[b] { return source[a] < source[b] }
            for (x, y) in zip(paths[a], paths[b]) where x != y { return x < y }
            return paths[a].count == paths[b].count ? a < b : paths[a].count < paths[b].count
        }
        for (k, patch) in sorted.enumerated() {
            births[patch] = Birth(depth: paths[patch][0].depth)
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
            guard let x = births[a]?.depth, let y = births[b]?.depth, x != y else { return a < b }
            return x < y
        }
    }

    /// The swaps of a patch at one depth
    private struct Step: Equatable, Comparable {
        /// Sort order of siblings
        enum Kind: Int {
            /// Slices of a stage's output: the stage itself is the parent's
            case output
            /// Swaps inside a stage, or slices of the stream
            case other
            /// The whole output of a stage, which is then not computed
            case whole

            init(_ swaps: [Swap]) {
                self = !swaps.allSatisfy(\.site.isOutput) ? .other : swaps.contains(where: \.isFull) ? .whole : .output
            }
        }
        var depth: Depth
        var kind: Kind
        /// Equal numbers mean equal swaps
        var swaps: Int

        static func < (a: Step, b: Step) -> Bool {
            if a.depth != b.depth { return a.depth > b.depth }
            return a.kind == b.kind ? a.swaps < b.swaps : a.kind.rawValue < b.kind.rawValue
        }
    }

    /// Has `patch` born from `last` or one of its ancestors, if that is later than its current birth.
    private mutating func descend(
        _ patch: Int, from last: Int, at step: Step, _ paths: [[Step]]
    ) {
        // An ancestor is the same pass as `last` until `last` leaves it.
        func pass(aliveAt depth: Depth) -> Int? {
            var some: Int? = last
            while let patch = some, let birth = births[patch], birth.depth >= depth { some = birth.parent }
            return some
        }
        guard let old = births[patch], var parent = pass(aliveAt: step.depth) else { return }
        var depth = step.depth
        if depth.stage.hasOutput, step.kind != .whole {
            // The parent's output can be copied if the parent computes it as this pass would. Otherwise the pass starts
            // before the stage.
            let other = paths[parent].first { $0.depth == step.depth }
            if step.kind != .output || other.map({ $0.kind != .output }) ?? false {
                depth.stage = depth.stage == .attention ? .residPre : .residMid
                guard let before = pass(aliveAt: depth) else { return }
                parent = before
            }
        }
        if depth > old.depth { births[patch] = Birth(depth: depth, parent: parent) }
    }
}
