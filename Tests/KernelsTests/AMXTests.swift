import CAMX
import CLRuntime
import Foundation
import Reference
import Testing
import Verification

@testable import Kernels

/// `gemm_amx.cl` on the tile model in `amx.cl`, which runs on any device; GEMMTests covers it among the providers.
@Suite(.serialized) struct AMXTests {
    /// Packed tiles hold the weight: pair p of column n of a tile is at word 16 p + n; zeros beyond the weight.
    @Test(arguments: AMXGEMM.precisions) func packsTiles(precision: Precision) {
        let packing = AMXPacking(precision), (n, k) = (37, 67), (panels, steps, parts) = (2, 3, packing.parts)
        let weight = (0..<(n * k)).map { _ in Float.random(in: -3...3) }
        let words = packed(weight, n, k, precision)
        #expect(words.count == panels * steps * parts * 2 * 256)
        var wrong: [String] = []
        for column in 0..<(panels * 32) {
            for row in 0..<(steps * 32) {
                func part(_ index: Int) -> Float {
                    let tile = ((column / 32 * steps + row / 32) * parts + index) * 2 + column % 32 / 16
                    let word = words[tile * 256 + row % 32 / 2 * 16 + column % 16]
                    return Float(bitPattern: row % 2 == 0 ? word << 16 : word & 0xffff_0000)
                }
                let x = column < n && row < k ? weight[column * k + row] : 0
                let isRight =
                    part(0) == rounded(x) && (parts == 1 || part(1) == rounded(x - rounded(x)))
                if !isRight { wrong.append("column \(column), k \(row)") }
            }
        }
        #expect(wrong == [])
    }

    /// With two parts, hi is finite and lo holds the remainder, infinity too.
    @Test func splitsWhatIsBeyondBF16() {
        let packing = AMXPacking(.bf16x3), largest = Float.greatestFiniteMagnitude
        func parts(_ x: Float) -> (Float, Float) {
            let (high, low) = packing.split(x)
            return (Float(bitPattern: UInt32(high) << 16), Float(bitPattern: UInt32(low) << 16))
        }
        for sign in [Float(1), -1] {
            let (high, low) = parts(sign * largest)
            #expect(high == sign * 0x1.fep127)
            let sum = Double(high) + Double(low)
            #expect(abs(sum - Double(sign * largest)) <= Double(largest) * Precision.bf16x3.productError)
            #expect(parts(sign * .infinity) == (sign * 0x1.fep127, sign * .infinity))
        }
        #expect(parts(.nan).0.isNaN)
        #expect(AMXPacking(.bf16).split(.infinity).high == 0x7f80)
    }

    /// A product in the order of Intel's manual ("TDPBF16PS"), written a second time here over the packed weight: the
    /// same bits, over several strips, panels and blocks of K.
    @Test(arguments: AMXGEMM.precisions) func hasTheBitsOfTheTiles(precision: Precision) throws {
        let (m, n, k) = (35, 165, 801)
        let a = wide(m * k), weight = wide(n * k), bias = (0..<n).map { _ in Float.random(in: -1...1) }
        let result = try run(a, weight, bias, m, n, k, precision)
        let parts = AMXPacking(precision).parts, words = packed(weight, n, k, precision), steps = (k + 31) / 32
        let pairs = parts == 2 ? [(0, 1), (0, 0), (1, 0)] : [(0, 0)]
        let left = a.map { x -> [Float] in
            let high = rounded(flushed(x))
            return [high, rounded(flushed(x - high))]
        }
        var wrong: [String] = []
        for row in [0, 15, 16, 31, 32, 34] {
            for column in 0..<n {
                var sum: Float = 0
                for step in 0..<steps {
                    for (mine, other) in pairs {
                        var chains: [Float] = [0, 0]
                        for i in 0..<32 where step * 32 + i < k {
                            let tile = ((column / 32 * steps + step) * parts + other) * 2 + column % 32 / 16
                            let word = words[tile * 256 + i / 2 * 16 + column % 16]
                            let w = Float(bitPattern: i % 2 == 0 ? word << 16 : word & 0xffff_0000)
                            let x = left[row * k + step * 32 + i][mine]
                            chains[i % 2] = flushed(chains[i % 2].addingProduct(x, flushed(w)))
                        }
                        sum = flushed(sum + flushed(chains[0] + chains[1]))
                    }
                }
                if result[row * n + column] != sum + bias[column] { wrong.append("\(row), \(column)") }
            }
        }
        #expect(wrong == [])
    }

