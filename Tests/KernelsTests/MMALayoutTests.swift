import CMMALayout
import Testing

@testable import Kernels

/// The index arithmetic of `gemm_mma.cl` (kernels/mma_layout.cl, compiled as C) on a model of a warp: ldmatrix and
/// mma.sync, with operands laid out as in the PTX ISA ("Warp-level matrix instructions").
@Suite struct MMALayoutTests {
    /// `ldmatrix.x4`: lanes 8 i ... 8 i + 7 give the addresses of matrix i's rows of 16 bytes; lane l gets word l % 4
    /// of row l / 4 of each matrix.
    private func loadMatrices(_ memory: [UInt32], _ address: (Int) -> Int) -> [[UInt32]] {
        (0..<32).map { lane in
            (0..<4).map { matrix in memory[address(8 * matrix + lane / 4) / 4 + lane % 4] }
        }
    }

    /// `mma.sync`: c [16, 8] += a [16, k] b [k, 8] over the registers of 32 lanes; m16n8k16, or m16n8k8 for tf32.
    private func multiply(
        _ c: inout [[Double]], _ a: [[UInt32]], _ b: [[UInt32]], _ precision: Precision
    ) {
        let isTF32 = precision == .tf32, depth = isTF32 ? 8 : 16
        var left = [[Double]](repeating: [Double](repeating: 0, count: depth), count: 16)
        var right = [[Double]](repeating: [Double](repeating: 0, count: 8), count: depth)
        func value(_ word: UInt32, _ half: Int) -> Double {
            if isTF32 { return Double(Float(bitPattern: word)) }
            let bits = UInt16(truncatingIfNeeded: half == 0 ? word : word >> 16)
            return precision == .fp16 || precision == .fp16x3
                ? Double(Float16Bits.value(bits)) : Double(Float(bitPattern: UInt32(bits) << 16))
        }
        for lane in 0..<32 {
            let (group, inGroup) = (lane / 4, lane % 4)
            for half in 0..<(isTF32 ? 1 : 2) {
                let own = isTF32 ? inGroup : inGroup * 2 + half, next = isTF32 ? 4 : 8
                for register in 0..<4 {
                    left[group + register % 2 * 8][own + register / 2 * next] = value(a[lane][register], half)
                }
                for register in 0..<2 { right[own + register * next][group] = value(b[lane][register], half) }
            }
        }
        for lane in 0..<32 {
            for e in 0..<4 {
                let row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2
                c[lane][e] += (0..<depth).reduce(0) { $0 + left[row][$1] * right[$1][column] }
            }
        }
    }

    /// Splits a whole number in two parts: rounded to the precision, and the remainder.
    private func parts(_ x: Float, _ precision: Precision) -> (high: UInt16, low: UInt16) {
        if precision == .fp16 || precision == .fp16x3 {
            let high = Float16Bits.bits(x)
            return (high, Float16Bits.bits((x - Float16Bits.value(high)) * 2048))
        }
        let high = SplitPacking.bf16(x)
        return (high, SplitPacking.bf16(x - Float(bitPattern: UInt32(high) << 16)))
    }

    /// Block `block` of a [rows, k], as `put` of gemm_mma.cl stores it
    private func stored(_ a: [Float], _ rows: Int, _ k: Int, _ block: Int, _ precision: Precision) -> [UInt32] {
        let step = SplitPacking(precision).step
        var memory = [UInt32](repeating: 0, count: rows * 16)
        for row in 0..<rows {
            for quad in 0..<(step / 4) {
                let x = (0..<4).map { a[row * k + block * step + quad * 4 + $0] }
                func place(_ chunk: Int) -> Int { row * 16 + Int(mma_chunk_place(Int32(row), Int32(chunk))) * 4 }
                if precision == .tf32 {
                    for i in 0..<4 { memory[place(quad) + i] = SplitPacking.tf32(x[i]) }
                    continue
                }
                let halves = x.map { parts($0, precision) }
                for word in 0..<2 {
                    let (low, high) = (halves[2 * word], halves[2 * word + 1])
                    memory[place(quad / 2) + quad % 2 * 2 + word] = UInt32(low.high) | UInt32(high.high) << 16
                    if precision == .bf16x3 || precision == .fp16x3 {
                        memory[place(2 + quad / 2) + quad % 2 * 2 + word] = UInt32(low.low) | UInt32(high.low) << 16
                    }
                }
            }
        }
        return memory
    }

