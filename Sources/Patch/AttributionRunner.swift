import CLRuntime
import Kernels
import ViT

/// Computes estimates for images in waves of constant memory that reuse their buffers; waves get smaller where the
/// device has less memory than it reported. No estimate depends on the wave that it was computed in.
package final class AttributionRunner {
    private let encoder: Encoder, donor: Encoder?
    private let backward: Backward
    private let library: KernelLibrary
    private let work: AttributionWork
    private let sources: Schedule.Sources
    private let patches: [Patch]
    private let means: ActivationMeans?
    private let file: ActivationFile?
    private var shape: AttributionShape
    private var attribution: Attribution?
    private let models: PlannedModels

    /// Current number of images in a wave
    package var images: Int { shape.images }

    /// Bytes of a wave without the weights (the encoders' and the transposed ones), which are allocated earlier
    package var bytes: Int {
        get throws(CLError) { try work.buffers(shape, models).map(\.elements).reduce(0, +) * 4 }
    }

    /// - Parameters:
    ///   - backward: the backward pass of `encoder`
    ///   - images: number of images of the sweep
    ///   - memory: as for `WavePlan`
    ///   - means: put in by `PatchWith.mean`; includes `embed` where a method is `ig`
    /// - Throws: `SweepError.memory` where one image does not fit
    package init(
        encoder: Encoder, donor: Encoder? = nil, backward: Backward, library: KernelLibrary, patches: [Patch],
        estimates: Estimates, images: Int, memory: Int? = nil, means: ActivationMeans? = nil,
        file: ActivationFile? = nil
    ) throws {
        (self.encoder, self.donor, self.backward, self.library) = (encoder, donor, backward, library)
        (self.patches, self.means, self.file) = (patches, means, file)
        let extras = WaveShape.Extras(patches: patches, donor: donor != nil)
        sources = try Schedule.Sources(patches: patches, extras: extras, hasDonor: donor != nil)
        let layout = EstimateLayout(patches: patches, sources: sources, shape: NetworkShape(encoder.config))
        work = AttributionWork(estimates, layout: layout, sources: sources, extras: extras, config: encoder.config)
        models = PlannedModels(encoder, donor: donor)
        shape = try Self.plan(work, models, DeviceLimits(encoder.context), images: images, memory: memory)
    }

    /// Computes estimates for images, in their order.
    /// - Parameter wave: gives the wave of a range of images
    /// - Throws: `CLError`; `SweepError.memory` where one image does not fit; `NonFinite` with the image's position
    package func run(images: Int, wave: (Range<Int>) throws -> Wave) throws -> AttributionResult {
        var result: AttributionResult?, first = 0
        while first < images {
            let range = first..<min(first + shape.images, images)
            do {
                let part = try ready().run(try wave(range))
                if result == nil { result = part } else { result?.append(part) }
                first = range.upperBound
            } catch let error as CLError where error.isOutOfMemory {
                try halve(after: error)
            } catch let error as NonFinite {
                throw NonFinite(image: range.lowerBound + error.image, place: error.place)
            }
        }
        guard let result else { throw CLError.shape(operation: "attribution", expected: "images", got: "none") }
        return result
    }

    private func ready() throws(CLError) -> Attribution {
        if let attribution { return attribution }
        let made = try Attribution(
            encoder: encoder, donor: donor, backward: backward, library: library, work: work, shape: shape,
            sources: sources, patches: patches, means: means, file: file)
        attribution = made
        return made
    }

    private func halve(after error: CLError) throws {
        attribution = nil
        _ = try? encoder.context.takeProfile()
        try? encoder.context.finish()
        guard let smaller = shape.halved else {
            throw SweepError.memory(
                "\(encoder.context.device.title) does not have enough memory for one image's gradients: \(error)")
        }
        shape = smaller
    }

    /// As many images as give launches of a useful size and fit; for one image, as many midpoints as fit.
    static func plan(
        _ work: AttributionWork, _ models: PlannedModels, _ limits: DeviceLimits, images: Int, memory: Int?
    ) throws -> AttributionShape {
        let limit = (memory ?? Int(0.7 * Double(limits.memory))) - limits.allocated
        let tokens = limits.isGPU ? 32_768 : 2_048
        var shape = AttributionShape(images: 1, midpoints: work.midpoints.count)
        let passes = max(1, work.backwardPassesPerImage(shape))
        shape.images = min(max(images, 1), max(1, tokens / (models.config.tokens * passes)))
        while true {
            let buffers = try work.buffers(shape, models)
            let bytes = buffers.map(\.elements).reduce(0, +) * 4
            if bytes <= limit, buffers.allSatisfy({ limits.allow($0.elements) }) { return shape }
            guard let smaller = shape.halved else {
                throw SweepError.memory(
                    "one image's gradients need \(bytes / 1_048_576 + 1) MiB of device memory besides the weights, but "
                        + (memory == nil
                            ? "\(limits.name) has \(max(limit, 0) / 1_048_576) MiB left"
                            : "the memory allowed leaves \(max(limit, 0) / 1_048_576) MiB"))
            }
            shape = smaller
        }
    }
}

extension AttributionShape {
    /// Half the images, or for one image half the midpoints; nil for the smallest
    var halved: AttributionShape? {
        if images > 1 { return AttributionShape(images: images / 2, midpoints: midpoints) }
        if midpoints > 1 { return AttributionShape(images: 1, midpoints: (midpoints + 1) / 2) }
        return nil
    }
}
