import CLRuntime

/// Softmax attention without the [T, T] scores in memory. See `attention.cl`.
public struct Attention {
    private let kernel: Kernel
    private let lanes: Int
    private let group: Int
    private let headDim: Int

    /// - Parameter headDim: Dh, compiled in
    public init(_ library: KernelLibrary, headDim: Int) throws(CLError) {
        (lanes, group, self.headDim) = (library.tuning.attentionLanes, library.tuning.attentionGroup, headDim)
        kernel = try library.kernel(
            .attention, "attention_online", defines: ["DH": headDim, "QL": lanes, "GQ": group])
    }

    /// Token rows inside a buffer: element `offset` is the first row's first value, rows are `stride` apart.
    public struct Rows {
        public var buffer: Buffer<Float>
        public var offset: Int
        public var stride: Int
        public init(_ buffer: Buffer<Float>, offset: Int, stride: Int) {
            (self.buffer, self.offset, self.stride) = (buffer, offset, stride)
        }
    }

    /// - Parameters:
    ///   - q: [images, queries] token rows of H * Dh
    ///   - k, v: [images, tokens] token rows of H * Dh in one buffer with one stride
    ///   - scale: 1 / sqrt(Dh)
    ///   - z: [images, queries, H * Dh], packed
    public func callAsFunction(
        q: Rows, queries: Int, k: Rows, v: Rows, tokens: Int, images: Int, heads: Int, scale: Float, z: Buffer<Float>
    ) throws(CLError) {
        let width = heads * headDim
        func fits(_ rows: Rows, _ count: Int) -> Bool {
            count == 0 || rows.offset + (count - 1) * rows.stride + width <= rows.buffer.count
        }
        guard fits(q, images * queries), fits(k, images * tokens), fits(v, images * tokens),
            images * queries * width <= z.count, k.buffer === v.buffer, k.stride == v.stride
        else {
            throw .shape(operation: "attention", expected: "\(images) x \(queries) queries of \(width)", got: "\(z.count)")
        }
        let blocks = (queries + lanes - 1) / lanes
        try kernel.launch(
            global: [(blocks + group - 1) / group * group, heads, images], local: [group, 1, 1],
            [
                "q": q.buffer, "qOffset": try Int32.checked(q.offset, "qOffset"),
                "qStride": try Int32.checked(q.stride, "qStride"), "queries": try Int32.checked(queries, "queries"),
                "kv": k.buffer, "kOffset": try Int32.checked(k.offset, "kOffset"),
                "vOffset": try Int32.checked(v.offset, "vOffset"), "kvStride": try Int32.checked(k.stride, "kvStride"),
                "T": try Int32.checked(tokens, "T"), "scale": scale, "z": z,
                "zStride": try Int32.checked(width, "zStride"),
            ])
    }
}
