import Images
import Patch

/// Images of one corruption, ready for a device.
struct SweepWave: Sendable {
    var corruption: Int
    var images: PreparedImages
}

/// The images of all waves of a sweep, corruption after corruption.
struct SweepWaves: Sendable {
    fileprivate(set) var ranges: [(corruption: Int, images: [Int])] = []
    /// Per corruption; nil where there is nothing to do
    fileprivate(set) var loaders: [ImageLoader?] = []

    var count: Int { ranges.count }

    func load(_ index: Int) throws -> SweepWave {
        let (corruption, images) = ranges[index]
        return SweepWave(corruption: corruption, images: try loaders[corruption]?.load(images) ?? PreparedImages())
    }
}

extension Waves {
    /// - Parameter images: per corruption, positions in the data's order
    func waves(
        _ corruptions: [Corruption], images: [[Int]], plan: WavePlan, partners: Bool
    ) throws -> SweepWaves {
        var waves = SweepWaves()
        for (index, corruption) in corruptions.enumerated() {
            waves.loaders.append(images[index].isEmpty ? nil : try loader(corruption, partners: partners))
            waves.ranges += plan.imageRanges(count: images[index].count).map { (index, Array(images[index][$0])) }
        }
        return waves
    }
}