    /// One work-group of four warps, 64 x 64 outputs, 32 x 32 per warp, over two blocks of K, with weights packed by
    /// SplitPacking: every output is the sum of its products.
    @Test(arguments: Precision.allCases.filter { $0 != .fp32 })
    func aGroupOfWarps(precision: Precision) {
        let packing = SplitPacking(precision), (m, n, k) = (64, 64, 2 * packing.step)
        let isSplit = precision == .bf16x3 || precision == .fp16x3
        // Exact in one or in two parts
        let most: ClosedRange<Float> = isSplit ? -1000...1000 : -100...100
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: most).rounded() } }
        let a = numbers(m * k), weight = numbers(n * k)
        var words = [UInt32](repeating: 0, count: packing.words(rows: n, inputs: k))
        words.withUnsafeMutableBufferPointer {
            packing.pack(weight, rows: n, paddedRows: n, inputs: k, into: $0)
        }
        var out = [Double](repeating: .nan, count: m * n)
        for warp in 0..<4 {
            let (warpM, warpN) = (warp / 2 * 32, warp % 2 * 32)
            var sums = [[[[Double]]]](
                repeating: [[[Double]]](
                    repeating: [[Double]](repeating: [0, 0, 0, 0], count: 32), count: 4), count: 2)
            var low = sums
            for block in 0..<2 {
                let left = stored(a, m, k, block, precision)
                let right = Array(words[(block * 1024)..<((block + 1) * 1024)])
                let b = (0..<2).map { pair in
                    (0..<2).map { j in
                        loadMatrices(right) { (warpN + j * 16) * 64 + Int(mma_w_offset(Int32($0), Int32(pair))) }
                    }
                }
                for i in 0..<2 {
                    let f = (0..<2).map { pair in
                        loadMatrices(left) { (warpM + i * 16) * 64 + Int(mma_a_offset(Int32($0), Int32(pair))) }
                    }
                    for j in 0..<4 {
                        let of = (0..<2).map { pair in b[pair][j / 2].map { Array($0[(j % 2 * 2)...]) } }
                        if isSplit {
                            multiply(&low[i][j], f[0], of[1], precision)
                            multiply(&low[i][j], f[1], of[0], precision)
                            multiply(&sums[i][j], f[0], of[0], precision)
                        } else {
                            multiply(&sums[i][j], f[0], of[0], precision)
                            multiply(&sums[i][j], f[1], of[1], precision)
                        }
                    }
                }
            }
            for (i, j, lane, e) in (0..<2).flatMap({ i in
                (0..<4).flatMap { j in (0..<32).flatMap { lane in (0..<4).map { (i, j, lane, $0) } } }
            }) {
                let row = warpM + i * 16 + Int(mma_sum_row(Int32(lane), Int32(e)))
                let column = warpN + j * 8 + Int(mma_sum_column(Int32(lane), Int32(e)))
                out[row * n + column] =
                    sums[i][j][lane][e] + low[i][j][lane][e] / (precision == .fp16x3 ? 2048 : 1)
            }
        }
        func low(_ x: Float) -> Double {
            guard isSplit else { return 0 }
            let part = parts(x, precision).low
            return precision == .fp16x3
                ? Double(Float16Bits.value(part)) / 2048 : Double(Float(bitPattern: UInt32(part) << 16))
        }
        var wrong: [String] = []
        for row in 0..<m {
            for column in 0..<n {
                // Without the product of both low parts, which the kernel leaves out
                let expected = (0..<k).reduce(0.0) {
                    let (x, y) = (a[row * k + $1], weight[column * k + $1])
                    return $0 + Double(x) * Double(y) - low(x) * low(y)
                }
                if out[row * n + column] != expected { wrong.append("\(row), \(column)") }
            }
        }
        #expect(wrong == [])
    }

    /// The eight rows of each matrix that an ldmatrix loads lie in different banks of 16 bytes.
    @Test func noTwoRowsShareABank() {
        for offset in [mma_a_offset, mma_w_offset] {
            for pair in 0..<Int32(2) {
                for matrix in 0..<4 {
                    let banks = (0..<8).map { offset(Int32(matrix * 8 + $0), pair) / 16 % 8 }
                    #expect(Set(banks).count == 8, "\(banks)")
                }
            }
        }
    }
}
