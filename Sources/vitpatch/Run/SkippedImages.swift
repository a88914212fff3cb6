import Synchronization

/// Unreadable images that were left out; each is reported once.
final class SkippedImages: Sendable {
    private let ids = Mutex<Set<String>>([])

    func add(_ id: String, _ error: any Error) {
        if ids.withLock({ $0.insert(id).inserted }) { Terminal.warning("left out: \(error)") }
    }

    var count: Int { ids.withLock { $0.count } }
    var names: [String] { ids.withLock { $0.sorted() } }

    func report() {
        if count > 0 { Terminal.warning("\(count) images could not be read and were left out") }
    }
}
