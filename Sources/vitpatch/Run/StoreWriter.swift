import Foundation
import Synchronization

/// Writes to a store in order on its own thread, while devices continue. At most two writes wait.
final class StoreWriter: Sendable {
    private let queue = DispatchQueue(label: "vitpatch.store")
    private let free = DispatchSemaphore(value: 2)
    private let failure = Mutex<(any Error)?>(nil)

    /// Queues a write; after a failed write nothing more is written.
    /// - Throws: the error of an earlier write
    func write(_ body: @escaping @Sendable () throws -> Void) throws {
        try check()
        free.wait()
        queue.async { [self] in
            defer { free.signal() }
            if failure.withLock({ $0 != nil }) { return }
            do { try body() } catch { failure.withLock { $0 = error } }
        }
    }

    /// Waits until everything is written.
    /// - Throws: the error of the first write that failed
    func finish() throws {
        queue.sync {}
        try check()
    }

    private func check() throws {
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
