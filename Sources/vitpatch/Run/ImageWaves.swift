import Foundation

/// Some images, wave by wave, as often as needed: kept in host memory after the first time, or made again each time.
final class ImageWaves {
    let indices: [Int]
    private let loader: ImageLoader
    private let ranges: [Range<Int>]
    private let isKept: Bool
    private var kept: [PreparedImages] = []

    /// - Parameters:
    ///   - indices: positions in the data's order
    ///   - perWave: images
    ///   - isKept: whether they fit into host memory
    init(_ indices: [Int], loader: ImageLoader, perWave: Int, isKept: Bool) {
        (self.indices, self.loader, self.isKept) = (indices, loader, isKept)
        ranges = stride(from: 0, to: indices.count, by: perWave).map { $0..<min($0 + perWave, indices.count) }
    }

    /// - Parameter body: returns whether to go on
    /// - Returns: whether all waves were seen
    func forEach(_ body: (PreparedImages) throws -> Bool) throws -> Bool {
        if kept.count == ranges.count {
            for wave in kept where try !body(wave) { return false }
            return true
        }
        kept = []
        let loader = loader, indices = indices, ranges = ranges
        let waves = Prefetcher(count: ranges.count) { try loader.load(Array(indices[ranges[$0]])) }
        while let wave = try waves.take() {
            if isKept { kept.append(wave) }
            if try !body(wave) { return false }
        }
        return true
    }
}
