import Dispatch

/// `mean`: replaces the model's input by the mean input over all images
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
    /// The mean model input over all images, [3, height, width], without unreadable ones if ``onUnreadable`` is set.
    /// Summed in Double in the data's order, so the number of threads that decode and preprocess does not change the
    /// result.
    ///
    /// - Parameter progress: called now and then with the number of images done and the total.
    /// - Throws: ``ImageError`` of the first image, in the data's order, that cannot be read; or if no image is left.
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

/// The results of body(0), body(1), ..., computed on all cores.
private func concurrently<Value: Sendable>(
    _ count: Int, _ body: @Sendable (Int) throws -> Value
) -> [Result<Value, any Error>] {
    var results = [Result<Value, any Error>?](repeating: nil, count: count)
    results.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let slots = buffer  // each slot is written by one iteration
        DispatchQueue.concurrentPerform(iterations: count) { i in slots[i] = Result { try body(i) } }
    }
    return results.compactMap { $0 }
}
