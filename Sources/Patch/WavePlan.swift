import CLRuntime
import Kernels
import ViT

/// The size of a wave, and with it of every buffer.
package struct WaveShape: Sendable, Equatable {
    /// B, images in a wave
    package var images: Int
    /// Patches in a wave
    package var patches: Int
    /// Passes that a stage computes at a time
    package var chunkRows: Int
    /// Whether activations inside attention (inside the MLP) are patched
    package var keepsAttention: Bool, keepsHidden: Bool
    /// Passes beside clean and corrupted
    package var extras: Extras

    /// What activations are taken from, beside the clean and the corrupted pass.
    package struct Extras: OptionSet, Sendable, Hashable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        package static let donorClean = Extras(rawValue: 1), donorCorrupted = Extras(rawValue: 2)
        /// Another image's clean pass
        package static let partner = Extras(rawValue: 4)
        /// Zeros, and means: given, not computed
        package static let zeros = Extras(rawValue: 8), means = Extras(rawValue: 16)

        package init(patches: [Patch], donor: Bool) {
            self = []
            for patch in patches {
                switch patch.with {
                case .clean:
                    if donor { insert(patch.direction == .restore ? .donorClean : .donorCorrupted) }
                case .zero: insert(.zeros)
                case .mean: insert(.means)
                case .resample: insert(.partner)
                }
            }
        }

        fileprivate var count: Int { rawValue.nonzeroBitCount }
        fileprivate var donorPasses: Int { intersection([.donorClean, .donorCorrupted]).count }
        /// Blocks that are given, zeros before means
        var given: Int { intersection([.zeros, .means]).count }
        fileprivate var partners: Int { intersection(.partner).count }
    }

    package init(
        images: Int, patches: Int, chunkRows: Int, keepsAttention: Bool = false, keepsHidden: Bool = false,
        extras: Extras = []
    ) {
        self.images = images
        self.patches = patches
        self.chunkRows = chunkRows
        self.keepsAttention = keepsAttention
        self.keepsHidden = keepsHidden
        self.extras = extras
    }

    /// For waves of so many images with these patches.
    package init(images: Int, patches: [Patch], chunkRows: Int, donor: Bool = false) {
        self.init(
            images: images, patches: patches.count, chunkRows: chunkRows,
            keepsAttention: patches.contains(where: \.needsAttention),
            keepsHidden: patches.contains(where: \.needsHidden),
            extras: Extras(patches: patches, donor: donor))
    }

    /// Blocks of rows that activations come from: clean and corrupted passes, and the extras
    var blocks: Int { 2 + extras.count }
    var rows: Int { images * (blocks + patches) }
    var workspace: Workspace.Shape {
        Workspace.Shape(
            rows: chunkRows, keptAttention: keepsAttention ? images * blocks : 0,
            keptHidden: keepsHidden ? images * blocks : 0)
    }

    /// The sizes of a workspace that serves both models.
    func workspaceConfig(_ encoder: Encoder, _ donor: Encoder?) -> ViTConfig {
        var config = encoder.config
        if let donor {
            config.intermediateSize = max(config.intermediateSize, donor.config.intermediateSize)
            config.channels = max(config.channels, donor.config.channels)
            config.imageSize = config.grid * max(config.patchSize, donor.config.patchSize)
            config.patchSize = max(config.patchSize, donor.config.patchSize)
        }
        return config
    }

    func counts(_ config: ViTConfig, donor: ViTConfig?) -> (stream: Int, logits: Int, out: Int, input: Int) {
        func pixels(_ config: ViTConfig) -> Int { config.channels * config.imageSize * config.imageSize }
        let image = (2 + extras.partners) * pixels(config) + extras.donorPasses * pixels(donor ?? config)
        return (
            stream: rows * config.tokens * config.hiddenSize, logits: rows * config.classes,
            out: Metrics.count(rows: rows, images: images), input: images * (image + 1 + 4)
        )
    }

    /// Bytes of the largest single buffer of `counts`.
    fileprivate func largest(_ config: ViTConfig, donor: ViTConfig?) -> Int {
        let counts = counts(config, donor: donor)
        return max(counts.stream, counts.logits, counts.out, counts.input) * MemoryLayout<Float>.size
    }

    /// Bytes that a wave of this shape holds beside the weights.
    /// - Parameter most: ints that one patch takes in a schedule's lists
    func bytes(_ encoder: Encoder, donor: Encoder?, most: (entries: Int, tokens: Int)) throws(CLError) -> Int {
        let config = workspaceConfig(encoder, donor)
        let counts = counts(encoder.config, donor: donor?.config)
        let lists =
            Wavefront.mostSchedules
            * Schedule.mostInts(
                images: images, blocks: blocks, patches: patches, shape: NetworkShape(encoder.config), most: most)
        return (2 * counts.stream + counts.logits + counts.out + counts.input + lists) * MemoryLayout<Float>.size
            + (try Workspace.bytes(config, workspace, gemm: encoder.gemm))
    }
}

