import CLRuntime

/// Entries of six ints in a buffer of lists, for kernels that work on parts of passes.
package struct Entries: Sendable, Equatable {
    /// Where in the lists the first one starts
    package var first: Int
    package var count: Int
    /// The most tokens that one of them names
    package var tokens: Int

    package init(first: Int = 0, count: Int = 0, tokens: Int = 0) {
        (self.first, self.count, self.tokens) = (first, count, tokens)
    }

    func isWithin(_ lists: Buffer<Int32>) -> Bool { first >= 0 && count >= 0 && first + 6 * count <= lists.count }
}

/// Copies slices of activations from pass to pass. See `slices.cl`.
package struct Slices {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        kernel = try library.kernel(.slices, "slices_copy")
        group = library.tuning.group
    }

    /// - Parameters:
    ///   - buffer: slots of `slotStride` floats from element `offset` on, tokens `tokenStride` apart
    ///   - entries: in `lists`: dst, src, col, width, tokens, tokenCount
    package func callAsFunction(
        buffer: Buffer<Float>, offset: Int, slotStride: Int, tokenStride: Int, lists: Buffer<Int32>, entries: Entries
    ) throws(CLError) {
        guard entries.isWithin(lists) else {
            throw .shape(operation: "slices_copy", expected: "entries within \(lists.count)", got: "\(entries)")
        }
        if entries.count == 0 { return }
        guard offset >= 0, offset < buffer.count, tokenStride >= 0, slotStride >= 0 else {
            throw .shape(operation: "slices_copy", expected: "slots within \(buffer.count)", got: "offset \(offset)")
        }
        try kernel.launch(
            global: [group, entries.tokens, entries.count], local: [group, 1, 1],
            [
                "buffer": buffer, "offset": offset, "slotStride": slotStride, "tokenStride": tokenStride,
                "lists": lists, "first": entries.first,
            ])
    }
}
