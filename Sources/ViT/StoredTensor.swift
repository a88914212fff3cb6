import Foundation

/// A tensor stored in a checkpoint as F32, F16, BF16 or F64, and read as Float: F16 and BF16 widened exactly, F64
/// rounded to the nearest Float.
package struct StoredTensor: Sendable {
    private enum Format { case f32, f16, bf16, f64 }
    private let format: Format
    /// Little-endian, of any alignment
    private let bytes: Data
    /// The mapping that `bytes` lies in
    private let file: MappedFile?
    /// Number of values
    package let count: Int
    /// For values that are not contiguous: the shape, and the strides in elements
    private let layout: (shape: [Int], strides: [Int])?

    /// nil where the type is none of the four
    ///
    /// - Parameter layout: shape and strides in elements, where values are not contiguous in row-major order; `bytes`
    ///   then range from the first value to the last.
    init?(dtype: SafeTensors.DType, bytes: Data, file: MappedFile?, layout: (shape: [Int], strides: [Int])? = nil) {
        switch dtype {
        case .f32: format = .f32
        case .f16: format = .f16
        case .bf16: format = .bf16
        case .f64: format = .f64
        default: return nil
        }
        self.bytes = bytes
        self.file = file
        self.layout = layout
        count = layout.map { $0.shape.reduce(1, *) } ?? bytes.count / dtype.size
    }

    /// The values, converted at each access. Pages of a mapped file are dropped afterwards.
    package var floats: [Float] {
        defer { forget() }
        return layout.map(gathered)
            ?? bytes.withUnsafeBytes { source in
                [Float](unsafeUninitializedCapacity: count) { out, initialized in
                    switch format {
                    case .f32: UnsafeMutableRawBufferPointer(out).copyMemory(from: source)
                    case .f16: for i in 0..<count { out[i] = half(source, i) }
                    case .bf16: for i in 0..<count { out[i] = bfloat(source, i) }
                    case .f64: for i in 0..<count { out[i] = rounded(source, i) }
                    }
                    initialized = count
                }
            }
    }

    /// The `index`-th of `count` equal parts of a contiguous tensor.
    package func part(_ index: Int, of count: Int) -> StoredTensor {
        let size = bytes.count / count, start = bytes.startIndex + index * size
        return StoredTensor(format: format, bytes: bytes[start..<(start + size)], file: file, count: self.count / count)
    }

    private init(format: Format, bytes: Data, file: MappedFile?, count: Int) {
        (self.format, self.bytes, self.file, self.count, layout) = (format, bytes, file, count, nil)
    }

    /// The first NaN or infinity, as Float; found without copying the values, unless they have strides.
    package var firstNonFinite: (index: Int, value: Float)? {
        if layout != nil { return floats.enumerated().first { !$0.element.isFinite }.map { ($0.offset, $0.element) } }
        // The common case, no such value, is a maximum over bit patterns: integer and branch-free, so it is vectorised.
        let largest = bytes.withUnsafeBytes { source in
            switch format {
            case .f32: largestMagnitude(count) { single(source, $0) }
            case .f16: largestMagnitude(count) { half(source, $0) }
            case .bf16: largestMagnitude(count) { bfloat(source, $0) }
            case .f64: largestMagnitude(count) { rounded(source, $0) }
            }
        }
        defer { forget() }
        if largest < Float.infinity.bitPattern { return nil }
        return floats.enumerated().first { !$0.element.isFinite }.map { ($0.offset, $0.element) }
    }

    /// The values in row-major order, gathered by their strides
    private func gathered(_ layout: (shape: [Int], strides: [Int])) -> [Float] {
        bytes.withUnsafeBytes { source in
            var index = [Int](repeating: 0, count: layout.shape.count)
            var element = 0
            var values: [Float] = []
            values.reserveCapacity(count)
            for _ in 0..<count {
                switch format {
                case .f32: values.append(single(source, element))
                case .f16: values.append(half(source, element))
                case .bf16: values.append(bfloat(source, element))
                case .f64: values.append(rounded(source, element))
                }
                // Increments the index like an odometer
                for axis in index.indices.reversed() {
                    index[axis] += 1
                    element += layout.strides[axis]
                    if index[axis] < layout.shape[axis] { break }
                    element -= index[axis] * layout.strides[axis]
                    index[axis] = 0
                }
            }
            return values
        }
    }

    private func forget() { file?.forget(bytes.startIndex..<bytes.endIndex) }
}

/// The largest bit pattern of `count` values without signs; at least infinity's if a value is not finite.
@inline(__always)
private func largestMagnitude(_ count: Int, _ value: (Int) -> Float) -> UInt32 {
    var largest: UInt32 = 0
    for i in 0..<count { largest = max(largest, value(i).bitPattern & 0x7fff_ffff) }
    return largest
}

// Value i of a tensor. Every supported host is little-endian, as safetensors is.

@inline(__always)
private func single(_ source: UnsafeRawBufferPointer, _ i: Int) -> Float {
    source.loadUnaligned(fromByteOffset: 4 &* i, as: Float.self)
}

@inline(__always)
private func half(_ source: UnsafeRawBufferPointer, _ i: Int) -> Float {
    floatFromHalf(source.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self))
}

@inline(__always)
private func bfloat(_ source: UnsafeRawBufferPointer, _ i: Int) -> Float {
    Float(bitPattern: UInt32(source.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self)) << 16)
}

@inline(__always)
private func rounded(_ source: UnsafeRawBufferPointer, _ i: Int) -> Float {
    Float(source.loadUnaligned(fromByteOffset: 8 &* i, as: Double.self))
}

/// IEEE half to Float, exact for every bit pattern (a NaN keeps its payload).
///
/// Float16's own conversion is a library call per value where the CPU lacks F16C; these operations vectorise. The
/// exponent's bias changes from 15 to 127. A subnormal m * 2^-24 has no leading one, so it is built as
/// 2^-14 (1 + m / 1024) - 2^-14, both normal Floats.
@inline(__always)
func floatFromHalf(_ half: UInt16) -> Float {
    let sign = UInt32(half & 0x8000) << 16
    let magnitude = UInt32(half & 0x7fff) << 13
    let normal = magnitude &+ (112 << 23)
    let subnormal = (Float(bitPattern: magnitude &+ (113 << 23)) - 0x1p-14).bitPattern
    let special = magnitude | 0x7f80_0000  // infinity, NaN
    let bits = half & 0x7c00 == 0 ? subnormal : half & 0x7c00 == 0x7c00 ? special : normal
    return Float(bitPattern: sign | bits)
}
