/// Greedy search: starting from the empty set, repeatedly adds the place with the largest gain.
///
/// This type only chooses and runs no passes: run `trials` in any waves, give their mean gains to `take` and the set's
/// share to `reached`, and repeat until `end` is set. A **gain** is how far a patch moves the receiving pass's
/// probability towards the other pass's: p(patched) - p(corrupted) for `restore`, p(clean) - p(patched) for `noise`;
/// the total is p(clean) - p(corrupted). Compare Conmy et al., Towards Automated Circuit Discovery for Mechanistic
/// Interpretability, 2023, who prune greedily; this adds.
package struct Greedy: Sendable {
    package enum End: String, Codable, Sendable {
        /// The set has reached the requested share
        case share
        /// The set has the requested number of places
        case maximum = "max"
        /// No remaining place would increase the gain
        case noGain = "no_gain"
        /// Every place is in the set
        case exhausted
    }

    /// Candidates have the same direction and the same source
    package let candidates: [Patch]
    /// Stop at this share of the total gain
    package let until: Double
    /// Maximum number of places to choose
    package let most: Int

    /// Indices into `candidates`, in the order of addition
    package private(set) var chosen: [Int] = []
    /// Mean gain of the set after each addition
    package private(set) var gains: [Double] = []
    /// Mean gain of each candidate alone; empty before the first step
    package private(set) var singles: [Double] = []
    package private(set) var end: End?

    package init(candidates: [Patch], until: Double, most: Int? = nil) {
        self.candidates = candidates
        self.until = until
        self.most = min(most ?? .max, candidates.count)
        if self.most < 1 { end = .exhausted }
    }

    /// Candidates that are not in the set, in order
    package var remaining: [Int] {
        let chosen = Set(chosen)
        return candidates.indices.filter { !chosen.contains($0) }
    }

    /// One patch for each of `remaining`: the set with that candidate added
    package var trials: [Patch] { remaining.map { set(chosen + [$0]) } }

    /// Some candidates merged into one patch
    package func set(_ indices: some Sequence<Int>) -> Patch { Patch(merging: indices.map { candidates[$0] }) }

    /// Candidates sorted by their single gain, largest first, ties in order: the usual choice of a top-k set.
    package var ranked: [Int] {
        singles.indices.sorted { (singles[$0], -$0) > (singles[$1], -$1) }
    }

    /// Adds the trial with the largest mean gain (the first of equal ones), if that exceeds the set's gain.
    /// - Parameter gains: mean gain of each of `trials`; NaN is never chosen
    /// - Returns: the position in `trials` of the added one; nil where nothing improves
    package mutating func take(_ gains: [Double]) -> Int? {
        let remaining = remaining
        precondition(end == nil && gains.count == remaining.count)
        if chosen.isEmpty { singles = gains }
        var best: Int?
        var most = self.gains.last ?? 0
        for (position, gain) in gains.enumerated() where gain > most { (best, most) = (position, gain) }
        guard let best else {
            end = .noGain
            return nil
        }
        chosen.append(remaining[best])
        self.gains.append(most)
        if chosen.count == candidates.count {
            end = .exhausted
        } else if chosen.count == self.most {
            end = .maximum
        }
        return best
    }

    /// Ends the search if the set's share of the total gain is at least the requested one. The caller chooses the
    /// images for the share: held-out images, if there are any. NaN never ends the search.
    package mutating func reached(_ share: Double) {
        if share >= until { end = .share }
    }

    /// Splits images into searched and held-out ones: with the images sorted by label, and by position within a label,
    /// every `1 / share`-th is held out. So 0.5 holds out every other image of each class, and classes that alternate
    /// in the data do not end up in different halves.
    /// - Returns: positions, ascending
    package static func split(labels: [Int], heldOut share: Double) -> (search: [Int], heldOut: [Int]) {
        var search: [Int] = [], heldOut: [Int] = []
        let order = labels.indices.sorted { (labels[$0], $0) < (labels[$1], $1) }
        for (k, position) in order.enumerated() {
            if (Double(k + 1) * share).rounded(.down) > (Double(k) * share).rounded(.down) {
                heldOut.append(position)
            } else {
                search.append(position)
            }
        }
        return (search.sorted(), heldOut.sorted())
    }
}

extension Patch {
    /// All of these patches as one patch in few parts: parts that differ only in heads (or tokens, neurons or layers)
    /// become one part, whatever the order of the patches.
    /// - Parameter patches: patches of the same direction and source; those of the first are used
    package init(merging patches: [Patch]) {
        // One layer per part, so that parts that share only some layers can be joined.
        var parts = patches.flatMap(\.parts).flatMap { part in
            part.layers.isEmpty
                ? [part]
                : part.layers.map { layer in
                    var one = part
                    one.layers = [layer]
                    return one
                }
        }
        parts = Self.joined(parts, \.heads)
        parts = Self.joined(parts, \.tokens)
        parts = Self.joined(parts, \.neurons)
        var layers: [Part: [Int]] = [:]
        for part in parts {
            var rest = part
            rest.layers = []
            layers[rest, default: []] += part.layers
        }
        parts = layers.map { rest, layers in
            var part = rest
            part.layers = Set(layers).sorted()
            return part
        }
        func key(_ part: Part) -> [[Int]] {
            [
                part.layers, [Site.allCases.firstIndex(of: part.site) ?? 0], part.heads ?? [], part.tokens ?? [],
                part.neurons ?? [],
            ]
        }
        parts.sort { a, b in
            let (a, b) = (key(a), key(b))
            return zip(a, b).first { $0 != $1 }.map { $0.lexicographicallyPrecedes($1) } ?? false
        }
        self.init(direction: patches.first?.direction ?? .restore, with: patches.first?.with ?? .other, parts: parts)
    }

    /// Joins parts that differ in one list only, with the union of their lists; nil stands for all.
    private static func joined(_ parts: [Part], _ list: WritableKeyPath<Part, [Int]?>) -> [Part] {
        var unions: [Part: [Int]?] = [:]
        for part in parts {
            var rest = part
            rest[keyPath: list] = nil
            guard let new = part[keyPath: list], let known = unions[rest] ?? [] else {
                unions[rest] = .some(nil)
                continue
            }
            unions[rest] = .some(Set(known + new).sorted())
        }
        return unions.map { rest, union in
            var part = rest
            part[keyPath: list] = union
            return part
        }
    }
}
