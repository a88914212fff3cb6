import CLRuntime
import Kernels
import Testing
import Verification

struct LayerNormTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.layerNormCases, on: try library(tuning))
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try LayerNorm(library)
        let input = try Buffer<Float>(context, count: 40), rows = try Buffer<Int32>(context, [0, 1])
        let weight = try Buffer<Float>(context, count: 5), short = try Buffer<Float>(context, count: 4)
        let out = try Buffer<Float>(context, count: 39)
        func run(list: Range<Int> = 0..<2, tokens: Int = 3, rowStride: Int = 20, bias: Buffer<Float>? = nil) throws {
            try operation(
                input: input, rowStride: rowStride, rows: rows, list: list, tokens: tokens, weight: weight,
                bias: bias ?? weight,
                eps: 1e-6, out: out)
        }
        expectShapeError(context) { try run(bias: short) }
        expectShapeError(context) { try run(list: 1..<3) }
        expectShapeError(context) { try run(list: -1..<1) }
        expectShapeError(context) { try run(tokens: 4) }
        expectShapeError(context) { try run(rowStride: 14) }
        expectShapeError(context) { try run(rowStride: -20) }
        try run()
    }

    @Test func anEmptyListLaunchesNothing() throws {
        let library = try library(), context = library.context
        let values = try Buffer<Float>(context, count: 5), rows = try Buffer<Int32>(context, [0])
        let before = context.counters.launches
        try LayerNorm(library)(
            input: values, rowStride: 5, rows: rows, list: 1..<1, tokens: 1, weight: values, bias: values, eps: 1e-6,
            out: values)
        #expect(context.counters.launches == before)
    }

    @Test func headsAndRowsAreChecked() throws {
        let library = try library(), context = library.context
        let x = try Buffer<Float>(context, count: 40), weight = try Buffer<Float>(context, count: 5)
        let short = try Buffer<Float>(context, count: 4)
        let heads = try LayerNormHeads(library)
        expectShapeError(context) {
            try heads(x: x, offset: 0, stride: 10, rows: 4, heads: 2, weight: weight, bias: short, eps: 1e-6)
        }
        expectShapeError(context) {
            try heads(x: x, offset: 1, stride: 10, rows: 4, heads: 2, weight: weight, bias: weight, eps: 1e-6)
        }
        expectShapeError(context) {
            try heads(x: x, offset: 0, stride: 9, rows: 1, heads: 2, weight: weight, bias: weight, eps: 1e-6)
        }
        expectShapeError(context) { try NormalizeRows(library)(x: x, offset: 1, rows: 4, width: 10) }
    }
}
