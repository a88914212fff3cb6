import CLRuntime
import Kernels
import Testing
import Verification

struct EmbedTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.embedCases, on: try library(tuning))
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try Embed(library)
        let pixels = try Buffer<Float>(context, count: 2 * 3 * 36), small = try Buffer<Float>(context, count: 107)
        func patches(_ images: Range<Int>, out: Buffer<Float>) throws {
            try operation.patches(pixels: pixels, images: images, channels: 3, image: (6, 6), patch: (2, 2), out: out)
        }
        expectShapeError(context) { try patches(1..<3, out: pixels) }
        expectShapeError(context) { try patches(0..<1, out: small) }

        let cls = try Buffer<Float>(context, count: 3), position = try Buffer<Float>(context, count: 12)
        let e = try Buffer<Float>(context, count: 18), x = try Buffer<Float>(context, count: 24)
        func join(position: Buffer<Float>, first: Int = 0, count: Int = 2) throws {
            try operation.join(e: e, prefix: cls, position: position, tokens: 4, first: first, count: count, x: x)
        }
        expectShapeError(context) { try join(position: e) }
        expectShapeError(context) { try join(position: position, first: 1) }
        expectShapeError(context) { try join(position: position, count: 3) }
        try join(position: position)
    }
}
