import Dispatch

/// `mean`: the mean of all images as the model reads them
struct MeanImage: CorruptionKind {
    static let name = "mean"
    let stage = Corruption.Stage.tensor

    init?(value: String) {}

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork {
        let mean = try setting.dataset.meanInput(setting.preprocessor, progress: setting.progress)
        return .input { _, _ in mean }
    }
}

extension ImageDataset {
    /// The mean over all images, but those that ``onUnreadable`` takes, as the model reads them, [3, height, width]: summed in
    /// Double in the data's order, so that the number of threads, which decode and preprocess, does not show.
    ///
    /// - Parameter progress: called with the number of images done and of all, now and then.
    /// - Throws: ``ImageError`` of the first image, in that order, that cannot be read; or when there is none.
    func meanInput(_ preprocessor: Preprocessor, progress: (Int, Int) -> Void = { _, _ in }) throws -> [Float] {
        guard count > 0 else { throw ImageError.dataset(path: name, reason: "it has no images to average") }
        let values = 3 * preprocessor.imageSize.count
        let atOnce = max(1, min(64, (64 << 20) / values))  // at most 256 MiB, or one image
        var sums = [Double](repeating: 0, count: values)
        var averaged = 0
        for start in stride(from: 0, to: count, by: atOnce) {
            let end = min(start + atOnce, count)
            for (offset, result) in concurrently(end - start, { try preprocessor(load(start + $0)) }).enumerated() {
                let image: [Float]
                do { image = try result.get() } catch let error as ImageError {
                    guard let onUnreadable else { throw error }
                    onUnreadable(id(start + offset), error)
                    continue
                }
                averaged += 1
                for i in 0..<values { sums[i] += Double(image[i]) }
            }
            progress(end, count)
        }
        guard averaged > 0 else { throw ImageError.dataset(path: name, reason: "none of its images can be read") }
        return sums.map { Float($0 / Double(averaged)) }
    }
}

/// The results of body(0), body(1), ..., found on all cores.
private func concurrently<Value: Sendable>(
    _ count: Int, _ body: @Sendable (Int) throws -> Value
) -> [Result<Value, any Error>] {
    var results = [Result<Value, any Error>?](repeating: nil, count: count)
    results.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let slots = buffer  // each written by one call
        DispatchQueue.concurrentPerform(iterations: count) { i in slots[i] = Result { try body(i) } }
    }
    return results.compactMap { $0 }
}
