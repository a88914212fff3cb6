import Images
import Results
import Spec

/// Chooses the patches and the images that get exact passes, if not all do.
enum ExactChoice {
    /// The patches with the largest absolute mean estimate under any corruption, and some more, drawn from the others.
    /// - Parameters:
    ///   - name: the estimate by which they are chosen
    ///   - seed: of the draw
    static func patches(
        _ top: Int, random: Int, by name: String, in store: ResultsStore, seed: UInt64
    ) throws -> [ExactPatch] {
        let count = store.manifest.patches.count
        var largest = [Double](repeating: 0, count: count)
        for corruption in store.manifest.corruptions.indices where top > 0 {
            var sums = [Double](repeating: 0, count: count), images = 0
            try store.forEachEstimate(
                name, corruption: corruption, images: try store.estimatedImages(corruption: corruption)
            ) { _, values in
                images += 1
                for (patch, value) in values.enumerated() { sums[patch] += Double(value) }
            }
            if images == 0 { continue }
            for (patch, sum) in sums.enumerated() { largest[patch] = max(largest[patch], abs(sum / Double(images))) }
        }
        let ranked = largest.indices.sorted { (largest[$0], -$0) > (largest[$1], -$1) }
        let chosen = ranked.prefix(top), rest = ranked.dropFirst(top).sorted()
        let drawn = RandomKey.order(rest.count, of: "exact patches", draw: 0, seed: seed).prefix(random).map {
            rest[$0]
        }
        return (chosen.map { ExactPatch(patch: $0, why: .top) } + drawn.map { ExactPatch(patch: $0, why: .random) })
            .sorted { $0.patch < $1.patch }
    }

    /// `count` images of a range, drawn by the seed, so that every shard has the same; nil: all.
    static func images(_ count: Int?, of range: Range<Int>, seed: UInt64) -> Set<Int>? {
        count.map { count in
            Set(
                RandomKey.order(range.count, of: "exact images", draw: 0, seed: seed).prefix(count).map {
                    range.lowerBound + $0
                })
        }
    }
}
