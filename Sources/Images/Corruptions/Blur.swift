#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `blur:SIGMA`: Gaussian blur with SIGMA in source pixels, radius ceil(4 SIGMA), edges replicated
struct Blur: CorruptionKind {
    static let name = "blur"
    static let forms = ["blur:SIGMA"]
    static let example = "blur:2"
    static let expected: String? = "a number of source pixels from \(spelled(minSigma)) to \(spelled(maxSigma))"
    /// A narrower Gaussian changes no byte.
    private static let minSigma = 0.1
    private static let maxSigma = 1000.0

    private let sigma: Double
    let stage = Corruption.Stage.source

    init?(value: String) {
        guard let sigma = number(value, in: Self.minSigma...Self.maxSigma) else { return nil }
        self.sigma = sigma
    }

    var value: String { spelled(sigma) }

    func prepare(_ setting: CorruptionSetting) throws -> CorruptionWork {
        .pixels { [sigma] in $0.image.blurred(sigma: sigma) }
    }
}

extension RGBImage {
    /// Gaussian blur of each channel, edges replicated: scipy's `gaussian_filter(x, sigma, mode="nearest",
    /// radius=ceil(4 * sigma))` in float64.
    ///
    /// A horizontal pass, then a vertical one, both in Double. Rounded to bytes once, at the end, halves up.
    ///
    /// - Parameter sigma: source pixels, above 0.
    func blurred(sigma: Double) -> RGBImage {
        let radius = Int((4 * sigma).rounded(.up))
        let weights = gaussian(sigma: sigma, radius: radius)
        let row = width * 3
        let kept = min(weights.count, height)  // rows that one output row can read
        let height = height, width = width
        var padded = [Double](repeating: 0, count: (width + 2 * radius) * 3)  // [width + 2 * radius, 3]
        var blurred = [Double](repeating: 0, count: kept * row)  // [kept, width, 3], row y at y % kept
        var sums = [Double](repeating: 0, count: row)
        let result = [UInt8](unsafeUninitializedCapacity: height * row) { out, filled in
            pixels.withUnsafeBufferPointer { source in
                padded.withUnsafeMutableBufferPointer { padded in
                    blurred.withUnsafeMutableBufferPointer { blurred in
                        sums.withUnsafeMutableBufferPointer { sums in
                            var next = 0  // next row to blur horizontally
                            for y in 0..<height {
                                while next <= min(y + radius, height - 1) {
                                    for x in 0..<width + 2 * radius {
                                        let from = next * row + min(max(x - radius, 0), width - 1) * 3
                                        for c in 0..<3 { padded[x * 3 + c] = Double(source[from + c]) }
                                    }
                                    let start = next % kept * row
                                    let target = UnsafeMutableBufferPointer(rebasing: blurred[start..<start + row])
                                    target.update(repeating: 0)
                                    for (k, weight) in weights.enumerated() {
                                        add(weight, .init(rebasing: padded[k * 3..<k * 3 + row]), to: target)
                                    }
                                    next += 1
                                }
                                sums.update(repeating: 0)
                                for (k, weight) in weights.enumerated() {
                                    let start = min(max(y + k - radius, 0), height - 1) % kept * row
                                    add(weight, .init(rebasing: blurred[start..<start + row]), to: sums)
                                }
                                for i in 0..<row { out[y * row + i] = UInt8(min(max(sums[i] + 0.5, 0), 255)) }
                            }
                        }
                    }
                }
            }
            filled = height * row
        }
        return RGBImage(unchecked: width, height, result)
    }
}

/// Normalised weights, [2 * radius + 1]
private func gaussian(sigma: Double, radius: Int) -> [Double] {
    let values = (-radius...radius).map { x in
        let t = Double(x) / sigma
        return exp(-0.5 * t * t)
    }
    let sum = values.reduce(0, +)
    return values.map { $0 / sum }
}

/// sums += weight * x
@inline(__always)
private func add(_ weight: Double, _ x: UnsafeBufferPointer<Double>, to sums: UnsafeMutableBufferPointer<Double>) {
    for i in 0..<x.count { sums[i] += weight * x[i] }
}
