/// Attention of every head: pattern = softmax(q k^T / sqrt(Dh) + bias), z = pattern v.
///
/// - Parameters: q, k, v: [H, T, Dh]; bias: [H, T, T], if there is one
/// - Returns: z [H, T, Dh] and the pattern [H, T, T] (query row, key column)
package func attention(
    q: [Double], k: [Double], v: [Double], bias: [Double]? = nil, heads: Int, tokens: Int, headDim: Int
) -> (z: [Double], pattern: [Double]) {
    let pattern = attentionPattern(q: q, k: k, bias: bias, heads: heads, tokens: tokens, headDim: headDim)
    return (attentionMix(pattern: pattern, v: v, heads: heads, tokens: tokens, headDim: headDim), pattern)
}

/// softmax(q k^T / sqrt(Dh) + bias) for q, k [H, T, Dh] and a bias [H, T, T]: the weight of each key for each query
/// row, [H, T, T].
package func attentionPattern(
    q: [Double], k: [Double], bias: [Double]? = nil, heads: Int, tokens: Int, headDim: Int
) -> [Double] {
    precondition(q.count == heads * tokens * headDim && k.count == q.count)
    precondition(bias == nil || bias?.count == heads * tokens * tokens)
    var scores = [Double](repeating: 0, count: heads * tokens * tokens)
    for h in 0..<heads {
        for query in 0..<tokens {
            for key in 0..<tokens {
                var sum = 0.0
                for i in 0..<headDim {
                    sum += q[(h * tokens + query) * headDim + i] * k[(h * tokens + key) * headDim + i]
                }
                let at = (h * tokens + query) * tokens + key
                scores[at] = sum / Double(headDim).squareRoot() + (bias?[at] ?? 0)
            }
        }
    }
    return softmax(scores, width: tokens)
}

/// z[h, query] = sum over keys of pattern[h, query, key] * v[h, key], for v [H, T, Dh].
package func attentionMix(pattern: [Double], v: [Double], heads: Int, tokens: Int, headDim: Int) -> [Double] {
    precondition(pattern.count == heads * tokens * tokens && v.count == heads * tokens * headDim)
    var z = [Double](repeating: 0, count: heads * tokens * headDim)
    for h in 0..<heads {
        for query in 0..<tokens {
            for i in 0..<headDim {
                var sum = 0.0
                for key in 0..<tokens {
                    sum += pattern[(h * tokens + query) * tokens + key] * v[(h * tokens + key) * headDim + i]
                }
                z[(h * tokens + query) * headDim + i] = sum
            }
        }
    }
    return z
}

/// [T, H * Dh], the output of a linear layer, to [H, T, Dh].
package func splitHeads(_ x: [Double], heads: Int, tokens: Int, headDim: Int) -> [Double] {
    var out = x
    for t in 0..<tokens {
        for h in 0..<heads {
            for i in 0..<headDim {
                out[(h * tokens + t) * headDim + i] = x[t * heads * headDim + h * headDim + i]
            }
        }
    }
    return out
}

/// [H, T, Dh] to [T, H * Dh], the input of the output projection.
package func joinHeads(_ x: [Double], heads: Int, tokens: Int, headDim: Int) -> [Double] {
    var out = x
    for t in 0..<tokens {
        for h in 0..<heads {
            for i in 0..<headDim {
                out[t * heads * headDim + h * headDim + i] = x[(h * tokens + t) * headDim + i]
            }
        }
    }
    return out
}
