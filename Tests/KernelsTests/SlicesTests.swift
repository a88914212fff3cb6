import CLRuntime
import Kernels
import Testing
import Verification

struct SlicesTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.slicesCases, on: try library(tuning))
    }

    @Test func refusesEntriesOutsideTheirBuffer() throws {
        let library = try library(), context = library.context
        let operation = try Slices(library)
        let buffer = try Buffer<Float>(context, count: 30)
        let lists = try Buffer<Int32>(context, [0, 1, 1, 0, 0, 5, 0, 2])
        func run(offset: Int = 0, slotStride: Int = 10, tokenStride: Int = 5, first: Int = 2, count: Int = 1) throws {
            try operation(
                buffer: buffer, offset: offset, slotStride: slotStride, tokenStride: tokenStride, lists: lists,
                entries: Entries(first: first, count: count, tokens: 2))
        }
        expectShapeError(context) { try run(first: 3) }
        expectShapeError(context) { try run(first: -1) }
        expectShapeError(context) { try run(count: 2) }
        expectShapeError(context) { try run(count: -1) }
        expectShapeError(context) { try run(offset: -1) }
        expectShapeError(context) { try run(offset: 30) }
        expectShapeError(context) { try run(slotStride: -10) }
        expectShapeError(context) { try run(tokenStride: -5) }
        try run()
        let launches = context.counters.launches
        try run(count: 0)
        #expect(context.counters.launches == launches)
    }
}
