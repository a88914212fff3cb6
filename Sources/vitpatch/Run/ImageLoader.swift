import Foundation
import Images

/// Decodes, corrupts and preprocesses images.
struct ImageLoader: Sendable {
    let dataset: ImageDataset
    let preprocessor: Preprocessor
    let corruptor: Corruptor
    /// Draws of a random corruption
    var samples = 1
    var donor: (preprocessor: Preprocessor, corruptor: Corruptor)?
    /// The choice of partners; nil where none is needed
    var partners: Partners?
    /// Collects unreadable images, which are then left out; nil: they are errors
    var skipped: SkippedImages?
    var profiler: Profiler?

    /// - Throws: the error of the first unreadable image, in their order
    func load(_ indices: [Int]) throws -> ImageBatch {
        try profiler.host(.images, "\(indices.count) images") { try prepare(indices) }
    }

    private func prepare(_ indices: [Int]) throws -> ImageBatch {
        let results = Collected<ImageBatch>(count: indices.count)
        DispatchQueue.concurrentPerform(iterations: indices.count) { i in
            results.set(i, Result { try load(one: indices[i]) })
        }
        var prepared = ImageBatch()
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

    private func load(one index: Int) throws -> ImageBatch {
        let image = try dataset.load(index), id = dataset.id(index)
        func corrupted(_ corruptor: Corruptor, _ clean: [Float]) throws -> [[Float]] {
            let draws = corruptor.corruption.isRandom && corruptor.corruption.stage != .device ? samples : 1
            return try (0..<draws).map {
                try corruptor(image: image, index: index, id: id, sample: $0, clean: clean)
            }
        }
        let clean = try preprocessor(image)
        var one = ImageBatch(indices: [index], clean: [clean], corrupted: [try corrupted(corruptor, clean)])
        if let donor {
            let clean = try donor.preprocessor(image)
            one.donorClean = [clean]
            one.donorCorrupted = [try corrupted(donor.corruptor, clean)]
        }
        if let partners {
            one.partner = [try preprocessor(dataset.load(partners(of: index, id: id)))]
        }
        return one
    }
}
