import CLRuntime
import Kernels
import ViT

/// Runs images and patches in waves of a plan, whose buffers are reused from wave to wave. Where the device has less
/// memory than the plan counts on (another program holds some, say), waves get smaller and the work goes on: no result
/// depends on the wave it ran in.
package final class WaveRunner {
    /// What one wave does
    package struct Piece: Sendable, Equatable {
        /// Positions among the images and among the patches handed to `run`
        package var images: Range<Int>, patches: Range<Int>
    }

    package let encoder: Encoder
    private let donor: Encoder?
    private let library: KernelLibrary
    private let means: ActivationMeans?
    private let file: ActivationFile?
    /// As it is now
    package private(set) var plan: WavePlan
    private var wavefront: Wavefront?
    private var onFirstHalving: ((WavePlan, CLError) -> Void)?

    /// - Parameters:
    ///   - onFirstHalving: told the smaller plan and what failed, the first time only
    package init(
        encoder: Encoder, donor: Encoder? = nil, library: KernelLibrary, plan: WavePlan, means: ActivationMeans? = nil,
        file: ActivationFile? = nil, onFirstHalving: @escaping (WavePlan, CLError) -> Void = { _, _ in }
    ) {
        (self.encoder, self.donor, self.library, self.plan) = (encoder, donor, library, plan)
        (self.means, self.file) = (means, file)
        self.onFirstHalving = onFirstHalving
    }

    /// Every patch on every image: calls `body` for each wave. For each patch the images come in their order, and for
    /// each image the patches.
    /// - Parameter body: runs the piece and keeps its results; called again with parts of the piece where the device
    ///   was out of memory
    /// - Throws: `SweepError.memory` where the smallest wave does not fit, and what `body` throws
    package func run(
        images: Int, patches: Range<Int>, _ body: (Wavefront, Piece) throws -> Void
    ) throws {
        var todo = [Piece(images: 0..<images, patches: patches)]
        while let piece = todo.popLast() {
            if piece.images.count > plan.shape.images {
                todo += plan.imageRanges(piece.images).reversed().map { Piece(images: $0, patches: piece.patches) }
            } else if piece.patches.count > plan.shape.patches {
                todo += WavePlan.ranges(piece.patches, atMost: plan.shape.patches).reversed().map {
                    Piece(images: piece.images, patches: $0)
                }
            } else {
                do {
                    try body(try ready(), piece)
                } catch let error as CLError where error.isOutOfMemory {
                    try halve(after: error)
                    todo.append(piece)
                }
            }
        }
    }

    private func ready() throws(CLError) -> Wavefront {
        if let wavefront { return wavefront }
        let made = try Wavefront(
            encoder: encoder, donor: donor, library: library, shape: plan.shape, means: means, file: file)
        wavefront = made
        return made
    }

    private func halve(after error: CLError) throws {
        // What was enqueued before is of no use, but it holds buffers, and its times are no results'.
        wavefront = nil
        _ = try? encoder.context.takeProfile()
        try? encoder.context.finish()
        guard let smaller = try plan.halved(encoder: encoder, donor: donor) else {
            throw SweepError.memory(
                "\(encoder.context.device.title) has not enough memory for the smallest wave, one image and one patch: \(error)"
            )
        }
        plan = smaller
        onFirstHalving?(smaller, error)
        onFirstHalving = nil
    }
}
