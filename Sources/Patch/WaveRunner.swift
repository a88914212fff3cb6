import CLRuntime
import Kernels
import ViT

/// Runs images and patches in waves of a plan; all waves reuse the same buffers. Where the device has less memory than
/// planned (another program uses some, say), waves get smaller and the work continues: no result depends on its wave.
package final class WaveRunner {
    /// The work of one wave
    package struct Piece: Sendable, Equatable {
        /// Positions among the images and among the patches passed to `run`
        package var images: Range<Int>, patches: Range<Int>
    }

    package let encoder: Encoder
    private let donor: Encoder?
    private let library: KernelLibrary
    private let means: ActivationMeans?
    private let file: ActivationFile?
    /// The current plan
    package private(set) var plan: WavePlan
    private var wavefront: Wavefront?
    private var onFirstHalving: ((WavePlan, CLError) -> Void)?

    /// - Parameters:
    ///   - onFirstHalving: called with the smaller plan and the error, the first time only
    package init(
        encoder: Encoder, donor: Encoder? = nil, library: KernelLibrary, plan: WavePlan, means: ActivationMeans? = nil,
        file: ActivationFile? = nil, onFirstHalving: @escaping (WavePlan, CLError) -> Void = { _, _ in }
    ) {
        (self.encoder, self.donor, self.library, self.plan) = (encoder, donor, library, plan)
        (self.means, self.file) = (means, file)
        self.onFirstHalving = onFirstHalving
    }

    /// Runs every patch on every image: calls `body` for each wave. For each patch the images come in order, and for
    /// each image the patches.
    /// - Parameter body: runs the piece and keeps its results; called again with parts of the piece if the device was
    ///   out of memory
    /// - Throws: `SweepError.memory` where the smallest wave does not fit, and errors of `body`
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
        // Commands already enqueued are useless but hold buffers, and their times do not count.
        wavefront = nil
        _ = try? encoder.context.takeProfile()
        try? encoder.context.finish()
        guard let smaller = try plan.halved(encoder: encoder, donor: donor) else {
            throw SweepError.memory(
                "\(encoder.context.device.title) does not have enough memory for the smallest wave, one image and one patch: \(error)"
            )
        }
        plan = smaller
        onFirstHalving?(smaller, error)
        onFirstHalving = nil
    }
}
