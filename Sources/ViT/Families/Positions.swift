import Foundation

extension TensorReader {
    /// Position embeddings [T, D]: first the prefix tokens', if they have any, then the patches', interpolated where
    /// images do not have the size that the model was trained on.
    ///
    /// - Parameters:
    ///   - prefix: how many of the embeddings are for prefix tokens
    ///   - isBatched: whether the tensor is [1, T, D]
    ///   - antialias: whether the family's library interpolates with antialiasing
    mutating func positions(
        _ names: [String], prefix: Int, isBatched: Bool = true, antialias: Bool = false, _ config: ViTConfig
    ) throws(CheckpointError) -> Weight {
        let d = config.hiddenSize, (old, new) = (config.trainedGrid, config.grid)
        let rows = prefix + old.count
        let stored = try tensor(
            names, (isBatched ? [1] : []) + [rows, d],
            because: "image_size \(config.trainedImageSize) and patch_size \(config.patchSize) make \(rows) positions")
        guard old != new else { return stored }
        return Weight(count: (prefix + new.count) * d) {
            let values = stored.floats
            return Array(values[..<(prefix * d)])
                + interpolated(
                    Array(values[(prefix * d)...]), grid: old, to: new, width: d, antialias: antialias)
        }
    }
}

/// Embeddings of a grid, resized by bicubic interpolation as in torch's `interpolate(mode="bicubic",
/// align_corners=False)`: cubics with a = -0.75 and repeated edges; with antialiasing, a = -0.5, stretched to the scale
/// where the grid shrinks, and cut at the edges.
///
/// - Parameter values: [rows * columns, width]
/// - Returns: [rows * columns, width] of the new grid
private func interpolated(
    _ values: [Float], grid old: ViTConfig.Grid, to new: ViTConfig.Grid, width: Int, antialias: Bool
) -> [Float] {
    let line = old.columns * width
    var rows = [Double](repeating: 0, count: new.rows * line)  // [new rows, old columns, width]
    for y in 0..<new.rows {
        for (from, weight) in cubicTaps(y, from: old.rows, to: new.rows, antialias: antialias) {
            for i in 0..<line { rows[y * line + i] += weight * Double(values[from * line + i]) }
        }
    }
    let taps = (0..<new.columns).map { cubicTaps($0, from: old.columns, to: new.columns, antialias: antialias) }
    var out = [Double](repeating: 0, count: new.count * width)
    for y in 0..<new.rows {
        for (x, taps) in taps.enumerated() {
            for (from, weight) in taps {
                let (to, source) = ((y * new.columns + x) * width, y * line + from * width)
                for i in 0..<width { out[to + i] += weight * rows[source + i] }
            }
        }
    }
    return out.map(Float.init)
}

/// The inputs that an output reads, with their weights.
private func cubicTaps(_ out: Int, from old: Int, to new: Int, antialias: Bool) -> [(Int, Double)] {
    func cubic(_ x: Double, _ a: Double) -> Double {
        let x = abs(x)
        if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? ((x - 5) * x + 8) * a * x - 4 * a : 0
    }
    let scale = Double(old) / Double(new)
    guard antialias else {
        let place = (Double(out) + 0.5) * scale - 0.5, first = place.rounded(.down)
        return (-1...2).map { tap in
            (min(max(Int(first) + tap, 0), old - 1), cubic(place - first - Double(tap), -0.75))
        }
    }
    let stretch = max(scale, 1), centre = (Double(out) + 0.5) * scale
    let first = max(Int(centre - 2 * stretch + 0.5), 0), end = min(Int(centre + 2 * stretch + 0.5), old)
    let weights = (first..<end).map { cubic((Double($0) - centre + 0.5) / stretch, -0.5) }
    let total = weights.reduce(0, +)
    return zip(first..<end, weights).map { ($0, $1 / total) }
}
