import Foundation
import Images
import Synchronization

/// One wave's images as the models read them, made on other threads while the device works.
struct PreparedImages: Sendable {
    var indices: [Int] = []
    /// [images] of [channels, S, S]
    var clean: [[Float]] = []
    /// [images][draws]; one draw where the corruption is not random, or is added on the device
    var corrupted: [[[Float]]] = []
    /// The same for the donor, where there is one
    var donorClean: [[Float]] = []
    var donorCorrupted: [[[Float]]] = []
    /// Another image of the data for each
    var partner: [[Float]] = []

    mutating func append(_ other: PreparedImages, _ i: Int) {
        indices.append(other.indices[i])
        clean.append(other.clean[i])
        corrupted.append(other.corrupted[i])
        if !other.donorClean.isEmpty {
            donorClean.append(other.donorClean[i])
            donorCorrupted.append(other.donorCorrupted[i])
        }
        if !other.partner.isEmpty { partner.append(other.partner[i]) }
    }

    /// Some of the images, by their positions.
    subscript(_ positions: Range<Int>) -> PreparedImages {
        if positions == indices.indices { return self }
        var some = PreparedImages()
        for i in positions { some.append(self, i) }
        return some
    }

    mutating func take(_ count: Int) -> PreparedImages {
        defer { self = self[count..<indices.count] }
        return self[0..<count]
    }
}

/// Images that could not be read and were left out; each is named once.
final class SkippedImages: Sendable {
    private let ids = Mutex<Set<String>>([])

    func add(_ id: String, _ error: any Error) {
        if ids.withLock({ $0.insert(id).inserted }) { Terminal.warning("left out: \(error)") }
    }

    var count: Int { ids.withLock { $0.count } }

    func report() {
        if count > 0 { Terminal.warning("\(count) images could not be read and were left out") }
    }
}

/// Decodes, corrupts and preprocesses images.
struct ImageLoader: Sendable {
    let dataset: ImageDataset
    let preprocessor: Preprocessor
    let corruptor: Corruptor
    /// Draws of a random corruption
    var samples = 1
    var donor: (preprocessor: Preprocessor, corruptor: Corruptor)?
    /// Seed of the choice of partners; nil where none is needed
    var partnerSeed: UInt64?
    /// Takes the images that cannot be read, which are then left out; nil: they are errors
    var skipped: SkippedImages?
    var profiler: Profiler?

    /// - Throws: the error of the first image, in their order, that cannot be read
    func load(_ indices: [Int]) throws -> PreparedImages {
        try profiler.host(.images, "\(indices.count) images") { try prepare(indices) }
    }

    private func prepare(_ indices: [Int]) throws -> PreparedImages {
        let results = Collected<PreparedImages>(count: indices.count)
        DispatchQueue.concurrentPerform(iterations: indices.count) { i in
            results.set(i, Result { try load(one: indices[i]) })
        }
        var prepared = PreparedImages()
        for (index, result) in zip(indices, results.values) {
            switch result {
            case .success(let one)?: prepared.append(one, 0)
            case .failure(let error as ImageError)?:
                guard let skipped else { throw error }
                skipped.add(dataset.id(index), error)
            case .failure(let error)?: throw error
            case nil: break
            }
        }
        return prepared
    }

    private func load(one index: Int) throws -> PreparedImages {
        let image = try dataset.load(index), id = dataset.id(index)
        func corrupted(_ corruptor: Corruptor, _ clean: [Float]) throws -> [[Float]] {
            let draws = corruptor.corruption.isRandom && corruptor.corruption.stage != .device ? samples : 1
            return try (0..<draws).map {
                try corruptor(image: image, index: index, id: id, sample: $0, clean: clean)
            }
        }
        let clean = try preprocessor(image)
        var one = PreparedImages(indices: [index], clean: [clean], corrupted: [try corrupted(corruptor, clean)])
        if let donor {
            let clean = try donor.preprocessor(image)
            one.donorClean = [clean]
            one.donorCorrupted = [try corrupted(donor.corruptor, clean)]
        }
        if let partnerSeed {
            let partner = RandomKey.partner(of: index, id: id, count: dataset.count, seed: partnerSeed, sample: 0)
            one.partner = [try preprocessor(dataset.load(partner))]
        }
        return one
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

/// Makes the next items of a sequence on another thread while the current ones are used, by any number of threads.
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

    /// - Parameter ahead: items that are made before they are asked for
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
