/// An image cut into square patches, row by row, each flattened channel by channel.
///
/// - Parameter pixels: [channels, S, S]
/// - Returns: [Np, channels * P * P], with Np = (S / P)^2
package func patches(_ pixels: [Double], channels: Int, imageSize: Int, patchSize: Int) -> [Double] {
    precondition(pixels.count == channels * imageSize * imageSize && imageSize % patchSize == 0)
    let grid = imageSize / patchSize
    var out: [Double] = []
    for patchRow in 0..<grid {
        for patchColumn in 0..<grid {
            for channel in 0..<channels {
                for row in 0..<patchSize {
                    for column in 0..<patchSize {
                        let y = patchRow * patchSize + row
                        let x = patchColumn * patchSize + column
                        out.append(pixels[(channel * imageSize + y) * imageSize + x])
                    }
                }
            }
        }
    }
    return out
}

/// The encoder's input: CLS and the projected patches, with the position embeddings added.
///
/// - Parameters:
///   - pixels: [channels, S, S], normalised
///   - weight: [D, channels * P * P], the convolution's kernel
///   - bias: [D]
///   - cls: [D]
///   - position: [T, D], with T = Np + 1
/// - Returns: [T, D]
package func patchEmbedding(
    _ pixels: [Double], weight: [Double], bias: [Double], cls: [Double], position: [Double],
    channels: Int, imageSize: Int, patchSize: Int
) -> [Double] {
    let width = bias.count
    let grid = imageSize / patchSize
    let projected = matmul(
        patches(pixels, channels: channels, imageSize: imageSize, patchSize: patchSize), weight, bias: bias,
        m: grid * grid, n: width, k: channels * patchSize * patchSize)
    return add(cls + projected, position)
}

/// a + b, element by element.
package func add(_ a: [Double], _ b: [Double]) -> [Double] {
    precondition(a.count == b.count)
    var out = a
    for i in a.indices {
        out[i] += b[i]
    }
    return out
}
