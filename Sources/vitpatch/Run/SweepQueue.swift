import Foundation

/// Hands a sweep's batches of images to its devices. Shared by threads.
///
/// With `--keep`, a wave of images is first filtered by its clean and corrupted passes. The kept images wait until they
/// fill a wave, or until no more can come. Such waves are handed out first, so few images wait.
final class SweepQueue: @unchecked Sendable {
    struct Job: Sendable {
        var images: ImageBatch
        /// Whether `--keep` is still to be applied to the images
        var isUnfiltered: Bool
    }

    private let raw: Prefetcher<ImageBatch>
    private let perWave: Int
    private let isFiltered: Bool
    private let interruption: Interruption

    // Everything below is guarded by the condition, which is signalled on every change. (A Mutex cannot wait.)
    private let condition = NSCondition()
    /// Waves of `raw` not taken yet
    private var left: Int
    /// Per corruption: waves not filtered yet, taken or not; and images that wait
    private var unfiltered: [Int]
    private var waiting: [ImageBatch]
    private var isStopped = false
    private var wasInterrupted = false
    private var firstError: (any Error)?

    /// - Parameters:
    ///   - perWave: images per wave
    ///   - isFiltered: whether `--keep` leaves images out
    init(
        _ feed: ImageFeed, corruptions: Int, perWave: Int, isFiltered: Bool, devices: Int, interruption: Interruption
    ) {
        raw = feed.batches(ahead: devices)
        let batches = feed.corruptions
        (self.perWave, self.isFiltered, self.interruption) = (perWave, isFiltered, interruption)
        left = batches.count
        unfiltered = (0..<corruptions).map { corruption in batches.count { $0 == corruption } }
        waiting = (0..<corruptions).map { ImageBatch(corruption: $0) }
    }

    /// The next wave for a device; nil if there is none left, and after `stop`. Waits for images that are being
    /// filtered.
    /// - Throws: the error of an unreadable image
    func next() throws -> Job? {
        condition.lock()
        while true {
            let ready = waiting.indices.first {
                waiting[$0].indices.count >= perWave || (unfiltered[$0] == 0 && !waiting[$0].indices.isEmpty)
            }
            if ready != nil || left > 0, interruption.isRequested {
                wasInterrupted = true
                isStopped = true
            }
            if isStopped {
                condition.broadcast()
                condition.unlock()
                return nil
            }
            if let ready {
                let images = waiting[ready].take(min(perWave, waiting[ready].indices.count))
                condition.unlock()
                return Job(images: images, isUnfiltered: false)
            }
            if left > 0 {
                left -= 1
                condition.unlock()
                guard let batch = try raw.take() else { return nil }
                if batch.indices.isEmpty {  // none of them could be read
                    if isFiltered { filtered(kept: ImageBatch(corruption: batch.corruption)) }
                    condition.lock()
                    continue
                }
                return Job(images: batch, isUnfiltered: isFiltered)
            }
            if !isFiltered || unfiltered.allSatisfy({ $0 == 0 }) {
                condition.unlock()
                return nil
            }
            condition.wait()
        }
    }

    /// Ends the filtering of a wave.
    /// - Parameter kept: the images that `--keep` keeps
    func filtered(kept: ImageBatch) {
        condition.lock()
        for i in kept.indices.indices { waiting[kept.corruption].append(kept, i) }
        unfiltered[kept.corruption] -= 1
        condition.broadcast()
        condition.unlock()
    }

    /// Called before each wave of a job.
    /// - Throws: `Interrupted` if the sweep is to end
    func checkGoingOn() throws {
        condition.lock()
        defer { condition.unlock() }
        if interruption.isRequested { (wasInterrupted, isStopped) = (true, true) }
        if isStopped {
            condition.broadcast()
            throw Interrupted()
        }
    }

    /// Ends the sweep after the waves in progress.
    func stop(_ error: any Error) {
        condition.lock()
        isStopped = true
        if firstError == nil { firstError = error }
        condition.broadcast()
        condition.unlock()
    }

    /// The first error, to be thrown after the work.
    var error: (any Error)? { condition.withLock { firstError } }
    /// Whether the user ended the sweep before its last wave
    var isInterrupted: Bool { condition.withLock { wasInterrupted } }
}
