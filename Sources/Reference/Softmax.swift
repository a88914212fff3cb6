#if canImport(Glibc)
    import Glibc
#else
    import Foundation
#endif

/// exp(x) / sum of exp(x) over each row of `width` values.
package func softmax(_ x: [Double], width: Int) -> [Double] {
    precondition(width > 0 && x.count % width == 0)
    var out = x
    for start in stride(from: 0, to: x.count, by: width) {
        var largest = x[start]
        for i in 0..<width {
            largest = max(largest, x[start + i])
        }
        var sum = 0.0
        for i in 0..<width {
            out[start + i] = exp(x[start + i] - largest)
            sum += out[start + i]
        }
        for i in 0..<width {
            out[start + i] /= sum
        }
    }
    return out
}
