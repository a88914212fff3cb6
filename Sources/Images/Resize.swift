#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Resampling filters, with Pillow's numbers as in `resample` of preprocessor_config.json.
package enum Resample: Int, Sendable, CaseIterable {
    case nearest = 0, lanczos, bilinear, bicubic, box, hamming
}

/// Resizes an RGB image to the same bytes as Pillow's `Image.resize((width, height), filter)`.
///
/// All filters but nearest run a horizontal and a vertical pass, each rounded to bytes. When downsampling, the filter
/// is stretched by the scale. Weights have 22 fractional bits. The horizontal pass comes first unless the height
/// shrinks by more than twice as many pixels as the width. That is Pillow 13's rule; older versions have no exception,
/// and their bytes then differ by a step or so.
///
/// With `like: .torchvision` the bytes are those of torchvision's `resize` with antialiasing on a uint8 tensor: weights
/// of about 15 bits, and always the horizontal pass first.
///
/// - Throws: ``ImageError/size(_:)`` if a size exceeds ``maxImageSide`` or ``maxImagePixels``.
package func resize(
    _ image: RGBImage, width: Int, height: Int, filter: Resample, like library: ResizeLibrary = .pillow
) throws -> RGBImage {
    func fail() -> ImageError {
        .size(
            "An image of \(image.width) x \(image.height) pixels cannot be resized to \(width) x \(height): "
                + "sides are 1 to \(maxImageSide) and at most \(maxImagePixels) pixels in all.")
    }
    guard pixelCount(width, height) != nil else { throw fail() }
    if width == image.width && height == image.height { return image }
    if filter == .nearest { return nearest(image, width, height) }
    let verticalFirst = library == .pillow && image.height - height > 2 * max(0, image.width - width)
    let between = verticalFirst ? pixelCount(image.width, height) : pixelCount(width, image.height)
    guard between != nil else { throw fail() }
    var result = image
    for pass in verticalFirst ? [vertical, horizontal] : [horizontal, vertical] {
        result = pass(result, width, height, filter, library)
    }
    return result
}

/// The library whose resizing is reproduced byte for byte
package enum ResizeLibrary: String, Sendable, CaseIterable {
    case pillow, torchvision
}

// 32 bits, less 8 for the sample and 2 for the overshoot of filters with negative lobes
private let precisionBits: Int32 = 22

@inline(__always) private func clip8(_ sum: Int32, _ bits: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: min(max(sum >> bits, 0), 255))
}

/// For each output position, the first input and the weights.
private struct Weights {
    let taps: Int
    let first: [Int]  // [out]
    let count: [Int]  // [out], at most taps
    let values: [Int32]  // [out, taps], unused ones 0
    let bits: Int32  // fractional bits of `values`

    init(from inSize: Int, to outSize: Int, _ filter: Resample, _ library: ResizeLibrary) {
        let scale = Double(inSize) / Double(outSize)
        let filterScale = max(scale, 1)
        let support = filter.support * filterScale
        let inverse = 1 / filterScale
        taps = Int(support.rounded(.up)) * 2 + 1
        var first = [Int](repeating: 0, count: outSize)
        var count = first
        var exact = [Double](repeating: 0, count: outSize * taps)
        var weights = [Double](repeating: 0, count: taps)
        for i in 0..<outSize {
            let center = (Double(i) + 0.5) * scale
            let start = max(Int(center - support + 0.5), 0)
            let end = min(Int(center + support + 0.5), inSize)
            var total = 0.0
            for j in 0..<(end - start) {
                weights[j] = filter.value((Double(j + start) - center + 0.5) * inverse)
                total += weights[j]
            }
            for j in 0..<(end - start) {
                exact[i * taps + j] = total == 0 ? weights[j] : weights[j] / total
            }
            first[i] = start
            count[i] = end - start
        }
        var bits = precisionBits
        if library == .torchvision, let largest = exact.max() {
            // The most bits for which no weight exceeds 15 bits
            bits = (0..<precisionBits).first { (0.5 + largest * Double(1 << ($0 + 1))).rounded(.down) >= 32768 } ?? bits
        }
        self.first = first
        self.count = count
        self.bits = bits
        values = exact.map { weight in
            let scaled = weight * Double(1 << bits)
            return Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
        }
    }
}

