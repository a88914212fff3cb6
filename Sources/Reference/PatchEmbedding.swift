/// Cuts an image into patches, row by row, each flattened channel by channel; pixels beyond the last whole patch are
/// ignored.
///
/// - Parameter pixels: [channels, height, width]
/// - Returns: [Np, channels * patch height * patch width]
package func patches(
    _ pixels: [Double], channels: Int, image: (height: Int, width: Int), patch: (height: Int, width: Int)
) -> [Double] {
    precondition(pixels.count == channels * image.height * image.width)
    var out: [Double] = []
    for patchRow in 0..<(image.height / patch.height) {
        for patchColumn in 0..<(image.width / patch.width) {
            for channel in 0..<channels {
                for row in 0..<patch.height {
                    for column in 0..<patch.width {
                        let y = patchRow * patch.height + row
                        let x = patchColumn * patch.width + column
                        out.append(pixels[(channel * image.height + y) * image.width + x])
                    }
                }
            }
        }
    }
    return out
}

/// The same for square images and patches: [channels, S, S] to [(S / P)^2, channels * P * P].
package func patches(_ pixels: [Double], channels: Int, imageSize: Int, patchSize: Int) -> [Double] {
    patches(pixels, channels: channels, image: (imageSize, imageSize), patch: (patchSize, patchSize))
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
