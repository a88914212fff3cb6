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

    @Test func refusesRowsAndOutputsThatAreTooShort() throws {
        let library = try library(), context = library.context
        let operation = try Residual(library)
        let x = try Buffer<Float>(context, count: 30), lists = try Buffer<Int32>(context, [0, 1, 2])
        let o = try Buffer<Float>(context, count: 9)
        func add(x: Buffer<Float>, rowStride: Int = 10, o: Buffer<Float>, tokens: Int = 2, count: Int = 1) throws {
            try operation.add(
                x: x, rowStride: rowStride, o: o, lists: lists, dst: 0, base: 0, src: 0, count: count, tokens: tokens,
                width: 5)
        }
        func copy(rowStride: Int = 10, tokens: Int = 2) throws {
            try operation.copy(
                x: x, rowStride: rowStride, lists: lists, dst: 0, src: 0, count: 1, tokens: tokens, width: 5)
        }
        expectShapeError(context) { try add(x: x, o: o) }
        expectShapeError(context) { try add(x: o, o: x) }
        expectShapeError(context) { try add(x: x, rowStride: 9, o: x) }
        expectShapeError(context) { try add(x: x, o: x, tokens: 3) }
        expectShapeError(context) { try add(x: x, o: x, count: -1) }
        expectShapeError(context) { try copy(rowStride: 9) }
        expectShapeError(context) { try copy(tokens: 3) }
        try add(x: x, o: x)
        try copy()
    }
}
