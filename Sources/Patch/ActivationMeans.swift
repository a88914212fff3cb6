import CLRuntime
import Kernels
import ViT

/// The mean activation at some sites over the clean passes of a data set, token by token: what `--patch-with mean` puts in.
public final class ActivationMeans {
    private struct Key: Hashable {
        var site: Site
        var layer: Int
    }
    private var means: [Key: Buffer<Float>] = [:]

    /// - Parameters:
    ///   - sites: of the sweep's patches
    ///   - images: how many there are; `pixels` gives the clean ones of a range, [count, channels, S, S]
    /// - Returns: means in float32 of sums in Double, image after image, so that no wave changes a bit
    public static func over(
        images: Int, encoder: Encoder, library: KernelLibrary, sites: Set<Site>, pixels: (Range<Int>) throws -> [Float]
    ) throws -> ActivationMeans {
        var shape = WaveShape(images: 1, patches: 0, chunkRows: 8)
        shape.images = 8
        let wavefront = try Wavefront(encoder: encoder, library: library, shape: shape)
        var sums: [Key: [Double]] = [:]
        for first in stride(from: 0, to: images, by: shape.images) {
            let range = first..<min(first + shape.images, images)
            try wavefront.observe(try pixels(range), images: range.count, sites: sites) { site, layer, _, values in
                let key = Key(site: site, layer: layer)
                if sums[key] == nil { sums[key] = [Double](repeating: 0, count: values.count) }
                values.withUnsafeBufferPointer { values in
                    sums[key]?.withUnsafeMutableBufferPointer { sums in
                        for i in 0..<min(values.count, sums.count) { sums[i] += Double(values[i]) }
                    }
                }
            }
        }
        let result = ActivationMeans()
        for (key, sum) in sums {
            result.means[key] = try Buffer(encoder.context, sum.map { Float($0 / Double(max(images, 1))) })
        }
        return result
    }

    /// What the stage that ends in `site` may need, with the site each mean is of.
    func at(_ site: Site, layer: Int) -> [(Buffer<Float>, Site)] {
        let inside: [Site] =
            switch site {
            case .attnOut: [.attnOut, .z, .q, .k, .v]
            case .mlpOut: [.mlpOut, .mlpAct]
            case .residPre: layer == 0 ? [.embed, .residPre] : [.residPre]
            default: [site]
            }
        return inside.compactMap { site in means[Key(site: site, layer: layer)].map { ($0, site) } }
    }
}
