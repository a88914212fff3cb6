import CLRuntime
import Kernels
import ViT

/// The standard deviation of all patch projections (with bias; without prefix tokens and positions) of a data set's
/// clean images: the unit of noise where one deviation is used for all data.
package struct ProjectionDeviation: Equatable, Sendable {
    private var count = 0, mean = 0.0, squares = 0.0

    package init() {}

    /// - Parameters:
    ///   - images: number of images; `pixels` gives the clean ones of a range, each [channels, height, width], without
    ///     those that cannot be read
    ///   - memory: as for `WavePlan`
    package static func over(
        images: Int, encoder: Encoder, library: KernelLibrary, memory: Int? = nil,
        pixels: (Range<Int>) throws -> [[Float]]
    ) throws -> Float {
        var all = ProjectionDeviation()
        let plan = try WavePlan(encoder: encoder, patches: [], images: min(images, 8), memory: memory)
        let runner = WaveRunner(encoder: encoder, library: library, plan: plan)
        for first in stride(from: 0, to: images, by: plan.shape.images) {
            let range = first..<min(first + plan.shape.images, images), clean = try pixels(range)
            if clean.isEmpty { continue }
            try runner.run(images: clean.count, patches: 0..<0) { wavefront, piece in
                // Kept only if the wave succeeds: one that fails is run again.
                var new = all
                try wavefront.observeProjections(Array(clean[piece.images])) { new.add($0) }
                all = new
            }
        }
        return Float(all.deviation)
    }

    /// The population's standard deviation
    package var deviation: Double { count > 0 ? (squares / Double(count)).squareRoot() : 0 }

    /// Adds an image's values. Means and sums of squared deviations are merged image after image, in Double (Chan,
    /// Golub and LeVeque 1979), so that the bits do not depend on waves.
    package mutating func add(_ values: some Collection<Float>) {
        guard !values.isEmpty else { return }
        let n = Double(values.count), known = Double(count)
        let own = values.reduce(0.0) { $0 + Double($1) } / n
        let ownSquares = values.reduce(0.0) { $0 + (Double($1) - own) * (Double($1) - own) }
        let shift = own - mean
        squares += ownSquares + shift * shift * known * n / (known + n)
        mean += shift * n / (known + n)
        count += values.count
    }
}
