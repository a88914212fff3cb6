import CLRuntime
import Kernels

/// What the stages of an `Encoder` need beside x and o. Every layer uses the same.
///
/// `rows` passes are computed at a time. Where activations inside a stage are patched, the passes they come from keep
/// their q, k, v, z or hidden layer for the rest of the stage: `kept` slots in front of the chunk's.
package final class Workspace {
    /// How large a workspace is
    package struct Shape: Sendable, Equatable {
        /// Passes in a chunk
        package var rows: Int
        /// Slots in front for attention's q, k, v, z, and for the MLP's hidden layer
        package var keptAttention: Int, keptHidden: Int

        package init(rows: Int, keptAttention: Int = 0, keptHidden: Int = 0) {
            (self.rows, self.keptAttention, self.keptHidden) = (rows, keptAttention, keptHidden)
        }
    }

    package let shape: Shape
    package var rows: Int { shape.rows }
    let patches: Buffer<Float>  // [rows * Np, channels * P * P]
    let normed: Buffer<Float>  // [rows * T, D]  layer norm's output
    let qkv: Buffer<Float>  // [slots * T, 3D]; [slots * T, 2D] in the last layer
    let z: Buffer<Float>  // [slots * T, D]
    let hidden: Buffer<Float>  // [slots * T, M]
    let lastQ: Buffer<Float>  // [slots, D]  the last layer's queries
    let deviations: Buffer<Float>  // [rows]  of patch projections

    package init(_ context: Context, config: ViTConfig, shape: Shape) throws(CLError) {
        self.shape = shape
        let counts = Self.counts(config, shape)
        patches = try Buffer(context, count: counts[0])
        normed = try Buffer(context, count: counts[1])
        qkv = try Buffer(context, count: counts[2])
        z = try Buffer(context, count: counts[3])
        hidden = try Buffer(context, count: counts[4])
        lastQ = try Buffer(context, count: counts[5])
        deviations = try Buffer(context, count: counts[6])
    }

    /// Elements of each buffer, in the order above.
    package static func counts(_ config: ViTConfig, _ shape: Shape) -> [Int] {
        let tokens = shape.rows * config.tokens
        let slots = shape.rows + shape.keptAttention, hiddenSlots = shape.rows + shape.keptHidden
        return [
            shape.rows * config.patches * config.patchValues, tokens * config.hiddenSize,
            slots * config.tokens * 3 * config.hiddenSize, slots * config.tokens * config.hiddenSize,
            hiddenSlots * config.tokens * config.intermediateSize, slots * config.hiddenSize, shape.rows,
        ]
    }

    /// Bytes of all buffers, and of the GEMM provider's largest temporary.
    package static func bytes(_ config: ViTConfig, _ shape: Shape, gemm: any GEMM) throws(CLError) -> Int {
        let (d, m, tokens) = (config.hiddenSize, config.intermediateSize, shape.rows * config.tokens)
        var temporary = 0
        for (n, k) in [(3 * d, d), (d, d), (m, d), (d, m), (d, config.patchValues), (config.classes, d)] {
            temporary = max(temporary, try gemm.temporaryBytes(rows: tokens, outputs: n, inputs: k))
        }
        return counts(config, shape).reduce(0, +) * MemoryLayout<Float>.size + temporary
    }

    // MARK: Slots that are given, not computed

    /// Fills slots' q, k, v and z (for the stage of a layer with `tokens` queries) with zeros.
    package func zeroAttention(slots: Range<Int>, config: ViTConfig, tokens: Int) throws(CLError) {
        let (t, d) = (config.tokens, config.hiddenSize)
        if shape.keptAttention == 0 { return }
        let wide = tokens == t && config.tokens > 1 ? 3 * d : 2 * d
        try qkv.fill(0, (slots.lowerBound * t * wide)..<(slots.upperBound * t * wide))
        try lastQ.fill(0, (slots.lowerBound * d)..<(slots.upperBound * d))
        try z.fill(0, (slots.lowerBound * tokens * d)..<(slots.upperBound * tokens * d))
    }

    /// Fills slots' hidden layer with zeros.
    package func zeroHidden(slots: Range<Int>, config: ViTConfig, tokens: Int) throws(CLError) {
        if shape.keptHidden == 0 { return }
        let width = tokens * config.intermediateSize
        try hidden.fill(0, (slots.lowerBound * width)..<(slots.upperBound * width))
    }

    /// Activations inside a stage
    package enum Site: Sendable { case q, k, v, z, hidden }

    /// Pieces of a buffer that hold a slot's [tokens, width] values of a site, row after row.
    private func pieces(
        _ site: Site, slot: Int, config: ViTConfig, tokens: Int
    ) -> (buffer: Buffer<Float>, first: Int, stride: Int, width: Int, rows: Int) {
        let (t, d, m) = (config.tokens, config.hiddenSize, config.intermediateSize)
        let isLast = tokens != t || t == 1
        switch site {
        case .q: return isLast ? (lastQ, slot * d, d, d, 1) : (qkv, slot * t * 3 * d, 3 * d, d, t)
        case .k: return isLast ? (qkv, slot * t * 2 * d, 2 * d, d, t) : (qkv, slot * t * 3 * d + d, 3 * d, d, t)
        case .v: return isLast ? (qkv, slot * t * 2 * d + d, 2 * d, d, t) : (qkv, slot * t * 3 * d + 2 * d, 3 * d, d, t)
        case .z: return (z, slot * tokens * d, d, d, tokens)
        case .hidden: return (hidden, slot * tokens * m, m, m, tokens)
        }
    }

    /// A slot's values of a site [tokens, width], in a stage of `tokens` queries.
    package func values(_ site: Site, slot: Int, config: ViTConfig, tokens: Int) throws(CLError) -> [Float] {
        let (buffer, first, stride, width, rows) = pieces(site, slot: slot, config: config, tokens: tokens)
        let values = try buffer.read(first..<(first + (rows - 1) * stride + width))
        return (0..<rows).flatMap { values[($0 * stride)..<($0 * stride + width)] }
    }

    /// Puts `values` [tokens, width] into a slot, where slots of the site are kept.
    package func give(
        _ values: Buffer<Float>, _ site: Site, slot: Int, config: ViTConfig, tokens: Int
    ) throws(CLError) {
        if (site == .hidden ? shape.keptHidden : shape.keptAttention) == 0 { return }
        let (buffer, first, stride, width, rows) = pieces(site, slot: slot, config: config, tokens: tokens)
        for row in 0..<rows {
            try buffer.copy(from: values, (row * width)..<((row + 1) * width), to: first + row * stride)
        }
    }
}
