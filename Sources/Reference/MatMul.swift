/// A linear layer: out[m, n] = sum over k of a[m, k] * w[n, k], plus bias[n].
///
/// - Parameters:
///   - a: [M, K], row-major
///   - w: [N, K], row-major, as in PyTorch's linear layers
///   - bias: [N], or nil for none
/// - Returns: [M, N]
package func matmul(_ a: [Double], _ w: [Double], bias: [Double]? = nil, m: Int, n: Int, k: Int) -> [Double] {
    precondition(a.count == m * k && w.count == n * k && (bias == nil || bias?.count == n))
    var out = [Double](repeating: 0, count: m * n)
    for row in 0..<m {
        for column in 0..<n {
            var sum = 0.0
            for i in 0..<k {
                sum += a[row * k + i] * w[column * k + i]
            }
            out[row * n + column] = sum + (bias?[column] ?? 0)
        }
    }
    return out
}
