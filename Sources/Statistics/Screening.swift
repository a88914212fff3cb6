import Foundation
import Results

/// The agreement of estimates and exact effects of the same patches on the same images.
package struct Agreement: Sendable, Equatable {
    /// Patches compared
    package var patches: Int
    /// Correlations of mean estimates and mean effects; nan for fewer than 3 patches, or without spread
    package var pearson: Double, spearman: Double
    /// Share of patches whose mean estimate and mean effect have the same sign
    package var sameSign: Double
    /// Pearson over all pairs of patch and image
    package var pooled: Double
}

/// One estimate beside the exact effects on its metric.
package struct Screening: Sendable, Equatable {
    package struct Group: Sendable, Equatable {
        package var direction: String
        /// Without a neuron in brackets
        package var site: String
        /// nil: all layers
        package var layer: String?
        package var agreement: Agreement
    }

    /// How many of the patches with the largest exact effects are among those with the largest estimates.
    package struct Recall: Sendable, Equatable {
        package var found: Int, exact: Int, estimated: Int
    }

    package var name: EstimateName
    /// Number of images that both are over
    package var images: Int
    /// All patches with exact passes
    package var all: Agreement
    /// By direction and site, then by direction, site and layer where a site has several
    package var groups: [Group]
    /// nil unless there are more than `within` patches
    package var recall: Recall?
    /// Bounds on the effects of the patches without exact passes; nil without random ones
    package var missed: Missed?
    /// The patches compared, with their mean estimate and mean effect
    package var pairs: [Pair]

    package struct Pair: Sendable, Equatable {
        /// Index into the manifest's patches
        package var patch: Int
        package var estimate: Double, effect: Double
    }

    /// Bounds on the patches that were not measured, from the random sample.
    package struct Missed: Sendable, Equatable {
        /// Patches that were not among the top ones, and how many of them were drawn and measured
        package var screened: Int, sampled: Int
        /// The smallest absolute effect of the `shown` strongest top patches; nan without top ones
        package var threshold: Double
        package var shown: Int
        /// The number of sampled patches beyond it, and the upper bound on that number for `screened`, at `confidence`
        package var beyond: Int, atMost: Int
        /// The largest absolute effect among those sampled, and the upper bound on the number of `screened` beyond it
        package var largest: Double, beyondLargest: Int
        package var confidence: Double
    }

    /// The correlation below which estimates come with a warning
    package static let trusted = 0.9
    /// Directions and sites with a correlation of their own below `trusted`, whatever it is over all sites. Sites whose
    /// effects differ in size correlate together even where the places within a site do not
    package var mistrusted: [Group] {
        groups.filter { $0.layer == nil && $0.agreement.pearson < Self.trusted }
    }
    /// Recall counts how many of the `recalled` strongest patches are among the `within` largest estimates
    package static let recalled = 10, within = 20
}

/// Sums over the images of pairs of an estimate f and an exact effect y of one patch
struct PairSums {
    var n = 0.0, y = 0.0, f = 0.0, yy = 0.0, ff = 0.0, fy = 0.0

    mutating func add(y: Double, f: Double) {
        guard y.isFinite, f.isFinite else { return }
        n += 1
        self.y += y
        self.f += f
        yy += y * y
        ff += f * f
        fy += f * y
    }

    static func + (a: PairSums, b: PairSums) -> PairSums {
        PairSums(n: a.n + b.n, y: a.y + b.y, f: a.f + b.f, yy: a.yy + b.yy, ff: a.ff + b.ff, fy: a.fy + b.fy)
    }

    /// Pearson; nan without spread
    var correlation: Double {
        let (vy, vf) = (yy - y * y / n, ff - f * f / n)
        guard n > 2, vy > yy * 1e-12, vf > ff * 1e-12 else { return .nan }
        return max(-1, min(1, (fy - f * y / n) / (vy * vf).squareRoot()))
    }
}

extension Agreement {
    /// - Parameter sums: one for each patch
    init(_ sums: [PairSums]) {
        let means = sums.filter { $0.n > 0 }
        let effects = means.map { $0.y / $0.n }, estimates = means.map { $0.f / $0.n }
        patches = means.count
        pearson = means.count < 3 ? .nan : Statistics.pearson(effects, estimates)
        // Values that differ only by rounding have no meaningful ranks.
        spearman = pearson.isFinite ? Statistics.spearman(effects, estimates) : .nan
        sameSign =
            Double(zip(effects, estimates).count { ($0 > 0) == ($1 > 0) && ($0 < 0) == ($1 < 0) }) / Double(means.count)
        pooled = means.reduce(PairSums()) { $0 + $1 }.correlation
    }
}