/// How a sweep is cut into waves, so that it runs in constant memory whatever its size.
package struct WavePlan: Sendable, Equatable {
    package var shape: WaveShape
    /// Which of the sweep's patches run together; more than one range where not even one image's patches fit at once
    package var patchRanges: [Range<Int>]
    /// Bytes that the plan takes beside the weights
    package var bytes: Int
    /// Ints that one patch takes in a schedule's lists, at most
    private let mostEntries: Int, mostTokens: Int

    /// - Parameters:
    ///   - patches: the sweep's
    ///   - images: images of the sweep
    ///   - memory: most bytes of device memory to use, weights included; nil for seven tenths of the device's
    /// - Throws: `SweepError.memory` where one image with one patch does not fit.
    package init(encoder: Encoder, donor: Encoder? = nil, patches all: [Patch], images: Int, memory: Int?) throws {
        let patches = all.count
        let model = WaveShape(images: 1, patches: all, chunkRows: 1, donor: donor != nil)
        func shape(images: Int, patches: Int, chunkRows: Int) -> WaveShape {
            var shape = model
            (shape.images, shape.patches, shape.chunkRows) = (images, patches, chunkRows)
            return shape
        }
        let network = NetworkShape(encoder.config)
        let most = all.map { $0.listInts(network) }.reduce((entries: 0, tokens: 0)) {
            (max($0.entries, $1.entries), max($0.tokens, $1.tokens))
        }
        let config = encoder.config, device = encoder.context.device
        let limit = (memory ?? Int(0.7 * Double(device.memory))) - encoder.context.allocatedBytes
        // Enough tokens that every launch is large; more would only make waves, and so the loss at an interruption, longer.
        let chunkTokens = device.isGPU ? 32_768 : 2_048
        let waveTokens = device.isGPU ? 1 << 20 : 1 << 16
        let chunk = max(1, chunkTokens / config.tokens)

        func fitting(_ shape: WaveShape) throws -> Int? {
            let bytes = try shape.bytes(encoder, donor: donor, most: most)
            let largest = shape.largest(config, donor: donor?.config)
            return bytes <= limit && largest <= device.maxAllocation
                && largest / MemoryLayout<Float>.size < Int(Int32.max) ? bytes : nil
        }
        /// The largest n of 1 ... most for which `shape(n)` fits.
        func largest(_ most: Int, _ shape: (Int) -> WaveShape) throws -> (shape: WaveShape, bytes: Int)? {
            var low = 0, high = max(most, 1)
            var best: (WaveShape, Int)?
            while low < high {
                let middle = (low + high + 1) / 2
                if let bytes = try fitting(shape(middle)) {
                    (low, best) = (middle, (shape(middle), bytes))
                } else {
                    high = middle - 1
                }
            }
            return best
        }

        let wanted = min(max(images, 1), max(1, waveTokens / (config.tokens * (2 + patches))))
        // Whole images first, with a smaller chunk if need be; else one image with some of its patches.
        var found: (shape: WaveShape, bytes: Int)?
        for rows in Self.halves(chunk) {
            found = try largest(wanted) { shape(images: $0, patches: patches, chunkRows: rows) }
            if found != nil { break }
        }
        if found == nil {
            // Every range of patches runs the clean and corrupted passes again: as few ranges as any chunk allows.
            func ranges(_ shape: WaveShape) -> Int { (patches + shape.patches - 1) / max(shape.patches, 1) }
            for rows in Self.halves(chunk) {
                let tried = try largest(patches) { shape(images: 1, patches: $0, chunkRows: rows) }
                guard let tried, found.map({ ranges(tried.shape) < ranges($0.shape) }) ?? true else { continue }
                found = tried
            }
        }
        guard let found else {
            let least = try shape(images: 1, patches: min(patches, 1), chunkRows: 1).bytes(
                encoder, donor: donor, most: most)
            throw SweepError.memory(
                "one image with one patch needs \(least / 1_048_576 + 1) MiB of device memory beside the weights, but "
                    + (memory == nil
                        ? "\(device.name) has \(max(limit, 0) / 1_048_576) MiB left"
                        : "the memory allowed leaves \(max(limit, 0) / 1_048_576) MiB"))
        }
        (self.shape, bytes) = found
        (mostEntries, mostTokens) = most
        patchRanges = Self.ranges(0..<patches, atMost: found.shape.patches)
    }

    /// A plan that takes less memory: half the images; of one image half the patches; then half the chunk. nil for the
    /// smallest.
    package func halved(encoder: Encoder, donor: Encoder? = nil) throws(CLError) -> WavePlan? {
        var plan = self
        if shape.images > 1 {
            plan.shape.images /= 2
        } else if shape.patches > 1 {
            plan.shape.patches /= 2
        } else if shape.chunkRows > 1 {
            plan.shape.chunkRows /= 2
        } else {
            return nil
        }
        plan.patchRanges = Self.ranges(0..<(patchRanges.last?.upperBound ?? 0), atMost: plan.shape.patches)
        plan.bytes = try plan.shape.bytes(encoder, donor: donor, most: (mostEntries, mostTokens))
        return plan
    }

    /// As few parts as there can be, as even as they come.
    static func ranges(_ range: Range<Int>, atMost most: Int) -> [Range<Int>] {
        let pieces = max(1, (range.count + most - 1) / max(most, 1)), first = range.lowerBound
        return (0..<pieces).map { first + range.count * $0 / pieces..<first + range.count * ($0 + 1) / pieces }
    }

    private static func halves(_ value: Int) -> [Int] {
        var values = [value]
        while let last = values.last, last > 1 { values.append(last / 2) }
        return values
    }

    /// The images of each wave, for images 0 ..< count.
    package func imageRanges(count: Int) -> [Range<Int>] { imageRanges(0..<count) }

    func imageRanges(_ images: Range<Int>) -> [Range<Int>] {
        stride(from: images.lowerBound, to: images.upperBound, by: shape.images).map {
            $0..<min($0 + shape.images, images.upperBound)
        }
    }
}