    /// Numbers of all magnitudes from subnormals to 1e30, and rows that cancel. Parts and sums below 2^-126 count as 0;
    /// the tolerance allows for that besides the split's error.
    @Test(arguments: AMXGEMM.precisions) func holdsOverAWideRange(precision: Precision) throws {
        let (m, n, k) = (33, 37, 99)
        var a = wide(m * k), weight = wide(n * k)
        for row in 0..<m {
            for at in 0..<k {
                switch row % 4 {
                case 0: a[row * k + at] = .random(in: -1...1) * 1e30
                case 1: a[row * k + at] = .random(in: -1...1) * 1e-38  // subnormals
                default: break
                }
            }
        }
        // Rows 3, 7 ... cancel: pairs of a number and its negative, with the same weight.
        for at in stride(from: 0, to: k - 1, by: 2) {
            for row in stride(from: 3, to: m, by: 4) { a[row * k + at + 1] = -a[row * k + at] }
            for column in 0..<n { weight[column * k + at + 1] = weight[column * k + at] }
        }
        let result = try run(a, weight, [Float](repeating: 0, count: n), m, n, k, precision)
        var wrong: [String] = []
        for row in 0..<m {
            for column in 0..<n {
                var sum = 0.0, size = 0.0, lost = 8 * Double(k + 32) * 0x1p-126
                for at in 0..<k {
                    let (x, w) = (Double(a[row * k + at]), Double(weight[column * k + at]))
                    sum += x * w
                    size += abs(x * w)
                    lost += (abs(x) + abs(w)) * 0x1p-126
                }
                let tolerance = size * (precision.productError + Double(k + 20) * 0x1p-24) + lost
                let error = abs(Double(result[row * n + column]) - sum)
                if !(error <= tolerance) { wrong.append("\(row), \(column): \(error) above \(tolerance)") }
            }
        }
        #expect(wrong == [])
    }

    /// Infinities, and inputs beyond bf16's range, give the same results as fp32.
    @Test func infinitiesStayWhatTheyAre() throws {
        let largest = Float.greatestFiniteMagnitude
        let a: [Float] = [.infinity, 1, -.infinity, 1, .nan, 1, largest, 1, .infinity, 0, 1, 2]
        let weight: [Float] = [0.5, 3, -0.375, 0.3, 0, 1]
        let result = try run(a, weight, [0, 0, 0], 6, 3, 2, .bf16x3)
        for row in 0..<6 {
            for column in 0..<3 {
                let exact = a[row * 2] * weight[column * 2] + a[row * 2 + 1] * weight[column * 2 + 1]
                let got = result[row * 3 + column]
                if exact.isFinite {
                    #expect(abs(got - exact) <= abs(exact) * 1e-4, "row \(row), column \(column): \(got)")
                } else {
                    #expect(exact.isNaN ? got.isNaN : got == exact, "row \(row), column \(column): \(got), \(exact)")
                }
            }
        }
    }

    /// The conversion instruction against its model
    @Test(.enabled(if: vitpatch_has_avx512_bf16() != 0, "the CPU has no AVX512-BF16"), arguments: AMXGEMM.precisions)
    func convertsAsTheModel(precision: Precision) throws {
        let (m, n, k) = (33, 40, 70)
        var a = wide(m * k)
        let tiny = Float.leastNormalMagnitude / 8
        a.replaceSubrange(0..<8, with: [.infinity, -.infinity, 0, -0.0, tiny, -3 * tiny, 0x1.fep127, 0x1.ffp127])
        let weight = wide(n * k), bias = [Float](repeating: 0, count: n)
        let model = try run(a, weight, bias, m, n, k, precision)
        let own = try run(a, weight, bias, m, n, k, precision, units: .modelTiles)
        // NaN payloads differ.
        func bits(_ x: Float) -> UInt32 { x.isNaN ? 0x7fc0_0000 : x.bitPattern }
        #expect(model.map(bits) == own.map(bits))
    }

