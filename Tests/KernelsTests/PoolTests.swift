import CLRuntime
import Kernels
import Testing
import Verification

struct PoolTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.poolCases, on: try library(tuning))
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let input = try Buffer(context, [Float](repeating: 1, count: 24)), out = try Buffer<Float>(context, count: 8)
        let pool = try Pool(library)
        #expect(throws: CLError.self) {
            try pool(input: input, rowStride: 12, rows: nil, list: 0..<2, tokens: 1..<4, width: 4, out: out, stride: 4)
        }
        #expect(throws: CLError.self) {
            try pool(
                input: input, rowStride: 12, rows: nil, list: 0..<2, tokens: 0..<3, width: 4, out: out, offset: 1,
                stride: 4)
        }
    }
}
