/// A weight on the host, row-major: values in memory, or tensors of a checkpoint that are read on request.
package struct Weight: Sendable {
    private enum Storage {
        case values([Float])
        /// Concatenated
        case stored([StoredTensor])
        /// Computed from other weights
        case made(@Sendable () -> [Float])
    }
    private let storage: Storage
    /// Number of values
    package let count: Int

    package init(_ values: [Float]) {
        storage = .values(values)
        count = values.count
    }

    /// Tensors stacked along their first dimension
    package init(_ tensors: [StoredTensor]) {
        storage = .stored(tensors)
        count = tensors.map(\.count).reduce(0, +)
    }

    /// Values computed at each access
    ///
    /// - Parameter make: gives `count` values
    package init(count: Int, _ make: @escaping @Sendable () -> [Float]) {
        storage = .made(make)
        self.count = count
    }

    /// Row i times factor i; there are as many rows as `factors`.
    package func scaled(rows factors: Weight) -> Weight {
        let width = count / max(factors.count, 1), own = self
        return Weight(count: count) {
            let factors = factors.floats
            var values = own.floats
            for (row, factor) in factors.enumerated() {
                for i in (row * width)..<((row + 1) * width) { values[i] *= factor }
            }
            return values
        }
    }

    /// The values; those of a checkpoint are converted at each access, so that no copy stays in memory.
    package var floats: [Float] {
        switch storage {
        case .values(let values): values
        case .made(let make): make()
        case .stored(let tensors): tensors.count == 1 ? tensors[0].floats : tensors.flatMap(\.floats)
        }
    }
}
