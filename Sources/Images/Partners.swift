/// Chooses the image whose activations each image gets in resample ablation. All allowed images are equally likely; the
/// choice depends only on the seed and the image id.
package struct Partners: Sendable {
    private let seed: UInt64
    private let count: Int
    /// Image indices sorted by class, and each image's class as a range in them; empty where any image is allowed
    private var order: [Int] = []
    private var ranges: [Range<Int>] = []

    /// Any other image; the image itself if there is no other.
    package init(count: Int, seed: UInt64) { (self.count, self.seed) = (count, seed) }

    /// Any image of another class; nil if there is only one class.
    package init?(labels: [Int], seed: UInt64) {
        self.init(count: labels.count, seed: seed)
        order = labels.indices.sorted { (labels[$0], $0) < (labels[$1], $1) }
        ranges = [Range<Int>](repeating: 0..<0, count: labels.count)
        var start = 0
        while start < order.count {
            let end = order[start...].firstIndex { labels[$0] != labels[order[start]] } ?? order.count
            if end - start == order.count { return nil }
            for position in start..<end { ranges[order[position]] = start..<end }
            start = end
        }
    }

    /// - Parameter id: the image's
    package func callAsFunction(of index: Int, id: String) -> Int {
        if order.isEmpty { return RandomKey.partner(of: index, id: id, count: count, seed: seed, sample: 0) }
        let words = RandomKey(seed: seed, imageID: id, sample: 0, purpose: .partner).block(0)
        let own = ranges[index]
        let other = Int((UInt64(words[0]) | UInt64(words[1]) << 32) % UInt64(count - own.count))
        return order[other < own.lowerBound ? other : other + own.count]
    }
}
