import CLRuntime
import Kernels
import ViT

/// The memory limits of a device.
package struct DeviceLimits: Sendable {
    package var name: String
    /// Bytes of memory, of the allocated part, and of the largest possible buffer
    package var memory: Int, allocated: Int, maxAllocation: Int
    package var isGPU: Bool

    package init(name: String, memory: Int, allocated: Int = 0, maxAllocation: Int, isGPU: Bool) {
        (self.name, self.memory, self.allocated) = (name, memory, allocated)
        (self.maxAllocation, self.isGPU) = (maxAllocation, isGPU)
    }

    init(_ context: Context) {
        let device = context.device
        self.init(
            name: device.name, memory: device.memory, allocated: context.allocatedBytes,
            maxAllocation: device.maxAllocation, isGPU: device.isGPU)
    }

    /// Whether a buffer of `elements` 4-byte elements can be allocated and indexed by Int32.
    func allow(_ elements: Int) -> Bool { elements < Int(Int32.max) && elements <= maxAllocation / 4 }
}

/// The models of a plan.
package struct PlannedModels {
    package var config: ViTConfig, donor: ViTConfig?
    /// Bytes of the GEMM's temporaries for a workspace, one for each provider
    var temporaries: (Workspace.Shape) throws(CLError) -> [Int]
    /// The same with a backward pass of this many gradient rows, whose products share the encoder's temporary
    var temporariesOfGradients: (Workspace.Shape, Int) throws(CLError) -> [Int]

    /// - Parameter gemm: the model's provider; if the donor has the same, they share one temporary
    package init(_ config: ViTConfig, donor: ViTConfig? = nil, gemm: any GEMM, donorGEMM: (any GEMM)? = nil) {
        (self.config, self.donor) = (config, donor)
        let temporaries = { (shape: Workspace.Shape) throws(CLError) -> [Int] in
            var bytes = [try Workspace.temporaryBytes(config, shape, gemm: gemm)]
            if let donor, let donorGEMM {
                let own = try Workspace.temporaryBytes(donor, shape, gemm: donorGEMM)
                if donorGEMM === gemm { bytes[0] = max(bytes[0], own) } else { bytes.append(own) }
            }
            return bytes
        }
        self.temporaries = temporaries
        temporariesOfGradients = { (shape, rows) throws(CLError) in
            var bytes = try temporaries(shape)
            bytes[0] = max(bytes[0], try Backward.Workspace.temporaryBytes(config, rows: rows, gemm: gemm))
            return bytes
        }
    }

    init(_ encoder: Encoder, donor: Encoder?) {
        self.init(encoder.config, donor: donor?.config, gemm: encoder.gemm, donorGEMM: donor?.gemm)
    }
}

