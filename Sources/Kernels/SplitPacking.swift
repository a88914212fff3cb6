import Dispatch

/// Memory layout of a weight for `gemm_mma.cl`: split into parts of fewer bits, in blocks of 64 rows by 64 bytes.
///
/// A block holds `step` values of K for 64 rows: 16 hi + 16 lo halves (split precisions), 32 halves, or 16 tf32. Chunk
/// c of 16 bytes of row r is stored as chunk c ^ (r / 2 % 4) of the row, as in the kernel's local memory.
struct SplitPacking {
    let precision: Precision

    init(_ precision: Precision) { self.precision = precision }

    /// Values of K in a block
    var step: Int {
        switch precision {
        case .bf16x3, .fp16x3, .tf32, .fp32: 16
        case .bf16, .fp16: 32
        }
    }

    /// 32-bit words of a packed weight; `rows` is a multiple of 64.
    func words(rows: Int, inputs: Int) -> Int { rows / 64 * blocks(inputs) * 1024 }

    private func blocks(_ inputs: Int) -> Int { (inputs + step - 1) / step }

    /// - Parameters:
    ///   - weight: [rows, inputs]
    ///   - words: [paddedRows / 64, blocks, 64, 16]; all are written
    func pack(
        _ weight: [Float], rows: Int, paddedRows: Int, inputs: Int, into words: UnsafeMutableBufferPointer<UInt32>
    ) {
        let blocks = blocks(inputs)
        weight.withUnsafeBufferPointer { weight in
            // One thread writes each panel of 64 rows.
            nonisolated(unsafe) let (to, from) = (words, weight)
            DispatchQueue.concurrentPerform(iterations: paddedRows / 64) { panel in
                for row in (panel * 64)..<(panel * 64 + 64) {
                    for block in 0..<blocks {
                        let line = ((panel * blocks + block) * 64 + row % 64) * 16
                        for word in 0..<16 {
                            let place = (word / 4) ^ (row % 64 / 2 % 4)
                            to[line + place * 4 + word % 4] = self.word(word) { k in
                                let at = block * step + k
                                return row < rows && at < inputs ? from[row * inputs + at] : 0
                            }
                        }
                    }
                }
            }
        }
    }

    /// Word `index` of a row's 64 bytes, before the chunks are permuted.
    private func word(_ index: Int, _ value: (Int) -> Float) -> UInt32 {
        switch precision {
        case .tf32, .fp32: return Self.tf32(value(index))
        case .bf16, .fp16:
            return UInt32(high(value(2 * index))) | UInt32(high(value(2 * index + 1))) << 16
        case .bf16x3, .fp16x3:
            let first = index % 8 * 2, (x, y) = (value(first), value(first + 1))
            return index < 8
                ? UInt32(high(x)) | UInt32(high(y)) << 16 : UInt32(low(x)) | UInt32(low(y)) << 16
        }
    }

    private var isHalf: Bool { precision == .fp16 || precision == .fp16x3 }

    /// hi = round(x)
    private func high(_ x: Float) -> UInt16 { isHalf ? Float16Bits.bits(x) : Self.bf16(x) }

    /// lo = round(x - hi), scaled by 2^11 for fp16: then it is always a normal number where x is one.
    private func low(_ x: Float) -> UInt16 {
        isHalf
            ? Float16Bits.bits((x - Float16Bits.value(high(x))) * 2048)
            : Self.bf16(x - Float(bitPattern: UInt32(high(x)) << 16))
    }

    /// Rounds to nearest, ties to even; NaN stays NaN.
    static func bf16(_ x: Float) -> UInt16 {
        if x.isNaN { return 0x7fff }
        let bits = x.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
    }

    /// Rounds to nearest with 10 fraction bits, ties away from zero.
    static func tf32(_ x: Float) -> UInt32 {
        x.isFinite ? (x.bitPattern &+ 0x1000) & 0xffff_e000 : x.bitPattern
    }
}

/// IEEE 754 binary16 without `Float16`, which Swift lacks on some platforms.
enum Float16Bits {
    /// Rounds to nearest, ties to even.
    static func bits(_ x: Float) -> UInt16 {
        let sign = UInt16(x.bitPattern >> 16 & 0x8000), size = abs(x)
        if size.isNaN { return sign | 0x7e00 }
        if size >= 65520 { return sign | 0x7c00 }
        if size < 0x1p-14 {
            // Subnormal: a multiple of 2^-24
            return sign | UInt16((size * 0x1p24).rounded(.toNearestOrEven))
        }
        let bits = size.bitPattern
        return sign | UInt16(truncatingIfNeeded: (bits &+ 0xfff &+ (bits >> 13 & 1) &- (112 << 23)) >> 13)
    }

    static func value(_ bits: UInt16) -> Float {
        let sign: Float = bits & 0x8000 == 0 ? 1 : -1, exponent = Int(bits >> 10 & 31), fraction = Float(bits & 0x3ff)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
        }
    }
}
