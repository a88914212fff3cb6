/// A weight on the host, row-major: values in memory, or tensors of a checkpoint that are read when they are asked for.
package struct Weight: Sendable {
    private enum Storage {
        case values([Float])
        /// One behind the other
        case stored([StoredTensor])
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

    /// The values; those of a checkpoint are made anew each time, so that none stay behind in memory.
    package var floats: [Float] {
        switch storage {
        case .values(let values): values
        case .stored(let tensors): tensors.count == 1 ? tensors[0].floats : tensors.flatMap(\.floats)
        }
    }
}
