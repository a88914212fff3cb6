import CLRuntime
import Kernels
import Testing

/// Sizes that the backward kernels refuse before anything is launched.
struct BackwardShapeTests {
    @Test func layerNormRefusesWrongSizes() throws {
        let library = try library(), context = library.context, operation = try LayerNormBackward(library)
        let input = try Buffer<Float>(context, count: 40), rows = try Buffer<Int32>(context, [0, 1])
        let weight = try Buffer<Float>(context, count: 5), g = try Buffer<Float>(context, count: 30)
        let short = try Buffer<Float>(context, count: 29)
        func run(
            list: Range<Int> = 0..<2, tokens: Int = 3, gradient: Buffer<Float>? = nil, add: Buffer<Float>? = nil,
            addTokens: Int = 3, out: Buffer<Float>? = nil
        ) throws {
            try operation(
                input: input, rowStride: 20, rows: rows, list: list, tokens: tokens, weight: weight, eps: 1e-6,
                gradient: gradient ?? g, add: add ?? g, addTokens: addTokens, out: out ?? g)
        }
        expectShapeError(context) { try run(list: 1..<3) }
        expectShapeError(context) { try run(tokens: 5) }
        expectShapeError(context) { try run(gradient: short) }
        expectShapeError(context) { try run(add: short) }
        expectShapeError(context) { try run(out: short) }
        expectShapeError(context) { try run(addTokens: 4) }
        expectShapeError(context) { try run(addTokens: -1) }
        try input.fill(1)
        try weight.fill(1)
        try g.fill(1)
        try run(add: short, addTokens: 2)
    }

