import CLRuntime
import Kernels
import ViT

/// Mean activations at some sites over the clean passes of a data set, token by token, put in by `--patch-with mean`.
package final class ActivationMeans {
    private struct Key: Hashable {
        var site: Site
        var layer: Int
    }
    private var means: [Key: Buffer<Float>] = [:]

    /// - Parameters:
    ///   - sites: the sites of the sweep's patches
    ///   - images: number of images; `pixels` gives the clean ones of a range, each [channels, height, width], and may
    ///     leave some out
    ///   - memory: as for `WavePlan`
    /// - Returns: means in float32 of sums in Double, added image after image, so that the bits do not depend on waves
    package static func over(
        images: Int, encoder: Encoder, library: KernelLibrary, sites: Set<Site>, memory: Int? = nil,
        pixels: (Range<Int>) throws -> [[Float]]
    ) throws -> ActivationMeans {
        var sums: [Key: [Double]] = [:]
        let plan = try WavePlan(encoder: encoder, patches: [], observing: sites, images: min(images, 8), memory: memory)
        let runner = WaveRunner(encoder: encoder, library: library, plan: plan)
        var averaged = 0
        for first in stride(from: 0, to: images, by: plan.shape.images) {
            let range = first..<min(first + plan.shape.images, images), clean = try pixels(range)
            if clean.isEmpty { continue }
            averaged += clean.count
            try runner.run(images: clean.count, patches: 0..<0) { wavefront, piece in
                // Kept only if the wave succeeds: one that fails is run again.
                var new = sums
                let wave = Wave(
                    clean: Array(clean[piece.images]), corrupted: nil, labels: piece.images.map { _ in -1 })
                try wavefront.observe(wave, sites: sites) { place, values in
                    let key = Key(site: place.site, layer: place.layer)
                    if new[key] == nil { new[key] = [Double](repeating: 0, count: values.count) }
                    values.withUnsafeBufferPointer { values in
                        new[key]?.withUnsafeMutableBufferPointer { sums in
                            for i in 0..<min(values.count, sums.count) { sums[i] += Double(values[i]) }
                        }
                    }
                }
                sums = new
            }
        }
        let result = ActivationMeans()
        for (key, sum) in sums {
            result.means[key] = try Buffer(encoder.context, sum.map { Float($0 / Double(max(averaged, 1))) })
        }
        return result
    }

    /// An upper limit of the device memory for the means of some patches, bytes; 0 where no patch puts in means.
    package static func bytes(_ patches: [Patch], config: ViTConfig) -> Int {
        sites(patches).map { site in
            let width = site.hasNeurons ? config.intermediateSize : config.hiddenSize
            return (site.hasLayers ? config.layers : 1) * config.tokens * width * MemoryLayout<Float>.size
        }.reduce(0, +)
    }

    /// The sites of patches that put in means
    package static func sites(_ patches: [Patch]) -> Set<Site> {
        Set(patches.filter { $0.with == .mean }.flatMap { $0.parts.map(\.site) })
    }

    /// The same means on another device.
    package func copied(to context: Context) throws(CLError) -> ActivationMeans {
        let copy = ActivationMeans()
        for (key, mean) in means { copy.means[key] = try Buffer(context, try mean.read()) }
        return copy
    }

    /// nil if the site was not among those averaged
    func at(_ site: Site, layer: Int) -> Buffer<Float>? { means[Key(site: site, layer: layer)] }
}
