import Testing

@testable import Kernels

/// Weights for tensor cores: how they are split, and where the parts are stored.
@Suite struct SplitPackingTests {
    @Test func halvesRoundToTheNearest() {
        for (value, bits) in [
            (0, 0), (1, 0x3c00), (-2, 0xc000), (65504, 0x7bff), (65519, 0x7bff), (65520, 0x7c00), (1e30, 0x7c00),
            (0x1p-14, 0x0400), (0x1p-24, 1), (0x1p-25, 0), (0x1.8p-24, 2), (1.0009765625, 0x3c01),
            (1.00048828125, 0x3c00), (.infinity, 0x7c00),
        ] as [(Float, UInt16)] {
            #expect(Float16Bits.bits(value) == bits, "\(value)")
        }
        #expect(Float16Bits.value(Float16Bits.bits(.nan)).isNaN)
        // Every non-negative finite half rounds to itself.
        for bits in UInt16(0)..<0x7c00 { #expect(Float16Bits.bits(Float16Bits.value(bits)) == bits) }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            let x = Float.random(in: -70000...70000, using: &random) * Float.random(in: 0...1, using: &random)
            let near = Float16Bits.value(Float16Bits.bits(x))
            if abs(x) < 65504 { #expect(abs(near - x) <= max(abs(x) * 0x1p-11, 0x1p-25)) }
        }
    }

    @Test func bf16RoundsToTheNearest() {
        #expect(SplitPacking.bf16(1) == 0x3f80)
        #expect(SplitPacking.bf16(1.00390625) == 0x3f80)  // halfway to the next: even
        #expect(SplitPacking.bf16(1.01171875) == 0x3f82)
        #expect(SplitPacking.bf16(-.infinity) == 0xff80)
        #expect(Float(bitPattern: UInt32(SplitPacking.bf16(.nan)) << 16).isNaN)
        #expect(SplitPacking.tf32(1) == 0x3f80_0000)
        #expect(SplitPacking.tf32(Float(1).nextUp) == 0x3f80_0000)
    }

    /// The parts of a packed weight add up to the weight, within the precision's error; padding is 0.
    @Test(arguments: Precision.allCases.filter { $0 != .fp32 })
    func partsAddUp(precision: Precision) {
        let packing = SplitPacking(precision), rows = 67, padded = 128, inputs = 45
        let weight = (0..<(rows * inputs)).map { _ in Float.random(in: -3...3) * Float(pow2(Int.random(in: -6...6))) }
        var words = [UInt32](repeating: 0xdead_beef, count: packing.words(rows: padded, inputs: inputs))
        words.withUnsafeMutableBufferPointer {
            packing.pack(weight, rows: rows, paddedRows: padded, inputs: inputs, into: $0)
        }
        let blocks = (inputs + packing.step - 1) / packing.step
        #expect(words.count == padded * blocks * 16)
        /// Half `index` of the 32 in a row's 64 bytes, with the chunks' permutation undone
        func half(_ row: Int, _ block: Int, _ index: Int) -> Float {
            let chunk = (index / 8) ^ (row % 64 / 2 % 4)
            let word = words[((row / 64 * blocks + block) * 64 + row % 64) * 16 + chunk * 4 + index % 8 / 2]
            let bits = UInt16(truncatingIfNeeded: index % 2 == 0 ? word : word >> 16)
            return precision == .fp16 || precision == .fp16x3
                ? Float16Bits.value(bits) : Float(bitPattern: UInt32(bits) << 16)
        }
        for row in 0..<padded {
            for k in 0..<(blocks * packing.step) {
                let block = k / packing.step, at = k % packing.step
                let got: Float
                switch precision {
                case .bf16x3: got = half(row, block, at) + half(row, block, 16 + at)
                case .fp16x3: got = half(row, block, at) + half(row, block, 16 + at) / 2048
                case .tf32, .fp32:
                    let chunk = (at / 4) ^ (row % 64 / 2 % 4)
                    got = Float(
                        bitPattern: words[((row / 64 * blocks + block) * 64 + row % 64) * 16 + chunk * 4 + at % 4])
                case .bf16, .fp16: got = half(row, block, at)
                }
                let wanted = row < rows && k < inputs ? weight[row * inputs + k] : 0
                // fp16's subnormals are 2^-24 apart, and lo is stored times 2^11.
                let spacing = precision == .fp16 ? 0x1p-25 : precision == .fp16x3 ? 0x1p-36 : 0
                #expect(
                    abs(Double(got - wanted)) <= Double(abs(wanted)) * precision.productError + spacing,
                    "row \(row), k \(k)")
            }
        }
    }

    private func pow2(_ exponent: Int) -> Double { Double(sign: .plus, exponent: exponent, significand: 1) }
}
