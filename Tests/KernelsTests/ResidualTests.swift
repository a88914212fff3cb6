import CLRuntime
import Kernels
import Testing
import Verification

struct ResidualTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.residualCases, on: try library(tuning))
    }

    @Test func refusesListsOutsideTheirBuffer() throws {
        let library = try library(), context = library.context
        let operation = try Residual(library)
        let x = try Buffer<Float>(context, count: 30), lists = try Buffer<Int32>(context, [0, 1, 2])
        func add(dst: Int = 0, base: Int = 0, src: Int = 0) throws {
            try operation.add(
                x: x, rowStride: 10, o: x, lists: lists, dst: dst, base: base, src: src, count: 2, tokens: 2, width: 5)
        }
        expectShapeError(context) { try add(dst: 2) }
        expectShapeError(context) { try add(base: 2) }
        expectShapeError(context) { try add(src: -1) }
        expectShapeError(context) {
            try operation.copy(x: x, rowStride: 10, lists: lists, dst: 0, src: 2, count: 2, tokens: 2, width: 5)
        }
    }
}
