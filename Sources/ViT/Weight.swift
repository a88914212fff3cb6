/// A weight on the host, row-major: values in memory, or tensors of a checkpoint that are read when they are asked for.
package struct Weight: Sendable {
    private enum Storage {
        case values([Float])
        /// One behind the other
        case stored([StoredTensor])
        /// Made of others
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

    /// Values made of others each time they are asked for
    ///
    /// - Parameter make: gives `count` values
    package init(count: Int, _ make: @escaping @Sendable () -> [Float]) {
        storage = .made(make)
        self.count = count
    }

    /// Row i, of as many as there are `factors`, times factor i.
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

    /// The values; those of a checkpoint are made anew each time, so that none stay behind in memory.
    package var floats: [Float] {
        switch storage {
        case .values(let values): values
        case .made(let make): make()
        case .stored(let tensors): tensors.count == 1 ? tensors[0].floats : tensors.flatMap(\.floats)
        }
    }
}
