import Foundation
import Synchronization

/// Results that several threads fill in, each its own element.
final class Collected<Value: Sendable>: Sendable {
    private let results: Mutex<[Result<Value, any Error>?]>

    init(count: Int) { results = Mutex(Array(repeating: nil, count: count)) }
    func set(_ index: Int, _ result: Result<Value, any Error>) { results.withLock { $0[index] = result } }
    var values: [Result<Value, any Error>?] { results.withLock { $0 } }
}

/// Makes the next items of a sequence on another thread, while any number of threads use the current ones.
final class Prefetcher<Item: Sendable>: Sendable {
    private struct Pending {
        let done = DispatchSemaphore(value: 0), box = Collected<Item>(count: 1)
    }
    private struct State {
        var next = 0
        var pending: [Pending] = []
    }

    private let make: @Sendable (Int) throws -> Item
    private let count: Int
    private let queue = DispatchQueue(label: "vitpatch.prefetch", qos: .userInitiated)
    private let state = Mutex(State())

    /// - Parameter ahead: items made in advance
    init(count: Int, ahead: Int = 1, make: @escaping @Sendable (Int) throws -> Item) {
        self.count = count
        self.make = make
        for _ in 0..<ahead { start() }
    }

    /// The next item; nil after the last.
    func take() throws -> Item? {
        let first = state.withLock { $0.pending.isEmpty ? nil : $0.pending.removeFirst() }
        guard let first else { return nil }
        first.done.wait()
        start()
        return try first.box.values[0]?.get()
    }

    private func start() {
        state.withLock { state in
            guard state.next < count else { return }
            let index = state.next, item = Pending(), make = make
            state.next += 1
            state.pending.append(item)
            queue.async {
                item.box.set(0, Result { try make(index) })
                item.done.signal()
            }
        }
    }
}