extension Resample {
    fileprivate var support: Double {
        switch self {
        case .nearest, .box: 0.5
        case .bilinear, .hamming: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    /// The filter at x, in units of input pixels
    fileprivate func value(_ x: Double) -> Double {
        let a = abs(x)
        switch self {
        case .nearest, .box:
            return x > -0.5 && x <= 0.5 ? 1 : 0
        case .bilinear:
            return a < 1 ? 1 - a : 0
        case .hamming:
            if a == 0 { return 1 }
            if a >= 1 { return 0 }
            let t = a * .pi
            return sin(t) / t * (0.54 + 0.46 * cos(t))
        case .bicubic:  // Keys, a = -0.5
            let k = -0.5
            if a < 1 { return ((k + 2) * a - (k + 3)) * a * a + 1 }
            if a < 2 { return (((a - 5) * a + 8) * a - 4) * k }
            return 0
        case .lanczos:
            return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0
        }
    }
}

private func sinc(_ x: Double) -> Double {
    if x == 0 { return 1 }
    let t = x * .pi
    return sin(t) / t
}

/// [H, W, 3] -> [H, width, 3]
private func horizontal(
    _ image: RGBImage, _ width: Int, _ height: Int, _ filter: Resample, _ library: ResizeLibrary
) -> RGBImage {
    if width == image.width { return image }
    let weights = Weights(from: image.width, to: width, filter, library)
    let bits = weights.bits, half: Int32 = 1 << (bits - 1)
    let rowBytes = image.width * 3
    let pixels = [UInt8](unsafeUninitializedCapacity: image.height * width * 3) { out, filled in
        image.pixels.withUnsafeBufferPointer { source in
            weights.first.withUnsafeBufferPointer { first in
                weights.count.withUnsafeBufferPointer { count in
                    weights.values.withUnsafeBufferPointer { values in
                        var o = 0
                        for y in 0..<image.height {
                            for x in 0..<width {
                                var i = y &* rowBytes &+ first[x] &* 3
                                var w = x &* weights.taps
                                var r = half, g = half, b = half
                                for _ in 0..<count[x] {
                                    let weight = values[w]
                                    r = r &+ weight &* Int32(source[i])
                                    g = g &+ weight &* Int32(source[i &+ 1])
                                    b = b &+ weight &* Int32(source[i &+ 2])
                                    i = i &+ 3
                                    w = w &+ 1
                                }
                                out[o] = clip8(r, bits)
                                out[o &+ 1] = clip8(g, bits)
                                out[o &+ 2] = clip8(b, bits)
                                o = o &+ 3
                            }
                        }
                    }
                }
            }
        }
        filled = image.height * width * 3
    }
    return RGBImage(unchecked: width, image.height, pixels)
}

/// [H, W, 3] -> [height, W, 3]
private func vertical(
    _ image: RGBImage, _ width: Int, _ height: Int, _ filter: Resample, _ library: ResizeLibrary
) -> RGBImage {
    if height == image.height { return image }
    let weights = Weights(from: image.height, to: height, filter, library)
    let bits = weights.bits, half: Int32 = 1 << (bits - 1)
    let rowBytes = image.width * 3
    let pixels = [UInt8](unsafeUninitializedCapacity: height * rowBytes) { out, filled in
        image.pixels.withUnsafeBufferPointer { source in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: rowBytes) { sums in
                for y in 0..<height {
                    sums.initialize(repeating: half)
                    for j in 0..<weights.count[y] {
                        let weight = weights.values[y * weights.taps + j]
                        let start = (weights.first[y] + j) * rowBytes
                        let row = UnsafeBufferPointer(rebasing: source[start..<start + rowBytes])
                        for x in 0..<rowBytes { sums[x] = sums[x] &+ weight &* Int32(row[x]) }
                    }
                    for x in 0..<rowBytes { out[y &* rowBytes &+ x] = clip8(sums[x], bits) }
                }
            }
        }
        filled = height * rowBytes
    }
    return RGBImage(unchecked: image.width, height, pixels)
}

/// Nearest neighbour: the input pixel under each output pixel's centre; positions are accumulated, as in Pillow.
private func nearest(_ image: RGBImage, _ width: Int, _ height: Int) -> RGBImage {
    func positions(_ inSize: Int, _ outSize: Int) -> [Int] {
        let step = Double(inSize) / Double(outSize)
        var position = step * 0.5
        return (0..<outSize).map { _ in
            defer { position += step }
            return Int(position)
        }
    }
    let columns = positions(image.width, width), rows = positions(image.height, height)
    var pixels = [UInt8](repeating: 0, count: width * height * 3)  // positions outside through rounding stay black
    for (y, row) in rows.enumerated() where row < image.height {
        for (x, column) in columns.enumerated() where column < image.width {
            let o = (y * width + x) * 3, i = (row * image.width + column) * 3
            for c in 0..<3 { pixels[o + c] = image.pixels[i + c] }
        }
    }
    return RGBImage(unchecked: width, height, pixels)
}
