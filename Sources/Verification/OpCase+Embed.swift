import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// Patches of the images in range `images` of `stored`; the other images hold poison.
    /// - Parameter offset: floats before the pixels
    package static func imagePatches(
        stored: Int, images: Range<Int>, channels: Int, image: (height: Int, width: Int),
        patch: (height: Int, width: Int), offset: Int = 0
    ) -> OpCase {
        let values = channels * image.height * image.width
        let read = channels * (image.height / patch.height * patch.height) * (image.width / patch.width * patch.width)
        return OpCase(
            name: "patches",
            shape:
                "images \(images) of \(stored), [\(channels), \(image.height), \(image.width)], P \(patch.height) x \(patch.width)"
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
            let out = try Buffer(library.context, [Float].poison(images.count * read + margin))
            return PreparedOp(
                launch: {
                    try operation.patches(
                        pixels: pixelsBuffer, offset: offset, images: images, channels: channels, image: image,
                        patch: patch, out: out)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(
                        exact: images.flatMap { index in
                            Reference.patches(
                                input[(index * values)..<((index + 1) * values)].map(Double.init), channels: channels,
                                image: image, patch: patch)
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
                        e: eBuffer, prefix: clsBuffer, position: positionBuffer, tokens: tokens, first: first,
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
            imagePatches(stored: 5, images: 1..<4, channels: 3, image: (15, 15), patch: (5, 5)),
            imagePatches(stored: 2, images: 0..<2, channels: 1, image: (7, 7), patch: (1, 1)),
            imagePatches(stored: 1, images: 0..<1, channels: 2, image: (11, 11), patch: (11, 11)),
            imagePatches(stored: 3, images: 1..<3, channels: 3, image: (24, 24), patch: (8, 8)),
            imagePatches(stored: 2, images: 0..<2, channels: 3, image: (20, 20), patch: (4, 4), offset: 5),
            imagePatches(stored: 3, images: 1..<3, channels: 3, image: (13, 22), patch: (3, 4)),
            imagePatches(stored: 2, images: 0..<2, channels: 2, image: (25, 9), patch: (8, 2), offset: 1),
            embed(first: 2, count: 3, tokens: 10, width: 37),
            embed(first: 0, count: 1, tokens: 2, width: 131),
            embed(first: 1, count: 2, tokens: 5, width: 1),
        ]
    }
}
