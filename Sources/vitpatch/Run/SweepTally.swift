import Synchronization

/// What a sweep has done so far, with its progress bar. Shared by threads.
final class SweepTally: Sendable {
    struct Outcome {
        var interrupted = false
        var images = 0
        /// (row, stage, layer) evaluations done, and those that a full pass for every patch would have done
        var evaluations = 0, fullPassEvaluations = 0
        var seconds = 0.0
        var passes = 0
    }

    private struct State {
        var outcome = Outcome()
        var progress: Progress
    }
    private let state: Mutex<State>

    /// - Parameter images: the number of images to do
    init(images: Int) { state = Mutex(State(progress: Progress(total: images))) }

    /// Adds a wave.
    /// - Parameters:
    ///   - images: those that it finishes
    ///   - layers: of the model
    func add(images: Int, passes: Int, evaluations: Int, layers: Int) {
        state.withLock { state in
            state.outcome.images += images
            state.outcome.passes += passes
            state.outcome.evaluations += evaluations
            state.outcome.fullPassEvaluations += passes * layers * 2
            state.progress.advance(images: images, passes: passes)
        }
    }

    func finish(interrupted: Bool) -> Outcome {
        state.withLock { state in
            state.progress.finish()
            state.outcome.interrupted = interrupted
            state.outcome.seconds = state.progress.seconds
            return state.outcome
        }
    }
}
