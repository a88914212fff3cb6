import CLRuntime
import ViT

/// The rows and slots of given blocks: activations that are not computed, but zeros, means or from a file.
struct ActivationRows {
    let encoder: Encoder
    let x: Buffer<Float>  // [*, T, D]
    let o: Buffer<Float>  // [*, tokens(after: layer), D]
    let workspace: Workspace
    /// The row of x that is row 0 here
    var firstStreamRow = 0
    /// Whether slots hold an activation
    let keeps: (Activation) -> Bool

    /// Fills a site's rows of one layer with zeros.
    func zero(_ site: Site, rows: Range<Int>, layer: Int) throws(CLError) {
        let tokens = encoder.tokens(after: layer)
        let outputs = tokens * encoder.config.hiddenSize, stride = encoder.rowStride
        switch site.row.home {
        case .output: try o.fill(0, (rows.lowerBound * outputs)..<(rows.upperBound * outputs))
        case .stream:
            try x.fill(
                0, ((firstStreamRow + rows.lowerBound) * stride)..<((firstStreamRow + rows.upperBound) * stride))
        case .slot(let activation) where keeps(activation):
            try workspace.zero(activation, slots: rows, config: encoder.config, tokens: tokens)
        case .slot, .pattern: break
        }
    }

    /// Copies given values into one row or slot of a site.
    /// - Parameter values: [tokens that the site has in this layer, width]
    func put(_ values: Buffer<Float>, _ site: Site, row: Int, layer: Int) throws(CLError) {
        let tokens = encoder.tokens(after: layer)
        switch site.row.home {
        case .output: try o.copy(from: values, 0..<values.count, to: row * tokens * encoder.config.hiddenSize)
        case .stream: try x.copy(from: values, 0..<values.count, to: (firstStreamRow + row) * encoder.rowStride)
        case .slot(let activation) where keeps(activation):
            try workspace.give(values, activation, slot: row, config: encoder.config, tokens: tokens)
        case .slot, .pattern: break
        }
    }
}

/// z for some heads and query tokens, from a file's pattern and a pass's own values. It is computed on the host: a
/// file's patterns are read there, and the device needs them for nothing else.
/// - Parameters:
///   - pattern: [H, T, T]
///   - v: [T, D]
///   - z: [queries, D]
func mix(
    pattern: [Float], v: [Float], into z: inout [Float], heads: some Sequence<Int>, queries: some Sequence<Int>,
    _ config: ViTConfig
) {
    let (all, d, size) = (config.tokens, config.hiddenSize, config.headDim)
    for head in heads {
        for query in queries {
            let weights = (head * all + query) * all
            for column in (head * size)..<((head + 1) * size) {
                var sum: Float = 0
                for token in 0..<all { sum += pattern[weights + token] * v[token * d + column] }
                z[query * d + column] = sum
            }
        }
    }
}
