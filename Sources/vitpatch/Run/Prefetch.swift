import Foundation
import Images

/// One wave's images as the model reads them, made on other threads while the device works.
struct PreparedImages: Sendable {
    var indices: [Int]
    var clean: [Float] = []
    var corrupted: [Float] = []
}

/// Decodes, corrupts and preprocesses images.
struct ImageLoader: Sendable {
    let dataset: ImageDataset
    let preprocessor: Preprocessor
    /// nil: clean images only
    let corruption: Corruption?

    /// - Throws: the error of the first image, in their order, that cannot be read
    func load(_ indices: [Int]) throws -> PreparedImages {
        let results = Collected<(clean: [Float], corrupted: [Float])>(count: indices.count)
        DispatchQueue.concurrentPerform(iterations: indices.count) { i in
            results.set(
                i,
                Result {
                    let image = try dataset.load(indices[i])
                    let clean = try preprocessor(image)
                    return (clean, try corruption.map { try preprocessor($0.apply(to: image)) } ?? [])
                })
        }
        var prepared = PreparedImages(indices: indices)
        for result in results.values {
            guard let (clean, corrupted) = try result?.get() else { continue }
            prepared.clean += clean
            prepared.corrupted += corrupted
        }
        return prepared
    }
}

/// Values that several threads fill in, each its own.
private final class Collected<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var results: [Result<Value, any Error>?]

    init(count: Int) { results = Array(repeating: nil, count: count) }
    func set(_ index: Int, _ result: Result<Value, any Error>) { lock.withLock { results[index] = result } }
    var values: [Result<Value, any Error>?] { lock.withLock { results } }
}

/// Makes the next items of a sequence on another thread while the current one is used.
final class Prefetcher<Item: Sendable>: @unchecked Sendable {
    private let make: @Sendable (Int) throws -> Item
    private let count: Int
    private let queue = DispatchQueue(label: "vitpatch.prefetch", qos: .userInitiated)
    private var next = 0
    private var pending: (done: DispatchSemaphore, box: Collected<Item>)?

    init(count: Int, make: @escaping @Sendable (Int) throws -> Item) {
        self.count = count
        self.make = make
        start()
    }

    /// The next item; nil after the last.
    func take() throws -> Item? {
        guard let (done, box) = pending else { return nil }
        done.wait()
        start()
        return try box.values[0]?.get()
    }

    private func start() {
        guard next < count else { return pending = nil }
        let index = next, done = DispatchSemaphore(value: 0), box = Collected<Item>(count: 1), make = make
        next += 1
        pending = (done, box)
        queue.async {
            box.set(0, Result { try make(index) })
            done.signal()
        }
    }
}
