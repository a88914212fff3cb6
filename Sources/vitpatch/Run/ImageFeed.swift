/// Feeds images to a device batch by batch; other threads prepare them while it works.
final class ImageFeed {
    /// One corruption's images, indices in the data's order, and their loader
    struct Source {
        var images: [Int]
        var loader: ImageLoader
        /// Index into the corruptions of a sweep
        var corruption = 0
    }

    private let sources: [Source]
    /// The source and the images of each batch
    private let ranges: [(source: Int, images: Range<Int>)]
    private let isKept: Bool
    private var kept: [ImageBatch] = []

    /// - Parameters:
    ///   - perBatch: images per batch
    ///   - isKept: whether batches are kept in host memory, so that only the first `forEach` prepares them
    init(_ sources: [Source], perBatch: Int, isKept: Bool = false) {
        (self.sources, self.isKept) = (sources, isKept)
        ranges = sources.enumerated().flatMap { index, source in
            stride(from: 0, to: source.images.count, by: perBatch).map {
                (index, $0..<min($0 + perBatch, source.images.count))
            }
        }
    }

    /// Indices of all images in the data's order, corruption after corruption
    var indices: [Int] { sources.flatMap(\.images) }
    /// The corruption of each batch
    var corruptions: [Int] { ranges.map { sources[$0.source].corruption } }

    /// The batches in their order.
    /// - Parameter ahead: batches prepared in advance
    func batches(ahead: Int = 1) -> Prefetcher<ImageBatch> {
        let sources = sources, ranges = ranges
        return Prefetcher(count: ranges.count, ahead: ahead) { index in
            let (source, range) = ranges[index]
            var batch = try sources[source].loader.load(Array(sources[source].images[range]))
            batch.corruption = sources[source].corruption
            return batch
        }
    }

    /// - Parameter body: returns whether to continue
    /// - Returns: whether all batches were seen
    func forEach(_ body: (ImageBatch) throws -> Bool) throws -> Bool {
        if isKept, kept.count == ranges.count {
            for batch in kept where try !body(batch) { return false }
            return true
        }
        kept = []
        let batches = batches()
        while let batch = try batches.take() {
            if isKept { kept.append(batch) }
            if try !body(batch) { return false }
        }
        return true
    }
}
