import CLRuntime
import Kernels
import Testing
import Verification

struct ActivationTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.biasActivationCases, on: try library(tuning))
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try BiasActivation(library)
        let out = try Buffer<Float>(context, count: 20), bias = try Buffer<Float>(context, count: 5)
        func run(offset: Int = 0, stride: Int = 5, rows: Int = 4, width: Int = 5) throws {
            try operation(
                out: out, offset: offset, stride: stride, rows: rows, width: width, bias: bias, activation: .gelu)
        }
        expectShapeError(context) { try run(rows: 5) }
        expectShapeError(context) { try run(offset: 1) }
        expectShapeError(context) { try run(offset: -1) }
        expectShapeError(context) { try run(stride: 6) }
        expectShapeError(context) { try run(stride: 4) }
        expectShapeError(context) { try run(width: 4) }
        try run()
    }
}
