import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// Both noise kernels: `e += strength * deviation * normal` per image, and the deviations.
    /// - Parameters:
    ///   - images: the images of `stored` whose key words are used; the other words are poison
    ///   - mean: mean of e, in standard deviations of e
    package static func noise(
        stored: Int, images: Range<Int>, values: Int, strength: Float, mean: Float = 0.5
    ) -> OpCase {
        let n = images.count * values
        // In units of u = 2^-24, each relative to its scale below.
        // Deviation: a sum of 64 running sums takes values / 64 + 6 roundings, halved by the square root; differences,
        // squares, division and root (3 ulp) are within the 16. The mean's own error enters squared.
        // Normals: u has 2 roundings, which change r = sqrt(-2 ln u) by 4 / r, or by sqrt(4) if r is smaller still; the
        // logarithm (3 ulp) and the root add 5 r; the angle is off by 4 roundings of at most 2 pi, 25 r; cosine (4 ulp)
        // and products 7 r. The fma rounds once.
        let tolerance = (Double(values) / 64 + 16 + 40) * Float.unitRoundoff
        return OpCase(
            name: "noise", shape: "images \(images) of \(stored), \(values) values", flops: 30 * n, bytes: 4 * 4 * n,
            tolerance: tolerance
        ) { library, random in
            let std: Float = 0.7
            let e = random.normals(n, mean: mean * std, std: std)
            // Key words may have any bits, those of NaNs and infinities included.
            let odd: [UInt32] = [0x7f80_0001, 0xffc0_0000, 1, 0x7f80_0000, 0, .max, 0x8000_0001, 0xff80_0123]
            let words: [[UInt32]] = images.indices.map { image in
                image == images.lowerBound && images.count > 1
                    ? Array(odd.shuffled(using: &random)[..<4])
                    : (0..<4).map { _ in .random(in: 0 ... .max, using: &random) }
            }
            let keys = 5
            var input = [Int32](repeating: .min, count: keys + 4 * stored + 3)
            for (image, words) in zip(images, words) {
                for (i, word) in words.enumerated() { input[keys + 4 * image + i] = Int32(bitPattern: word) }
            }
            let operation = try Noise(library), context = library.context
            let eBuffer = try Buffer(context, e + .poison(margin)), inputBuffer = try Buffer(context, input)
            let deviations = try Buffer(context, [Float].poison(images.count + margin))
            return PreparedOp(
                launch: {
                    try operation.add(
                        e: eBuffer, values: values, images: images, strength: strength, keys: inputBuffer, offset: keys,
                        deviations: deviations)
                },
                output: { try eBuffer.read() + deviations.read() },
                expected: {
                    var noisy = Expected(exact: []), spread = Expected(exact: [])
                    for image in 0..<images.count {
                        let own = e[(image * values)..<((image + 1) * values)].map(Double.init), words = words[image]
                        let deviation = populationDeviation(own)
                        spread.values.append(deviation)
                        spread.scales.append(deviation)
                        let normals = referenceNormals(
                            k0: words[0], k1: words[1], c2: words[2], c3: words[3], count: (values + 3) / 4 * 4)
                        for j in 0..<values {
                            let first = j / 2 * 2  // of the pair that shares a radius
                            let r = (normals[first] * normals[first] + normals[first + 1] * normals[first + 1])
                                .squareRoot()
                            let scale = Double(strength) * deviation
                            noisy.values.append(own[j] + scale * normals[j])
                            noisy.scales.append(abs(own[j]) + scale * (r + min(1 / r, 2048)))
                        }
                    }
                    noisy.appendPoison(margin)
                    spread.appendPoison(margin)
                    return Expected(values: noisy.values + spread.values, scales: noisy.scales + spread.scales)
                })
        }
    }

    /// Values below, at and above whole blocks of 4 and of 64; a single value has no deviation.
    package static var noiseCases: [OpCase] {
        [
            noise(stored: 6, images: 2..<5, values: 331, strength: 1.5),
            noise(stored: 2, images: 0..<2, values: 128, strength: 3),
            noise(stored: 3, images: 1..<3, values: 4999, strength: 2, mean: -2),
            noise(stored: 1, images: 0..<1, values: 63, strength: 0.25, mean: 5),
            noise(stored: 3, images: 1..<3, values: 2, strength: 1),
            noise(stored: 2, images: 1..<2, values: 1, strength: 1),
        ]
    }
}

/// The population standard deviation (divided by n).
package func populationDeviation(_ values: [Double]) -> Double {
    let n = Double(values.count), mean = values.reduce(0, +) / n
    return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n).squareRoot()
}
