import CLRuntime
import Testing
import Verification

@testable import Kernels

/// `attention_amx.cl` on the model of tiles, and on the instructions where the CPU has them.
@Suite(.serialized) struct AMXAttentionTests {
    private static let units: [AMX.Units] = AMX.obstacle == nil ? [.model, .amx] : [.model]

    private func tiles(_ precision: Precision, _ units: AMX.Units) throws -> KernelLibrary {
        KernelLibrary(try library().context, precision: precision, tiles: units)
    }

    /// Few widths of heads on the model, which takes seconds to compile for each
    @Test(arguments: AMXGEMM.precisions) func theModelAgreesWithTheReference(precision: Precision) throws {
        try expectPassing(
            [
                .attention(images: 2, heads: 3, headDim: 7, tokens: 37, queries: 37, apart: false, gap: 5),
                .attention(images: 2, heads: 3, headDim: 7, tokens: 37, queries: 37, apart: false, hasBias: true),
                .attention(images: 1, heads: 2, headDim: 64, tokens: 197, queries: 197, apart: false),
                OpCase.attentionPatternCases[0],
            ], on: try tiles(precision, .model))
    }

    /// Several groups of queries and blocks of keys, a width that is no multiple of 32
    @Test(arguments: units) func longRows(units: AMX.Units) throws {
        try expectPassing(
            [.attention(images: 1, heads: 2, headDim: 33, tokens: 321, queries: 321, apart: false, gap: 3, std: 2)],
            on: try tiles(.bf16x3, units))
    }

    @Test(
        .enabled(if: AMX.obstacle == nil, Comment(rawValue: "not run: \(AMX.obstacle ?? "")")),
        arguments: AMXGEMM.precisions)
    func agreesWithTheReference(precision: Precision) throws {
        let wide = [
            OpCase.attention(images: 1, heads: 1, headDim: 128, tokens: 130, queries: 130, apart: false),
            OpCase.attention(images: 1, heads: 1, headDim: 32, tokens: 641, queries: 3, apart: true, hasBias: true),
        ]
        try expectPassing(
            OpCase.attentionCases + OpCase.attentionPatternCases + wide, on: try tiles(precision, .amx))
    }

    /// A query's result does not depend on its place among others, nor on those: a list of queries in another order, and
    /// a query alone.
    @Test(arguments: units) func rowsStandAlone(units: AMX.Units) throws {
        let library = try tiles(.bf16x3, units), context = library.context
        let (tokens, dim) = (331, 24), stride = 3 * dim
        let qkv = try Buffer(context, (0..<(tokens * stride)).map { _ in Float.random(in: -2...2) })
        func rows(_ part: Int, _ first: Int = 0) -> Attention.Rows {
            .init(qkv, offset: first * stride + part * dim, stride: stride)
        }
        let operation = try Attention(library, headDim: dim)
        let z = try Buffer<Float>(context, count: tokens * dim), scale = 1 / Float(dim).squareRoot()
        try operation(
            q: rows(0), queries: tokens, k: rows(1), v: rows(2), tokens: tokens, images: 1, heads: 1, scale: scale, z: z
        )
        let all = try z.read()
        let isFinite = all.allSatisfy { $0.isFinite }
        #expect(isFinite)

        let order = (0..<tokens).shuffled(), again = try Buffer<Float>(context, count: tokens * dim)
        try again.fill(.nan)
        let entry = PatternEntry(from: 0, to: 0, head: 0, tokens: PatternEntry.size, tokenCount: tokens)
        let lists = try Buffer(context, entry.ints + order.map(Int32.init))
        try operation.pattern(
            q: rows(0), queries: tokens, k: rows(1), v: rows(2), tokens: tokens, heads: 1, scale: scale, z: again,
            lists: lists, entries: Entries(first: 0, count: 1, tokens: tokens))
        #expect(try again.read() == all)

        let one = try Buffer<Float>(context, count: dim), query = Int.random(in: 0..<tokens)
        try operation(
            q: rows(0, query), queries: 1, k: rows(1), v: rows(2), tokens: tokens, images: 1, heads: 1, scale: scale,
            z: one)
        #expect(try one.read() == Array(all[(query * dim)..<((query + 1) * dim)]), "query \(query)")
    }

    /// The instructions have the bits of the model.
    @Test(
        .enabled(if: AMX.obstacle == nil, Comment(rawValue: "not run: \(AMX.obstacle ?? "")")),
        arguments: AMXGEMM.precisions)
    func theUnitsDoAsTheModel(precision: Precision) throws {
        let (tokens, heads, dim) = (150, 2, 40)
        let qkv = (0..<(tokens * 3 * heads * dim)).map { _ in Float.random(in: -3...3) }
        let (own, model) = (
            try selfAttention(try tiles(precision, .amx), qkv: qkv, heads: heads, dim: dim, scale: 0.2),
            try selfAttention(try tiles(precision, .model), qkv: qkv, heads: heads, dim: dim, scale: 0.2)
        )
        #expect(own == model)
    }

    @Test(arguments: units) func notANumberReachesEveryQuery(units: AMX.Units) throws {
        try expectNotANumberInEveryQuery(try tiles(.bf16x3, units), tokens: 137, dim: 24)
    }
}
