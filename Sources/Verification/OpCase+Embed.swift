import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// Patches of images `images` out of `stored`; the other images hold poison.
    /// - Parameter offset: floats in front of the pixels
    package static func patches(
        stored: Int, images: Range<Int>, channels: Int, imageSize: Int, patchSize: Int, offset: Int = 0
    ) -> OpCase {
        let values = channels * imageSize * imageSize
        return OpCase(
            name: "patches",
            shape: "images \(images) of \(stored), [\(channels), \(imageSize), \(imageSize)], P \(patchSize)"
                + (offset > 0 ? ", from \(offset)" : ""),
            flops: 0, bytes: 4 * 2 * images.count * values,
            tolerance: 0  // a copy
        ) { library, random in
            var pixels = [Float].poison(stored * values)
            let used = (images.lowerBound * values)..<(images.upperBound * values)
            pixels.replaceSubrange(used, with: random.normals(used.count))
            let input = pixels
            let operation = try Embed(library)
            let pixelsBuffer = try Buffer(library.context, .poison(offset) + pixels)
            let out = try Buffer(library.context, [Float].poison(used.count + margin))
            return PreparedOp(
                launch: {
                    try operation.patches(
                        pixels: pixelsBuffer, offset: offset, images: images, channels: channels, imageSize: imageSize,
                        patchSize: patchSize, out: out)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(
                        exact: images.flatMap { image in
                            Reference.patches(
                                input[(image * values)..<((image + 1) * values)].map(Double.init), channels: channels,
                                imageSize: imageSize, patchSize: patchSize)
                        })
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// Rows `first ..< first + count` of x, from patch projections.
    package static func embed(first: Int, count: Int, tokens: Int, width: Int) -> OpCase {
        let size = tokens * width
        return OpCase(
            name: "embed", shape: "rows \(first)..<\(first + count), T \(tokens), D \(width)", flops: count * size,
            bytes: 4 * (2 * count * size + size),
            tolerance: 0  // one rounded sum
        ) { library, random in
            let e = random.normals(count * (tokens - 1) * width), cls = random.normals(width)
            let position = random.normals(size)
            let operation = try Embed(library)
            let context = library.context
            let eBuffer = try Buffer(context, e + .poison(margin)), clsBuffer = try Buffer(context, cls)
            let positionBuffer = try Buffer(context, position)
            let x = try Buffer(context, [Float].poison((first + count) * size + margin))
            return PreparedOp(
                launch: {
                    try operation.join(
                        e: eBuffer, cls: clsBuffer, position: positionBuffer, tokens: tokens, first: first,
                        count: count,
                        x: x)
                },
                output: { try x.read() },
                expected: {
                    var expected = Expected(exact: [])
                    expected.appendPoison(first * size)
                    for i in 0..<count {
                        let own = (i * (tokens - 1) * width)..<((i + 1) * (tokens - 1) * width)
                        let joined = Reference.add((cls + e[own]).map(Double.init), position.map(Double.init))
                        expected.values += joined
                        expected.scales += [Double](repeating: 0, count: size)
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    package static var embedCases: [OpCase] {
        [
            patches(stored: 5, images: 1..<4, channels: 3, imageSize: 15, patchSize: 5),
            patches(stored: 2, images: 0..<2, channels: 1, imageSize: 7, patchSize: 1),
            patches(stored: 1, images: 0..<1, channels: 2, imageSize: 11, patchSize: 11),
            patches(stored: 3, images: 1..<3, channels: 3, imageSize: 24, patchSize: 8),
            patches(stored: 2, images: 0..<2, channels: 3, imageSize: 20, patchSize: 4, offset: 5),
            embed(first: 2, count: 3, tokens: 10, width: 37),
            embed(first: 0, count: 1, tokens: 2, width: 131),
            embed(first: 1, count: 2, tokens: 5, width: 1),
        ]
    }
}
