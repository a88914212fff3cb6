import CLRuntime

/// An entry of `attention_pattern`: z of one head of slot `to` for some query tokens, by the pattern of slot `from`.
package struct PatternEntry: ListEntry {
    package var from: Int, to: Int, head: Int
    /// Where the query tokens start in the lists, and their number
    package var tokens: Int, tokenCount: Int

    package init(from: Int, to: Int, head: Int, tokens: Int, tokenCount: Int) {
        (self.from, self.to, self.head, self.tokens, self.tokenCount) = (from, to, head, tokens, tokenCount)
    }

    package var ints: [Int32] { [Int32(from), Int32(to), Int32(head), Int32(tokens), Int32(tokenCount)] }
    package static let size = 5
}

/// Softmax attention without the [T, T] scores in memory. See `attention.cl`, and `attention_group.cl` for GPUs.
package struct Attention {
    private let kernel: Kernel
    private let patternKernel: Kernel
    /// Queries per work-group, and its work-items
    private let queries: Int, items: Int
    private let headDim: Int
    /// Whether a bias is added to the scores
    private let hasScoreBias: Bool

    /// Kernel file and sizes for a device
    private struct Variant {
        var file: KernelFile
        /// Suffix of the kernels' names
        var suffix = ""
        var queries: Int, items: Int
        var defines: [String: Int], options: [String] = []
    }

    /// - Parameters:
    ///   - headDim: Dh, compiled in
    ///   - hasScoreBias: whether a bias is added to the scores; compiled in
    package init(_ library: KernelLibrary, headDim: Int, hasScoreBias: Bool = false) throws(CLError) {
        self.headDim = headDim
        self.hasScoreBias = hasScoreBias
        var variants =
            [Self.tensorVariant(library, headDim: headDim), Self.tileVariant(library, headDim: headDim)].compactMap {
                $0
            }
            + Self.groupVariants(library, headDim: headDim) + [Self.rowVariant(library, headDim: headDim)]
        if hasScoreBias { for index in variants.indices { variants[index].defines["SCORE_BIAS"] = 1 } }
        for variant in variants.dropLast() {
            let kernels = try Self.kernels(variant, library)
            // The precision asks for tensor cores, so a lack of registers does not lead to another variant: the launch
            // fails.
            if variant.file == .attentionMMA || kernels.allSatisfy({ $0.maxGroupSize >= variant.items }) {
                (queries, items, kernel, patternKernel) = (variant.queries, variant.items, kernels[0], kernels[1])
                return
            }
        }
        let variant = variants[variants.count - 1], kernels = try Self.kernels(variant, library)
        (queries, items, kernel, patternKernel) = (variant.queries, variant.items, kernels[0], kernels[1])
    }

    private static func kernels(_ variant: Variant, _ library: KernelLibrary) throws(CLError) -> [Kernel] {
        var kernels: [Kernel] = []
        for name in ["attention_online", "attention_pattern"] {
            kernels.append(
                try library.kernel(
                    variant.file, name + variant.suffix, defines: variant.defines, options: variant.options))
        }
        return kernels
    }

    /// Tensor cores, for the precisions in which they are at least twice as fast as fp32 units; with tf32 and fp16x3,
    /// attention runs in fp32. nil where a head is too wide for registers, or too narrow.
    private static func tensorVariant(_ library: KernelLibrary, headDim: Int) -> Variant? {
        guard [.bf16x3, .bf16, .fp16].contains(library.precision), library.context.device.hasTensorCores,
            headDim >= library.narrowestHead, headDim <= 128
        else { return nil }
        let parts = library.precision == .bf16x3 ? 2 : 1, keys = parts == 2 || headDim > 64 ? 32 : 64
        let warps = parts == 2 ? 4 : 8
        // 128 registers let two to four groups share a multiprocessor; wider heads need more registers.
        return Variant(
            file: .attentionMMA, suffix: "_mma", queries: 16 * warps, items: 32 * warps,
            defines: ["DH": headDim, "WARPS": warps, "KEYS": keys, "MODE": library.precision.mode],
            options: headDim <= 64 ? ["-cl-nv-maxrregcount=128"] : [])
    }

    /// Matrix tiles of CPUs (AMX): a work-item for up to 320 queries of a head, fewer where local memory has no room for
    /// them. nil without tiles, or where a head is too wide or too narrow.
    private static func tileVariant(_ library: KernelLibrary, headDim: Int) -> Variant? {
        guard let units = library.tiles, headDim >= library.narrowestHead else { return nil }
        let parts = AMXPacking(library.precision).parts, steps = (headDim + 31) / 32, keys = 128
        // `attention_memory` of attention_amx.cl
        func bytes(_ queries: Int) -> Int {
            let factors = steps * parts * 2048 * (queries / 32 + 2 * keys / 32)
            return factors + keys / 32 * (4096 + parts * 2048) + queries * (steps * 128 + 64 + 4) + 128
        }
        guard let queries = [320, 160, 64, 32].first(where: { bytes($0) <= library.context.device.localMemory }) else {
            return nil
        }
        return Variant(
            file: .attentionAMX, suffix: "_amx", queries: queries, items: 1,
            defines: [
                "DH": headDim, "QL": 16, "PARTS": parts, "QUERIES": queries, "KEYS": keys, "AMX_MODEL": units.rawValue,
                "V": 16,
            ])
    }

    /// Work-groups that share keys and values in local memory: the configured number of queries if they fit beside the
    /// keys, then smaller ones
    private static func groupVariants(_ library: KernelLibrary, headDim: Int) -> [Variant] {
        let most = library.tuning.attentionGroup, memory = library.context.device.localMemory
        let sizes = [most, 32, 16, 8, 4].filter { $0 <= most && $0 % 4 == 0 }
        return sizes.filter { localBytes(headDim: headDim, queries: $0) <= memory }.map {
            Variant(
                file: .attentionGroup, suffix: "_group", queries: $0, items: $0 * 2,
                defines: ["DH": headDim, "BQ": $0])
        }
    }

    /// A work-item for each query, or for a vector of them
    private static func rowVariant(_ library: KernelLibrary, headDim: Int) -> Variant {
        let lanes = library.tuning.attentionLanes
        // With lanes, the scores of a block stay in the cache.
        return Variant(
            file: .attention, queries: lanes, items: 1,
            defines: ["DH": headDim, "QL": lanes, "KB": lanes > 1 ? 64 : 16])
    }

    /// Bytes of local memory of a group in `attention_group.cl`: queries, a block of 32 keys or values, its weights, 8
    /// values per query
    private static func localBytes(headDim: Int, queries: Int) -> Int {
        (headDim * queries + 32 * ((headDim + 3) / 4 * 4) + (32 + 8) * (queries + 4)) * MemoryLayout<Float>.size
    }

    /// Token rows inside a buffer: the first row starts at element `offset`, rows are `stride` apart.
    package struct Rows {
        package var buffer: Buffer<Float>
        package var offset: Int
        package var stride: Int
        package init(_ buffer: Buffer<Float>, offset: Int, stride: Int) {
            (self.buffer, self.offset, self.stride) = (buffer, offset, stride)
        }
    }

    /// - Parameters:
    ///   - q: [images, queries] token rows of H * Dh
    ///   - k, v: [images, tokens] token rows of H * Dh in one buffer with one stride
    ///   - scale: 1 / sqrt(Dh)
    ///   - z: [images, queries, H * Dh], packed, from element `zOffset` on
    ///   - bias: [H, T, T], added to the scores if the model has one
    package func callAsFunction(
        q: Rows, queries: Int, k: Rows, v: Rows, tokens: Int, images: Int, heads: Int, scale: Float, z: Buffer<Float>,
        zOffset: Int = 0, bias: Buffer<Float>? = nil
    ) throws(CLError) {
        let width = heads * headDim
        try check(bias, heads: heads, tokens: tokens)
        // One query shared by all images is a single row with stride 0.
        let isShared = queries == 1 && q.stride == 0
        func fits(_ rows: Rows, _ count: Int) -> Bool {
            rows.offset >= 0 && rows.stride >= width
                && (count == 0 || rows.offset + (count - 1) * rows.stride + width <= rows.buffer.count)
        }
        guard isShared ? q.offset >= 0 && q.offset + width <= q.buffer.count : fits(q, images * queries),
            fits(k, images * tokens), fits(v, images * tokens), zOffset >= 0,
            zOffset + images * queries * width <= z.count, k.buffer === v.buffer, k.stride == v.stride
        else {
            throw .shape(
                operation: "attention", expected: "\(images) x \(queries) queries of \(width)", got: "\(z.count)")
        }
        let groups = (queries + self.queries - 1) / self.queries
        try kernel.launch(
            global: [groups * items, heads, images], local: [items, 1, 1],
            [
                "q": q.buffer, "qOffset": q.offset, "qStride": q.stride, "queries": queries, "kv": k.buffer,
                "kOffset": k.offset, "vOffset": v.offset, "kvStride": k.stride, "T": tokens, "scale": scale, "z": z,
                "zOffset": zOffset, "zStride": width,
            ], also: bias.map { ["bias": $0] } ?? [:])
    }

    /// Recomputes z of `entries` from another pass's queries and keys and the pass's own values: the patch of
    /// `pattern`.
    /// - Parameters:
    ///   - q: [slots, queries] token rows
    ///   - k, v: [slots, tokens] token rows
    ///   - z: [slots, queries, H * Dh]
    ///   - entries: in `lists`
    ///   - bias: as above
    package func pattern(
        q: Rows, queries: Int, k: Rows, v: Rows, tokens: Int, heads: Int, scale: Float, z: Buffer<Float>,
        lists: Buffer<Int32>, entries: Entries<PatternEntry>, bias: Buffer<Float>? = nil
    ) throws(CLError) {
        try check(bias, heads: heads, tokens: tokens)
        guard entries.isWithin(lists) else {
            throw .shape(operation: "attention_pattern", expected: "entries within \(lists.count)", got: "\(entries)")
        }
        if entries.count == 0 { return }
        // Checks a single slot; the slots used are known on the device only.
        func fits(_ rows: Rows, _ count: Int) -> Bool {
            rows.offset >= 0 && rows.stride >= heads * headDim
                && rows.offset + (count - 1) * rows.stride + heads * headDim <= rows.buffer.count
        }
        guard fits(q, queries), fits(k, tokens), fits(v, tokens), queries * heads * headDim <= z.count,
            entries.tokens <= queries, k.buffer === v.buffer, k.stride == v.stride
        else {
            throw .shape(
                operation: "attention_pattern", expected: "\(queries) queries of \(heads * headDim)", got: "\(z.count)")
        }
        let groups = (entries.tokens + self.queries - 1) / self.queries
        try patternKernel.launch(
            global: [groups * items, entries.count], local: [items, 1],
            [
                "q": q.buffer, "qOffset": q.offset, "qStride": q.stride, "queries": queries, "kv": k.buffer,
                "kOffset": k.offset, "vOffset": v.offset, "kvStride": k.stride, "T": tokens, "scale": scale, "z": z,
                "zStride": heads * headDim, "lists": lists, "first": entries.first,
            ], also: bias.map { ["bias": $0] } ?? [:])
    }

    private func check(_ bias: Buffer<Float>?, heads: Int, tokens: Int) throws(CLError) {
        try checkScoreBias(bias, isWanted: hasScoreBias, operation: "attention", heads: heads, tokens: tokens)
    }
}

/// Checks that a bias of the scores is given if it is compiled in, with [heads, tokens, tokens] values.
func checkScoreBias(
    _ bias: Buffer<Float>?, isWanted: Bool, operation: String, heads: Int, tokens: Int
) throws(CLError) {
    guard (bias != nil) == isWanted, bias.map({ $0.count == heads * tokens * tokens }) ?? true else {
        throw .shape(
            operation: operation, expected: isWanted ? "a bias of \(heads) x \(tokens) x \(tokens)" : "no bias",
            got: bias.map { "\($0.count)" } ?? "none")
    }
}