    /// The instructions themselves: GEMMTests' checks of a provider, and the model's bits.
    @Test(
        .enabled(if: AMX.obstacle == nil, Comment(rawValue: "not run: \(AMX.obstacle ?? "")")),
        arguments: AMXGEMM.precisions)
    func theUnitsDoAsTheModel(precision: Precision) throws {
        let library = try library(), seed = freshSeed()
        let gemm = try AMXGEMM(library, precision: precision)
        try expectPassing(OpCase.gemmCases(gemm), on: library)
        #expect(try rowsAlone(gemm, library, seed: seed).passed)
        for result in try residualChecks(gemm, library, seed: seed) { #expect(result.passed, "\(result.detail)") }
        let (m, n, k) = (35, 165, 801)
        let a = wide(m * k), weight = wide(n * k), bias = wide(n)
        let model = try run(a, weight, bias, m, n, k, precision)
        #expect(try run(a, weight, bias, m, n, k, precision, units: .amx) == model)
        #expect(Precision.available(on: library.context.device) == [.fp32, .bf16x3, .bf16])
    }

    @Test(.enabled(if: AMX.obstacle != nil, "this CPU has AMX"))
    func isRefusedWithoutUnits() throws {
        let library = try library(), device = library.context.device
        #expect(!AMX.isUsable(on: device))
        for precision in AMXGEMM.precisions {
            expectShapeError(library.context) { _ = try AMXGEMM(library, precision: precision) }
        }
        if device.isCPU { #expect(Precision.available(on: device) == [.fp32]) }
    }

    @Test func refusesOtherPrecisions() throws {
        let library = try library()
        for precision in [Precision.fp32, .fp16, .fp16x3, .tf32] {
            expectShapeError(library.context) { _ = try AMXGEMM(library, precision: precision, units: .model) }
        }
    }

    private func packed(_ weight: [Float], _ n: Int, _ k: Int, _ precision: Precision) -> [UInt32] {
        let packing = AMXPacking(precision)
        var words = [UInt32](repeating: 0xdead_beef, count: packing.words(outputs: n, inputs: k))
        words.withUnsafeMutableBufferPointer { packing.pack(weight, outputs: n, inputs: k, into: $0) }
        return words
    }

    /// a weight^T + bias; one strip and four panels per task
    private func run(
        _ a: [Float], _ weight: [Float], _ bias: [Float], _ m: Int, _ n: Int, _ k: Int, _ precision: Precision,
        units: AMX.Units = .model
    ) throws -> [Float] {
        let library = try library()
        let gemm = try AMXGEMM(library, precision: precision, units: units, most: 1)
        let prepared = try gemm.prepare(weight: weight, bias: bias, outputs: n, inputs: k)
        let out = try Buffer<Float>(library.context, count: m * n)
        try gemm(
            a: Matrix(try Buffer(library.context, a), stride: k), weight: prepared, rows: m, activation: .none,
            out: Matrix(out, stride: n))
        return try out.read()
    }

    /// Numbers of magnitudes from 2^-60 to 2^20
    private func wide(_ count: Int) -> [Float] {
        (0..<count).map { _ in
            Float(
                sign: Bool.random() ? .plus : .minus, exponent: .random(in: -60...20), significand: .random(in: 1..<2))
        }
    }

    private func rounded(_ x: Float) -> Float { Float(bitPattern: UInt32(SplitPacking.bf16(x)) << 16) }
    private func flushed(_ x: Float) -> Float { abs(x) < 0x1p-126 ? (x.sign == .minus ? -0.0 : 0) : x }
}
