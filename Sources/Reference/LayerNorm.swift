/// Layer norm of every row: (x - mean) / sqrt(variance + eps) * weight + bias, with the biased variance.
///
/// - Parameters:
///   - x: [rows, D], where D is the length of `weight`
///   - weight: [D]
///   - bias: [D]
/// - Returns: [rows, D]
package func layerNorm(_ x: [Double], weight: [Double], bias: [Double], eps: Double) -> [Double] {
    let width = weight.count
    precondition(bias.count == width && x.count % width == 0)
    var out = x
    for start in stride(from: 0, to: x.count, by: width) {
        var mean = 0.0
        for i in 0..<width {
            mean += x[start + i]
        }
        mean /= Double(width)

        var variance = 0.0
        for i in 0..<width {
            variance += (x[start + i] - mean) * (x[start + i] - mean)
        }
        variance /= Double(width)

        for i in 0..<width {
            out[start + i] = (x[start + i] - mean) / (variance + eps).squareRoot() * weight[i] + bias[i]
        }
    }
    return out
}
