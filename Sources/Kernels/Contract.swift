import CLRuntime

/// Rows of tokens in a buffer: row r, token t, column c at offset + r * rowStride + t * tokenStride + c.
package struct TokenRows {
    package var buffer: Buffer<Float>
    package var offset: Int, rowStride: Int, tokenStride: Int

    package init(_ buffer: Buffer<Float>, offset: Int = 0, rowStride: Int, tokenStride: Int) {
        (self.buffer, self.offset) = (buffer, offset)
        (self.rowStride, self.tokenStride) = (rowStride, tokenStride)
    }

    /// Whether row 0 lies within the buffer; the row numbers are in lists on the device.
    func holdsRow(tokens: Int, width: Int) -> Bool {
        offset >= 0 && rowStride >= 0 && tokenStride >= 0 && tokens > 0 && width > 0
            && offset + (tokens - 1) * tokenStride + width <= buffer.count
    }
}

/// One contraction: the rows of the gradient, the source's activation, the receiver's activation and the result.
package struct ContractEntry: ListEntry {
    package var g: Int, s: Int, r: Int, out: Int

    package init(g: Int, s: Int, r: Int, out: Int) { (self.g, self.s, self.r, self.out) = (g, s, r, out) }

    package var ints: [Int32] { [Int32(g), Int32(s), Int32(r), Int32(out)] }
    package static let size = 4
}

/// Gradients times differences of activations, summed over groups of columns: the first-order effect of a patch. See
/// `contract.cl`.
package struct Contract {
    private let tokensKernel: Kernel
    private let summedKernel: Kernel
    private let group: Int, vector: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.contract, "contract", "contract_summed")
        (tokensKernel, summedKernel) = (kernels[0], kernels[1])
        (self.group, vector) = (group, library.tuning.vector)
    }

    /// `out[e.out, t, group] = (accumulate ? itself : 0) + weight * sum over the group's columns of g (s - r)`
    ///
    /// - Parameters:
    ///   - g, s, r: gradient, and the source's and the receiver's activation
    ///   - tokens: the number of tokens used of each row, from the first
    ///   - width: columns of all groups together; groups have equal widths
    ///   - entries: in `lists`; no two have the same row of `out`
    ///   - out: [*, tokens, groups] from element `outOffset` on
    package func callAsFunction(
        g: TokenRows, s: TokenRows, r: TokenRows, tokens: Int, groups: Int, width: Int, lists: Buffer<Int32>,
        entries: Entries<ContractEntry>, weight: Float = 1, accumulate: Bool = false, out: Buffer<Float>,
        outOffset: Int = 0
    ) throws(CLError) {
        try launch(
            tokensKernel, [tokens, entries.count], g, s, r, tokens, groups, width, lists, entries, weight, accumulate,
            out, outOffset)
    }

    /// The same, summed over the tokens too: `out[e.out, group]`.
    /// - Parameter out: [*, groups] from element `outOffset` on
    package func summed(
        g: TokenRows, s: TokenRows, r: TokenRows, tokens: Int, groups: Int, width: Int, lists: Buffer<Int32>,
        entries: Entries<ContractEntry>, weight: Float = 1, accumulate: Bool = false, out: Buffer<Float>,
        outOffset: Int = 0
    ) throws(CLError) {
        // Single-column groups are processed in vectors; a wider group is shared by several work-items.
        let most = width == groups ? group * vector : group / share(width / max(groups, 1))
        try launch(
            summedKernel, [(groups + most - 1) / most, entries.count], g, s, r, tokens, groups, width, lists, entries,
            weight, accumulate, out, outOffset)
    }

    /// Work-items that share one group of columns: a power of two, at most one per vector of the group.
    private func share(_ width: Int) -> Int {
        var items = 1
        while items * 2 <= group, items * 2 * vector <= width { items *= 2 }
        return items
    }

    private func launch(
        _ kernel: Kernel, _ range: [Int], _ g: TokenRows, _ s: TokenRows, _ r: TokenRows, _ tokens: Int, _ groups: Int,
        _ width: Int, _ lists: Buffer<Int32>, _ entries: Entries<ContractEntry>, _ weight: Float, _ accumulate: Bool,
        _ out: Buffer<Float>, _ outOffset: Int
    ) throws(CLError) {
        guard groups > 0, width % groups == 0, entries.isWithin(lists), outOffset >= 0, outOffset < out.count,
            [g, s, r].allSatisfy({ $0.holdsRow(tokens: tokens, width: width) })
        else {
            throw .shape(
                operation: "contract", expected: "\(groups) groups of one width in rows of \(tokens) x \(width)",
                got: "\(g.buffer.count), \(s.buffer.count) and \(r.buffer.count) values, entries \(entries)")
        }
        if entries.count == 0 { return }
        try kernel.launch(
            global: [group] + range, local: [group, 1, 1],
            [
                "g": g.buffer, "gOffset": g.offset, "gRow": g.rowStride, "gToken": g.tokenStride, "s": s.buffer,
                "sOffset": s.offset, "sRow": s.rowStride, "sToken": s.tokenStride, "r": r.buffer, "rOffset": r.offset,
                "rRow": r.rowStride, "rToken": r.tokenStride, "tokens": tokens, "groups": groups,
                "width": width / groups, "share": share(width / groups), "lists": lists, "first": entries.first,
                "weight": weight, "accumulate": accumulate ? 1 : 0, "out": out, "outOffset": outOffset,
                "scratch": LocalMemory(bytes: group * MemoryLayout<Float>.size),
            ])
    }
}
