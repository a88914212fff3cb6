import CLRuntime

/// Entries of six ints in a buffer of lists, for kernels that work on parts of passes.
public struct Entries: Sendable, Equatable {
    /// Where in the lists the first one starts
    public var first: Int
    public var count: Int
    /// The most tokens that one of them names
    public var tokens: Int

    public init(first: Int = 0, count: Int = 0, tokens: Int = 0) {
        (self.first, self.count, self.tokens) = (first, count, tokens)
    }
}

/// Copies slices of activations from pass to pass. See `slices.cl`.
public struct Slices {
    private let kernel: Kernel
    private let group: Int

    public init(_ library: KernelLibrary) throws(CLError) {
        kernel = try library.kernel(.slices, "slices_copy")
        group = library.tuning.group
    }

    /// - Parameters:
    ///   - buffer: slots of `slotStride` floats from element `offset` on, tokens `tokenStride` apart
    ///   - entries: in `lists`: dst, src, col, width, tokens, tokenCount
    public func callAsFunction(
        buffer: Buffer<Float>, offset: Int, slotStride: Int, tokenStride: Int, lists: Buffer<Int32>, entries: Entries
    ) throws(CLError) {
        guard entries.first >= 0, entries.first + 6 * entries.count <= lists.count else {
            throw .shape(operation: "slices_copy", expected: "entries within \(lists.count)", got: "\(entries)")
        }
        if entries.count == 0 { return }
        try kernel.launch(
            global: [group, entries.tokens, entries.count], local: [group, 1, 1],
            [
                "buffer": buffer, "offset": try Int32.checked(offset, "offset"),
                "slotStride": try Int32.checked(slotStride, "slotStride"),
                "tokenStride": try Int32.checked(tokenStride, "tokenStride"), "lists": lists,
                "first": try Int32.checked(entries.first, "first"),
            ])
    }
}