extension Screening {
    /// - Parameters:
    ///   - sums: one for each of `patches`
    ///   - patches: indices of the patches with exact passes into the manifest's
    ///   - exact: why they have exact passes; nil: every patch has them
    init(
        _ name: EstimateName, sums: [PairSums], patches: [Int], manifest: Manifest, images: Int, exact: [ExactPatch]?
    ) {
        (self.name, self.images) = (name, images)
        let measured = sums.indices.filter { sums[$0].n > 0 }
        all = Agreement(sums)
        pairs = measured.map {
            Pair(patch: patches[$0], estimate: sums[$0].f / sums[$0].n, effect: sums[$0].y / sums[$0].n)
        }
        func site(_ patch: Int) -> String { String(manifest.patches[patch].site.prefix { $0 != "[" }) }
        let bySite = Dictionary(grouping: measured) { [manifest.patches[patches[$0]].direction, site(patches[$0])] }
        groups = unique(measured.map { [manifest.patches[patches[$0]].direction, site(patches[$0])] }).flatMap {
            key -> [Group] in
            let members = bySite[key] ?? []
            func group(_ layer: String?, _ members: [Int]) -> Group {
                Group(
                    direction: key[0], site: key[1], layer: layer, agreement: Agreement(members.map { sums[$0] }))
            }
            let byLayer = Dictionary(grouping: members) { manifest.patches[patches[$0]].layer }
            let layers = unique(members.map { manifest.patches[patches[$0]].layer })
            return [group(nil, members)]
                + (layers.count > 1 && members.count > 2 * layers.count
                    ? layers.map { group($0, byLayer[$0] ?? []) } : [])
        }
        let byEffect = pairs.sorted { abs($0.effect) > abs($1.effect) }
        let byEstimate = pairs.sorted { abs($0.estimate) > abs($1.estimate) }
        if pairs.count > Self.within {
            let likely = Set(byEstimate.prefix(Self.within).map(\.patch))
            recall = Recall(
                found: byEffect.prefix(Self.recalled).count { likely.contains($0.patch) }, exact: Self.recalled,
                estimated: Self.within)
        }
        missed = exact.flatMap { Missed(pairs, exact: $0, patches: manifest.ownPatches.count) }
    }
}

extension Screening.Missed {
    /// - Parameter patches: the number of patches that could have been measured
    init?(_ pairs: [Screening.Pair], exact: [ExactPatch], patches: Int, confidence: Double = 0.95) {
        let why = Dictionary(exact.map { ($0.patch, $0.why) }, uniquingKeysWith: { first, _ in first })
        let random = pairs.filter { why[$0.patch] == .random }.map { abs($0.effect) }
        let top = pairs.filter { why[$0.patch] == .top }.map { abs($0.effect) }.sorted(by: >)
        guard let largest = random.max() else { return nil }
        (screened, sampled, self.largest) = (patches - top.count, random.count, largest)
        self.confidence = confidence
        shown = min(top.count, Screening.recalled)
        let threshold = shown > 0 ? top[shown - 1] : .nan
        self.threshold = threshold
        beyond = random.count { $0 > threshold }
        atMost = mostOf(population: screened, sample: sampled, found: beyond, confidence: confidence)
        beyondLargest = mostOf(population: screened, sample: sampled, found: 0, confidence: confidence)
    }
}

/// The upper bound on how many of a population have a property, given how many of a sample without replacement have it:
/// the largest number for which so few are found with a probability of more than 1 - `confidence`. Exact, from the
/// hypergeometric distribution (Clopper and Pearson's bound for a finite population).
package func mostOf(population: Int, sample: Int, found: Int, confidence: Double) -> Int {
    guard sample > 0, sample <= population, found <= sample else { return population }
    // The probability of so few falls as the population has more, so binary search finds the bound.
    var (low, high) = (found, population - sample + found)
    while low < high {
        let middle = (low + high + 1) / 2
        let chance = hypergeometricCDF(found, population: population, marked: middle, sample: sample)
        if chance > 1 - confidence { low = middle } else { high = middle - 1 }
    }
    return low
}

/// The probability of at most `found` marked ones in a sample without replacement.
package func hypergeometricCDF(_ found: Int, population: Int, marked: Int, sample: Int) -> Double {
    func choose(_ n: Int, _ k: Int) -> Double {
        k < 0 || k > n ? -.infinity : lgamma(Double(n + 1)) - lgamma(Double(k + 1)) - lgamma(Double(n - k + 1))
    }
    let all = choose(population, sample)
    return min(
        1,
        (0...max(0, found)).reduce(0) {
            $0 + exp(choose(marked, $1) + choose(population - marked, sample - $1) - all)
        })
}
