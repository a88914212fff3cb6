import CLRuntime

/// The gradients at attention's q, k and v from the gradient at its output z, without [T, T] scores in memory. See
/// `attention_backward.cl`, and `attention_backward_group.cl` for GPUs.
package struct AttentionBackward {
    private let queriesKernel: Kernel
    private let keysKernel: Kernel
    /// Queries (keys) per work-group, and its work-items
    private let queries: Int, items: Int
    private let headDim: Int
    private let hasScoreBias: Bool

    /// - Parameters: as for `Attention`
    package init(_ library: KernelLibrary, headDim: Int, hasScoreBias: Bool = false) throws(CLError) {
        (self.headDim, self.hasScoreBias) = (headDim, hasScoreBias)
        let bias = hasScoreBias ? ["SCORE_BIAS": 1] : [:]
        let memory = library.context.device.localMemory, most = library.tuning.attentionGroup
        let sizes = [32, 16, 8, 4].filter { $0 <= most }
        if let group = sizes.first(where: { Self.localBytes(headDim: headDim, queries: $0) <= memory }) {
            (queries, items) = (group, group * 2)
            let defines = bias.merging(["DH": headDim, "BQ": group]) { $1 }
            queriesKernel = try library.kernel(
                .attentionBackwardGroup, "attention_backward_queries_group", defines: defines)
            keysKernel = try library.kernel(.attentionBackwardGroup, "attention_backward_keys_group", defines: defines)
        } else {
            let lanes = library.tuning.attentionLanes
            (queries, items) = (lanes, 1)
            let defines = bias.merging(["DH": headDim, "QL": lanes, "KB": lanes > 1 ? 64 : 16]) { $1 }
            queriesKernel = try library.kernel(.attentionBackward, "attention_backward_queries", defines: defines)
            keysKernel = try library.kernel(.attentionBackward, "attention_backward_keys", defines: defines)
        }
    }

    /// Bytes of local memory of a group: two blocks of its own rows, one of the others', weights, and 8 values per row
    private static func localBytes(headDim: Int, queries: Int) -> Int {
        (2 * headDim * queries + 32 * ((headDim + 3) / 4 * 4) + (2 * 32 + 8) * (queries + 4)) * MemoryLayout<Float>.size
    }

    /// Floats of the statistics buffer, 4 per query and head: its largest score, 1 / the sum of its weights, g . z,
    /// unused
    package static func statistics(rows: Int, queries: Int, heads: Int) -> Int { rows * queries * heads * 4 }

    /// - Parameters:
    ///   - q, k, v, z: slots of a forward pass; k and v in one buffer
    ///   - queries: the number of query tokens, from the first
    ///   - scale: 1 / sqrt(Dh)
    ///   - lists, slots: entry `slots.lowerBound + i` of the lists is the slot of row i
    ///   - g: the gradient at z, [slots.count, queries, H * Dh]
    ///   - statistics: room for `statistics(rows:queries:heads:)` floats
    ///   - out: [slots.count, tokens, 3 H Dh], gradients at q, k and v side by side; 0 at q of tokens that are not
    ///     queries
    ///   - bias: [H, T, T], added to the scores if the model has one
    package func callAsFunction(
        q: TokenRows, k: TokenRows, v: TokenRows, z: TokenRows, queries: Int, tokens: Int, heads: Int, scale: Float,
        lists: Buffer<Int32>, slots: Range<Int>, g: Buffer<Float>, statistics: Buffer<Float>, out: Buffer<Float>,
        bias: Buffer<Float>? = nil
    ) throws(CLError) {
        let width = heads * headDim, rows = slots.count
        try checkScoreBias(
            bias, isWanted: hasScoreBias, operation: "attention_backward", heads: heads, tokens: tokens)
        guard slots.lowerBound >= 0, slots.upperBound <= lists.count, 1...max(tokens, 1) ~= queries,
            [q, z].allSatisfy({ $0.holdsRow(tokens: queries, width: width) }),
            [k, v].allSatisfy({ $0.holdsRow(tokens: tokens, width: width) }), k.buffer === v.buffer,
            k.rowStride == v.rowStride, k.tokenStride == v.tokenStride, rows * queries * width <= g.count,
            Self.statistics(rows: rows, queries: queries, heads: heads) <= statistics.count,
            rows * tokens * 3 * width <= out.count
        else {
            throw .shape(
                operation: "attention_backward",
                expected: "\(rows) x \(queries) queries and \(tokens) keys of \(width)",
                got: "\(g.count), \(statistics.count) and \(out.count) values")
        }
        for kernel in [queriesKernel, keysKernel] {
            let groups = (tokens + self.queries - 1) / self.queries
            try kernel.launch(
                global: [groups * items, heads, rows], local: [items, 1, 1],
                [
                    "q": q.buffer, "qOffset": q.offset, "qRow": q.rowStride, "qToken": q.tokenStride,
                    "queries": queries, "kv": k.buffer, "kOffset": k.offset, "vOffset": v.offset, "kvRow": k.rowStride,
                    "kvToken": k.tokenStride, "T": tokens, "z": z.buffer, "zOffset": z.offset, "zRow": z.rowStride,
                    "zToken": z.tokenStride, "scale": scale, "lists": lists, "first": slots.lowerBound, "g": g,
                    "statistics": statistics, "out": out, "width": width,
                ], also: bias.map { ["bias": $0] } ?? [:])
        }
    }
}
