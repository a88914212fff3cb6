import CLRuntime

/// A struct of ints that a kernel reads from a buffer of lists; the .cl file declares it under the same name.
package protocol ListEntry: Sendable {
    /// The fields in order
    var ints: [Int32] { get }
    /// The number of fields
    static var size: Int { get }
}

/// Consecutive entries of one type in a buffer of lists.
package struct Entries<Entry: ListEntry>: Sendable, Equatable {
    /// Where the first one starts in the lists
    package var first: Int
    package var count: Int
    /// The largest number of tokens of an entry
    package var tokens: Int

    package init(first: Int = 0, count: Int = 0, tokens: Int = 0) {
        (self.first, self.count, self.tokens) = (first, count, tokens)
    }

    func isWithin(_ lists: Buffer<Int32>) -> Bool {
        first >= 0 && count >= 0 && first + Entry.size * count <= lists.count
    }
}

/// An entry of `slices_copy`: columns of some tokens to copy from slot to slot.
package struct SliceEntry: ListEntry {
    package var dst: Int, src: Int, column: Int, width: Int
    /// Where the tokens start in the lists, and their number
    package var tokens: Int, tokenCount: Int

    package init(dst: Int, src: Int, column: Int, width: Int, tokens: Int, tokenCount: Int) {
        (self.dst, self.src, self.column, self.width) = (dst, src, column, width)
        (self.tokens, self.tokenCount) = (tokens, tokenCount)
    }

    package var ints: [Int32] {
        [Int32(dst), Int32(src), Int32(column), Int32(width), Int32(tokens), Int32(tokenCount)]
    }
    package static let size = 6
}

/// Copies slices of activations from pass to pass. See `slices.cl`.
package struct Slices {
    private let kernel: Kernel
    private let group: Int

    package init(_ library: KernelLibrary) throws(CLError) {
        let (kernels, group) = try library.grouped(.slices, "slices_copy")
        (kernel, self.group) = (kernels[0], group)
    }

    /// - Parameters:
    ///   - buffer: slots of `slotStride` floats from element `offset` on, tokens `tokenStride` apart
    ///   - entries: in `lists`
    package func callAsFunction(
        buffer: Buffer<Float>, offset: Int, slotStride: Int, tokenStride: Int, lists: Buffer<Int32>,
        entries: Entries<SliceEntry>
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
