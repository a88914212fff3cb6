import CLRuntime
import Kernels
import Testing
import Verification

struct AttentionTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.attentionCases, on: try library(tuning))
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try Attention(library, headDim: 5)
        let stride = 30  // H 2, Dh 5
        let qkv = try Buffer<Float>(context, count: 4 * stride), other = try Buffer<Float>(context, count: 4 * stride)
        let z = try Buffer<Float>(context, count: 40), short = try Buffer<Float>(context, count: 39)
        func run(
            q: Int = 0, v: Attention.Rows? = nil, tokens: Int = 4, images: Int = 1, z: Buffer<Float>, zOffset: Int = 0
        ) throws {
            try operation(
                q: .init(qkv, offset: q, stride: stride), queries: tokens, k: .init(qkv, offset: 10, stride: stride),
                v: v ?? .init(qkv, offset: 20, stride: stride), tokens: tokens, images: images, heads: 2, scale: 1,
                z: z,
                zOffset: zOffset)
        }
        expectShapeError(context) { try run(z: short) }
        expectShapeError(context) { try run(q: 21, z: z) }
        expectShapeError(context) { try run(tokens: 5, z: z) }
        expectShapeError(context) { try run(images: 2, z: z) }
        expectShapeError(context) { try run(v: .init(other, offset: 20, stride: stride), z: z) }
        expectShapeError(context) { try run(v: .init(qkv, offset: 20, stride: stride - 1), z: z) }
        expectShapeError(context) { try run(q: -1, z: z) }
        expectShapeError(context) { try run(v: .init(qkv, offset: -20, stride: stride), z: z) }
        expectShapeError(context) { try run(z: z, zOffset: -1) }
        expectShapeError(context) { try run(z: z, zOffset: 1) }
        try run(z: z)
        // A bias where none is expected, none where one is expected, and one of another size
        let bias = try Buffer<Float>(context, count: 32)
        let biased = try Attention(library, headDim: 5, hasScoreBias: true)
        func run(_ operation: Attention, tokens: Int = 4, _ bias: Buffer<Float>?) throws {
            let rows = Attention.Rows(qkv, offset: 0, stride: stride)
            try operation(
                q: rows, queries: tokens, k: rows, v: rows, tokens: tokens, images: 1, heads: 2, scale: 1, z: z,
                bias: bias)
        }
        expectShapeError(context) { try run(operation, bias) }
        expectShapeError(context) { try run(biased, nil) }
        expectShapeError(context) { try run(biased, tokens: 3, bias) }
        try run(biased, bias)
    }

    /// Softmax must not hide a NaN: a weight may underflow to nearly 0, but NaN must reach the output.
    @Test(arguments: tunings) func notANumberReachesEveryQuery(_ tuning: Tuning?) throws {
        try expectNotANumberInEveryQuery(try library(tuning), tokens: 37, dim: 8)
    }

    @Test(arguments: tunings) func patternAgreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.attentionPatternCases, on: try library(tuning))
    }

    @Test func patternRefusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try Attention(library, headDim: 5)
        let stride = 30  // H 2, Dh 5
        let qkv = try Buffer<Float>(context, count: 4 * stride), other = try Buffer<Float>(context, count: 4 * stride)
        let z = try Buffer<Float>(context, count: 40), short = try Buffer<Float>(context, count: 39)
        let lists = try Buffer<Int32>(context, [0, 1, 2, 3, 0, 1, 0, 0, 4])
        func run(
            q: Int = 0, v: Attention.Rows? = nil, tokens: Int = 4, first: Int = 4, count: Int = 1, most: Int = 4,
            z: Buffer<Float>
        ) throws {
            try operation.pattern(
                q: .init(qkv, offset: q, stride: stride), queries: 4, k: .init(qkv, offset: 10, stride: stride),
                v: v ?? .init(qkv, offset: 20, stride: stride), tokens: tokens, heads: 2, scale: 1, z: z, lists: lists,
                entries: Entries(first: first, count: count, tokens: most))
        }
        expectShapeError(context) { try run(first: 5, z: z) }
        expectShapeError(context) { try run(first: -1, z: z) }
        expectShapeError(context) { try run(count: -1, z: z) }
        expectShapeError(context) { try run(q: -1, z: z) }
        expectShapeError(context) { try run(q: 21, z: z) }
        expectShapeError(context) { try run(tokens: 5, z: z) }
        expectShapeError(context) { try run(most: 5, z: z) }
        expectShapeError(context) { try run(z: short) }
        expectShapeError(context) { try run(v: .init(other, offset: 20, stride: stride), z: z) }
        expectShapeError(context) { try run(v: .init(qkv, offset: 20, stride: stride - 1), z: z) }
        try run(count: 0, z: z)
    }
}
