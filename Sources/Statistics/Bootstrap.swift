import Dispatch

/// Bootstrap over rows (images): Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
///
/// Resample b draws as many rows as there are, with replacement, from random numbers that depend on (seed, b) alone. So
/// all columns, and all calls with the same seed and number of rows, see the same resamples: their means are paired.
package struct Bootstrap: Sendable {
    package var resamples: Int
    package var seed: UInt64

    package init(resamples: Int = 4000, seed: UInt64 = 0) {
        self.resamples = resamples
        self.seed = seed
    }

    /// The mean of every column in every resample.
    ///
    /// - Parameter values: [rows, columns], row-major
    /// - Returns: [columns, resamples], row-major
    package func means(_ values: [Double], rows: Int, columns: Int) -> [Double] {
        precondition(values.count == rows * columns)
        guard rows > 0, columns > 0, resamples > 0 else { return [] }
        let resamples = resamples
        let seed = seed
        return [Double](unsafeUninitializedCapacity: columns * resamples) { output, count in
            count = columns * resamples
            values.withUnsafeBufferPointer { input in
                // Each task reads `input` and writes its own resamples' elements of `output`.
                nonisolated(unsafe) let x = input
                nonisolated(unsafe) let out = output
                let perTask = 50
                DispatchQueue.concurrentPerform(iterations: (resamples + perTask - 1) / perTask) { task in
                    var drawn = [UInt32](repeating: 0, count: rows)
                    var sums = [Double](repeating: 0, count: columns)
                    for b in task * perTask..<min(resamples, (task + 1) * perTask) {
                        let random = CounterRandom(seed: seed, stream: UInt64(b))
                        for row in 0..<rows { drawn[row] = 0 }
                        for draw in 0..<rows { drawn[random.below(rows, at: draw)] += 1 }
                        Self.add(x, drawn: drawn, columns: columns, into: &sums)
                        for column in 0..<columns { out[column * resamples + b] = sums[column] / Double(rows) }
                    }
                }
            }
        }
    }

    /// sums = the sum of the rows of x, each times the number of its draws
    private static func add(
        _ x: UnsafeBufferPointer<Double>, drawn: [UInt32], columns: Int, into sums: inout [Double]
    ) {
        sums.withUnsafeMutableBufferPointer { sums in
            guard let sum = sums.baseAddress, let x = x.baseAddress else { return }
            for column in 0..<columns { sum[column] = 0 }
            for row in 0..<drawn.count where drawn[row] > 0 {
                let times = Double(drawn[row])
                let values = x + row * columns
                for column in 0..<columns { sum[column] += times * values[column] }
            }
        }
    }
}

/// The q-quantile of sorted values, interpolated linearly between the two nearest (numpy's default); nan if there
/// are none.
package func quantile(_ q: Double, ofSorted values: some RandomAccessCollection<Double>) -> Double {
    guard let first = values.first else { return .nan }
    guard values.count > 1 else { return first }
    let position = q * Double(values.count - 1)
    let below = min(Int(position), values.count - 2)
    let at = values.index(values.startIndex, offsetBy: below)
    let (low, high) = (values[at], values[values.index(after: at)])
    return low + (position - Double(below)) * (high - low)
}
