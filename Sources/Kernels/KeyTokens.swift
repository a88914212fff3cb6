import CLRuntime

/// The effect of patching each single key, to first order in z, with the softmax computed anew. See `key_tokens.cl`.
package struct KeyTokens {
    private let kernel: Kernel
    private let items: Int
    private let headDim: Int
    private let hasScoreBias: Bool
    /// Keys per block; a group adds the sums of one block at a time
    private static let keys = 16

    /// - Parameters: as for `Attention`
    package init(_ library: KernelLibrary, headDim: Int, hasScoreBias: Bool = false) throws(CLError) {
        (self.headDim, self.hasScoreBias) = (headDim, hasScoreBias)
        let lanes = library.tuning.attentionLanes
        // On GPUs, a work-group has one work-item for each query of an attention group.
        items = library.tuning.attentionGroup
        kernel = try library.kernel(
            .keyTokens, "key_tokens",
            defines: (hasScoreBias ? ["SCORE_BIAS": 1] : [:]).merging([
                "DH": headDim, "QL": lanes, "ITEMS": items, "KEYS": Self.keys,
            ]) { $1 })
    }

    /// `out[e.out, j, h] = (accumulate ? itself : 0) + weight * sum over queries i of g_i . (z'_i - z_i)`, where z'
    /// uses the source's key j, and the receiver's values for everything else.
    ///
    /// - Parameters:
    ///   - g: the gradient at z; rows e.g
    ///   - q, k, v: slots of a forward pass; the receiver's e.r, the source's keys e.s
    ///   - queries: the number of query tokens, from the first
    ///   - scale: 1 / sqrt(Dh)
    ///   - entries: in `lists`; no two have the same row of `out`
    ///   - out: [*, tokens, heads] from element `outOffset` on
    ///   - bias: [H, T, T], added to the scores if the model has one
    package func callAsFunction(
        g: TokenRows, q: TokenRows, k: TokenRows, v: TokenRows, queries: Int, tokens: Int, heads: Int, scale: Float,
        lists: Buffer<Int32>, entries: Entries<ContractEntry>, weight: Float = 1, accumulate: Bool = false,
        out: Buffer<Float>, outOffset: Int = 0, bias: Buffer<Float>? = nil
    ) throws(CLError) {
        let width = heads * headDim
        try checkScoreBias(bias, isWanted: hasScoreBias, operation: "key_tokens", heads: heads, tokens: tokens)
        guard entries.isWithin(lists), outOffset >= 0, outOffset < out.count,
            [g, q].allSatisfy({ $0.holdsRow(tokens: queries, width: width) }),
            [k, v].allSatisfy({ $0.holdsRow(tokens: tokens, width: width) }), k.buffer === v.buffer
        else {
            throw .shape(
                operation: "key_tokens", expected: "\(queries) queries and \(tokens) keys of \(width)",
                got: "\(q.buffer.count) and \(k.buffer.count) values, entries \(entries)")
        }
        if entries.count == 0 { return }
        try kernel.launch(
            global: [items, heads, entries.count], local: [items, 1, 1],
            [
                "g": g.buffer, "gOffset": g.offset, "gRow": g.rowStride, "gToken": g.tokenStride, "q": q.buffer,
                "qOffset": q.offset, "qRow": q.rowStride, "qToken": q.tokenStride, "queries": queries, "kv": k.buffer,
                "kOffset": k.offset, "kRow": k.rowStride, "kToken": k.tokenStride, "vOffset": v.offset,
                "vRow": v.rowStride, "vToken": v.tokenStride, "T": tokens, "scale": scale, "lists": lists,
                "first": entries.first, "factor": weight, "accumulate": accumulate ? 1 : 0, "out": out,
                "outOffset": outOffset, "scratch": LocalMemory(bytes: items * Self.keys * MemoryLayout<Float>.size),
            ], also: bias.map { ["bias": $0] } ?? [:])
    }
}
