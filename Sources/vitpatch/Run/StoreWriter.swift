import Foundation
import Synchronization

/// Writes to a store on a thread of its own, in order, while devices go on. At most two writes wait.
final class StoreWriter: Sendable {
    private let queue = DispatchQueue(label: "vitpatch.store")
    private let free = DispatchSemaphore(value: 2)
    private let failure = Mutex<(any Error)?>(nil)

    /// Hands a write over; after one that failed, nothing is written any more.
    /// - Throws: what an earlier write threw
    func write(_ body: @escaping @Sendable () throws -> Void) throws {
        try check()
        free.wait()
        queue.async { [self] in
            defer { free.signal() }
            if failure.withLock({ $0 != nil }) { return }
            do { try body() } catch { failure.withLock { $0 = error } }
        }
    }

    /// Waits until all is written.
    /// - Throws: what the first write that failed threw
    func finish() throws {
        queue.sync {}
        try check()
    }

    private func check() throws {
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