/// The division of a sweep into waves, which run in constant memory whatever the sweep's size.
package struct WavePlan: Sendable, Equatable {
    package var shape: WaveShape
    /// The sweep's patches that run together; more than one range if not even one image's patches fit at once
    package var patchRanges: [Range<Int>]
    /// Bytes that the plan needs besides the weights
    package var bytes: Int
    /// Maximum ints that one patch takes in a schedule's lists
    private let mostEntries: Int, mostTokens: Int

    /// - Parameters:
    ///   - patches: the sweep's patches
    ///   - observing: sites that `Wavefront.observe` reads
    ///   - images: number of images of the sweep
    ///   - memory: limit of device memory, in bytes, weights included; nil for seven tenths of the device's
    /// - Throws: `SweepError.memory` where one image with one patch does not fit.
    package init(
        encoder: Encoder, donor: Encoder? = nil, patches: [Patch], observing: Set<Site> = [], images: Int, memory: Int?
    ) throws {
        try self.init(
            PlannedModels(encoder, donor: donor), limits: DeviceLimits(encoder.context), patches: patches,
            observing: observing, images: images, memory: memory)
    }

    /// The same for models and limits without a device.
    package init(
        _ models: PlannedModels, limits: DeviceLimits, patches all: [Patch], observing: Set<Site> = [], images: Int,
        memory: Int?
    ) throws {
        let patches = all.count
        var model = WaveShape(images: 1, patches: all, chunkRows: 1, donor: models.donor != nil)
        // mlp_pre is available only where it is kept; every chunk has the other activations.
        for site in observing where site.kept.contains(.pre) { model.kept.formUnion(site.kept) }
        let template = model
        func shape(images: Int, patches: Int, chunkRows: Int) -> WaveShape {
            var shape = template
            (shape.images, shape.patches, shape.chunkRows) = (images, patches, chunkRows)
            return shape
        }
        let network = NetworkShape(models.config), config = models.config
        let most = all.map { $0.listInts(network) }.reduce((entries: 0, tokens: 0)) {
            (max($0.entries, $1.entries), max($0.tokens, $1.tokens))
        }
        let limit = (memory ?? Int(0.7 * Double(limits.memory))) - limits.allocated
        // Enough tokens that every launch is large; more would only make waves longer, and so the loss at an
        // interruption.
        let chunkTokens = limits.isGPU ? 32_768 : 2_048
        // A few chunks per wave: with many waves, images are loaded and results stored while the device works.
        let waveTokens = limits.isGPU ? 1 << 18 : 1 << 16
        let chunk = max(1, chunkTokens / config.tokens)

        func fitting(_ shape: WaveShape) throws -> Int? {
            let buffers = try shape.buffers(models, most: most)
            let bytes = buffers.map(\.elements).reduce(0, +) * 4
            return bytes <= limit && buffers.allSatisfy({ limits.allow($0.elements) }) ? bytes : nil
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
        // First whole images, with a smaller chunk if needed; else one image with some of its patches.
        var found: (shape: WaveShape, bytes: Int)?
        for rows in Self.halves(chunk) {
            found = try largest(wanted) { shape(images: $0, patches: patches, chunkRows: rows) }
            if found != nil { break }
        }
        if found == nil {
            // Every range of patches repeats the clean and corrupted passes, so the chunk with the fewest ranges is
            // taken.
            func ranges(_ shape: WaveShape) -> Int { (patches + shape.patches - 1) / max(shape.patches, 1) }
            for rows in Self.halves(chunk) {
                let tried = try largest(patches) { shape(images: 1, patches: $0, chunkRows: rows) }
                guard let tried, found.map({ ranges(tried.shape) < ranges($0.shape) }) ?? true else { continue }
                found = tried
            }
        }
        guard let found else {
            let least = try shape(images: 1, patches: min(patches, 1), chunkRows: 1).buffers(models, most: most)
            if let (name, elements) = least.first(where: { !limits.allow($0.elements) }) {
                throw SweepError.memory(
                    "one image with one patch needs a buffer of \(elements * 4 / 1_048_576 + 1) MiB for \(name), more than "
                        + "\(limits.name)'s largest allocation (\(min(limits.maxAllocation, 4 << 31) / 1_048_576) MiB)")
            }
            let bytes = least.map(\.elements).reduce(0, +) * 4
            throw SweepError.memory(
                "one image with one patch needs \(bytes / 1_048_576 + 1) MiB of device memory besides the weights, but "
                    + (memory == nil
                        ? "\(limits.name) has \(max(limit, 0) / 1_048_576) MiB left"
                        : "the memory allowed leaves \(max(limit, 0) / 1_048_576) MiB"))
        }
        (self.shape, bytes) = found
        (mostEntries, mostTokens) = most
        patchRanges = Self.ranges(0..<patches, atMost: found.shape.patches)
    }

    /// A plan that needs less memory: half the images; for one image half the patches; then half the chunk. nil for the
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
        plan.bytes =
            try plan.shape.buffers(PlannedModels(encoder, donor: donor), most: (mostEntries, mostTokens))
            .map(\.elements).reduce(0, +) * 4
        return plan
    }

    /// Splits a range into as few parts as possible, as even as possible.
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