    @Test func attentionRefusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try AttentionBackward(library, headDim: 5)
        let qkv = try Buffer<Float>(context, count: 120), other = try Buffer<Float>(context, count: 120)
        let z = try Buffer<Float>(context, count: 40), out = try Buffer<Float>(context, count: 120)
        let lists = try Buffer<Int32>(context, [0])
        let statistics = try Buffer<Float>(
            context, count: AttentionBackward.statistics(rows: 1, queries: 4, heads: 2))
        func place(_ part: Int, _ buffer: Buffer<Float>? = nil) -> TokenRows {
            TokenRows(buffer ?? qkv, offset: part * 10, rowStride: 120, tokenStride: 30)
        }
        func run(
            v: TokenRows? = nil, queries: Int = 4, tokens: Int = 4, slots: Range<Int> = 0..<1, heads: Int = 2,
            g: Buffer<Float>? = nil, statistics own: Buffer<Float>? = nil, out to: Buffer<Float>? = nil
        ) throws {
            try operation(
                q: place(0), k: place(1), v: v ?? place(2),
                z: TokenRows(z, rowStride: 40, tokenStride: 10), queries: queries, tokens: tokens, heads: heads,
                scale: 1, lists: lists, slots: slots, g: g ?? z, statistics: own ?? statistics, out: to ?? out)
        }
        expectShapeError(context) { try run(v: place(2, other)) }
        expectShapeError(context) { try run(v: TokenRows(qkv, offset: 20, rowStride: 120, tokenStride: 31)) }
        expectShapeError(context) { try run(tokens: 5) }
        expectShapeError(context) { try run(queries: 5) }
        expectShapeError(context) { try run(queries: 0) }
        expectShapeError(context) { try run(slots: 0..<2) }
        expectShapeError(context) { try run(heads: 3) }
        expectShapeError(context) { try run(g: Buffer(context, count: z.count - 1)) }
        expectShapeError(context) { try run(statistics: Buffer(context, count: statistics.count - 1)) }
        expectShapeError(context) { try run(out: Buffer(context, count: out.count - 1)) }
        for buffer in [qkv, z] { try buffer.fill(0) }
        try run()
    }

    @Test func contractionsRefuseWrongSizes() throws {
        let library = try library(), context = library.context
        let contract = try Contract(library), keys = try KeyTokens(library, headDim: 3)
        let values = try Buffer<Float>(context, count: 24), other = try Buffer<Float>(context, count: 24)
        let out = try Buffer<Float>(context, count: 24), lists = try Buffer<Int32>(context, [7, 0, 0, 0, 0])
        func run(
            summed: Bool = false, offset: Int = 0, tokens: Int = 4, groups: Int = 2, width: Int = 6, first: Int = 1,
            outOffset: Int = 0
        ) throws {
            let rows = TokenRows(values, offset: offset, rowStride: 24, tokenStride: 6)
            let entries = Entries<ContractEntry>(first: first, count: 1)
            if summed {
                try contract.summed(
                    g: rows, s: rows, r: rows, tokens: tokens, groups: groups, width: width, lists: lists,
                    entries: entries, out: out, outOffset: outOffset)
            } else {
                try contract(
                    g: rows, s: rows, r: rows, tokens: tokens, groups: groups, width: width, lists: lists,
                    entries: entries, out: out, outOffset: outOffset)
            }
        }
        expectShapeError(context) { try run(offset: 1) }
        expectShapeError(context) { try run(offset: -1) }
        expectShapeError(context) { try run(tokens: 5) }
        expectShapeError(context) { try run(groups: 4) }
        expectShapeError(context) { try run(groups: 0) }
        expectShapeError(context) { try run(first: 2) }
        expectShapeError(context) { try run(outOffset: 24) }
        expectShapeError(context) { try run(summed: true, tokens: 5) }
        func runKeys(v: Buffer<Float>? = nil, queries: Int = 4, tokens: Int = 4, heads: Int = 2) throws {
            let rows = TokenRows(values, rowStride: 24, tokenStride: 6)
            try keys(
                g: rows, q: rows, k: rows, v: TokenRows(v ?? values, rowStride: 24, tokenStride: 6), queries: queries,
                tokens: tokens, heads: heads, scale: 1, lists: lists, entries: Entries(first: 1, count: 1), out: out)
        }
        expectShapeError(context) { try runKeys(v: other) }
        expectShapeError(context) { try runKeys(queries: 5) }
        expectShapeError(context) { try runKeys(tokens: 5) }
        expectShapeError(context) { try runKeys(heads: 3) }
        try values.fill(1)
        try run()
        try run(summed: true)
        try runKeys()
    }

    @Test func otherKernelsRefuseWrongSizes() throws {
        let library = try library(), context = library.context
        let x = try Buffer<Float>(context, count: 24), lists = try Buffer<Int32>(context, [0, 1, 0])
        let residual = try Residual(library), activation = try ActivationBackward(library)
        let metrics = try MetricGradient(library), pool = try Pool(library)
        expectShapeError(context) {
            try residual.blend(x: x, lists: lists, dst: 2, a: 0, b: 1, count: 2, t: 0.5, rowElements: 8)
        }
        expectShapeError(context) {
            try residual.blend(x: x, lists: lists, dst: 0, a: 0, b: 1, count: 1, t: 0.5, rowElements: 25)
        }
        expectShapeError(context) {
            try residual.difference(
                x: x, rowStride: 8, lists: lists, a: 0, b: 1, count: 2, tokens: 2, width: 4, o: x, position: 2)
        }
        expectShapeError(context) {
            try activation(input: x, lists: lists, slots: 0..<2, elements: 13, activation: .gelu, g: x)
        }
        expectShapeError(context) {
            try activation(input: x, offset: 1, lists: lists, slots: 0..<1, elements: 24, activation: .gelu, g: x)
        }
        expectShapeError(context) {
            try metrics(
                logits: x, classes: 9, lists: lists, rows: 0..<3, images: 0..<3, metrics: 0..<3, targets: x, offset: 0,
                out: x)
        }
        expectShapeError(context) {
            try metrics(
                logits: x, classes: 8, lists: lists, rows: 0..<2, images: 0..<1, metrics: 0..<2, targets: x, offset: 0,
                out: x)
        }
        expectShapeError(context) {
            try pool.backward(
                input: x, stride: 4, count: 2, tokens: 1..<4, width: 4, out: x, outTokens: 3, accumulate: false)
        }
    }
}
