#if canImport(Glibc)
    import Glibc
#else
    import Foundation
#endif

/// The gradient at layer norm's input from the gradient at its output.
///
/// - Parameters:
///   - x: the input [rows, D], where D is the length of `weight`
///   - gradient: the gradient at the output [rows, D]
/// - Returns: [rows, D]
package func layerNormBackward(_ x: [Double], weight: [Double], eps: Double, gradient: [Double]) -> [Double] {
    let width = weight.count, count = Double(width)
    precondition(x.count == gradient.count && x.count % width == 0)
    var out = x
    for start in stride(from: 0, to: x.count, by: width) {
        let row = x[start..<(start + width)]
        let mean = row.reduce(0, +) / count
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        let sigma = (variance + eps).squareRoot()
        var sum = 0.0, product = 0.0
        for i in 0..<width {
            sum += gradient[start + i] * weight[i]
            product += gradient[start + i] * weight[i] * (x[start + i] - mean) / sigma
        }
        for i in 0..<width {
            let normed = (x[start + i] - mean) / sigma
            out[start + i] = (gradient[start + i] * weight[i] - sum / count - normed * product / count) / sigma
        }
    }
    return out
}

/// The gradient at a linear layer's input: out[m, k] = sum over n of gradient[m, n] * w[n, k].
///
/// - Parameters: gradient: [M, N]; w: [N, K]
/// - Returns: [M, K]
package func matmulBackward(_ gradient: [Double], _ w: [Double], m: Int, n: Int, k: Int) -> [Double] {
    precondition(gradient.count == m * n && w.count == n * k)
    var out = [Double](repeating: 0, count: m * k)
    for row in 0..<m {
        for column in 0..<n {
            let factor = gradient[row * n + column]
            for i in 0..<k { out[row * k + i] += factor * w[column * k + i] }
        }
    }
    return out
}

extension ReferenceActivation {
    /// The derivative at x; for relu 0 at 0
    package func slope(_ x: Double) -> Double {
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        switch self {
        case .gelu: return 0.5 * erfc(-x / 2.0.squareRoot()) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
        case .geluNew:
            let factor = (2 / Double.pi).squareRoot(), t = tanh(factor * (x + 0.044715 * x * x * x))
            return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * factor * (1 + 3 * 0.044715 * x * x)
        case .quickGelu:
            let s = sigmoid(1.702 * x)
            return s + 1.702 * x * s * (1 - s)
        case .relu: return x > 0 ? 1 : 0
        case .silu:
            let s = sigmoid(x)
            return s + x * s * (1 - s)
        case .mish:
            let t = tanh(log1p(exp(x)))
            return t + x * (1 - t * t) * sigmoid(x)
        }
    }
}

/// The gradients at attention's inputs from the gradient at z.
///
/// - Parameters:
///   - q, k, v: [H, T, Dh]
///   - gradient: the gradient at z [H, T, Dh]
///   - bias: bias of the scores [H, T, T]
/// - Returns: gradients at q, k and v [H, T, Dh], and at the pattern [H, T, T]
package func attentionBackward(
    q: [Double], k: [Double], v: [Double], bias: [Double]? = nil, gradient: [Double], heads: Int, tokens: Int,
    headDim: Int
) -> (q: [Double], k: [Double], v: [Double], pattern: [Double]) {
    let pattern = attentionPattern(q: q, k: k, bias: bias, heads: heads, tokens: tokens, headDim: headDim)
    let atPattern = patternGradient(v: v, gradient: gradient, heads: heads, tokens: tokens, headDim: headDim)
    let zeros = [Double](repeating: 0, count: q.count)
    var (dq, dk, dv) = (zeros, zeros, zeros)
    for h in 0..<heads {
        for query in 0..<tokens {
            let row = (h * tokens + query) * tokens
            // Backward through the softmax: p (gradient - mean of the gradients weighted by p)
            var mean = 0.0
            for key in 0..<tokens { mean += pattern[row + key] * atPattern[row + key] }
            for key in 0..<tokens {
                let p = pattern[row + key]
                let score = p * (atPattern[row + key] - mean) / Double(headDim).squareRoot()
                let from = (h * tokens + query) * headDim, to = (h * tokens + key) * headDim
                for i in 0..<headDim {
                    dq[from + i] += score * k[to + i]
                    dk[to + i] += score * q[from + i]
                    dv[to + i] += p * gradient[from + i]
                }
            }
        }
    }
    return (dq, dk, dv, atPattern)
}

/// The gradient at the pattern [H, T, T] from the gradient at z: the query's gradient times the key's value.
package func patternGradient(
    v: [Double], gradient: [Double], heads: Int, tokens: Int, headDim: Int
) -> [Double] {
    precondition(v.count == heads * tokens * headDim && gradient.count == v.count)
    var out = [Double](repeating: 0, count: heads * tokens * tokens)
    for h in 0..<heads {
        for query in 0..<tokens {
            for key in 0..<tokens {
                var sum = 0.0
                for i in 0..<headDim {
                    sum += gradient[(h * tokens + query) * headDim + i] * v[(h * tokens + key) * headDim + i]
                }
                out[(h * tokens + query) * tokens + key] = sum
            }
        }
    }
    return out
}

/// For each single key: the gradient at z times the change of z if that key is replaced by `other`'s, with the softmax
/// computed anew.
///
/// - Parameters:
///   - q, k, v: [queries, Dh], [T, Dh], [T, Dh] of one head
///   - other: keys [T, Dh] of another pass
///   - gradient: the gradient at z [queries, Dh]
///   - bias: bias of the scores [queries, T]
/// - Returns: [T]
package func keyChanges(
    q: [Double], k: [Double], v: [Double], other: [Double], bias: [Double]? = nil, gradient: [Double], headDim: Int
) -> [Double] {
    let queries = q.count / headDim, tokens = k.count / headDim
    func score(_ query: Int, _ keys: [Double], _ key: Int) -> Double {
        (0..<headDim).reduce(0) { $0 + q[query * headDim + $1] * keys[key * headDim + $1] }
            / Double(headDim).squareRoot() + (bias?[query * tokens + key] ?? 0)
    }
    var changes = [Double](repeating: 0, count: tokens)
    for query in 0..<queries {
        let scores = (0..<tokens).map { score(query, k, $0) }
        let slopes = (0..<tokens).map { key in
            (0..<headDim).reduce(0) { $0 + gradient[query * headDim + $1] * v[key * headDim + $1] }
        }
        func mixed(_ scores: [Double]) -> Double {
            zip(softmax(scores, width: tokens), slopes).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let before = mixed(scores)
        for key in 0..<tokens {
            var changed = scores
            changed[key] = score(query, other, key)
            changes[key] += mixed(changed) - before
        }
    }
    return changes
}
