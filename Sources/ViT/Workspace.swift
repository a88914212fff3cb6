import CLRuntime
import Kernels

/// An activation inside a stage, held by a workspace: one slot per pass.
package enum Activation: Int, Sendable, CaseIterable {
    /// Attention's queries (before scaling), keys, values [T, D], and values weighted by the pattern [T, D]
    case q, k, v, z
    /// The MLP's hidden layer before and after the activation function [T, M]
    case mlpPre, mlpAct
}

/// Buffers for the stages of an `Encoder`, besides x and o; reused by every layer.
///
/// `rows` passes are computed at a time. Where activations inside a stage are patched, the passes that they come from
/// keep them for the rest of the stage, in `keptSlots` slots before the chunk's.
package final class Workspace {
    /// Activations that passes keep for the length of a stage
    package struct Kept: OptionSet, Sendable, Hashable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// q, k, v and z
        package static let attention = Kept(rawValue: 1)
        /// The MLP's hidden layer after the activation function
        package static let hidden = Kept(rawValue: 2)
        /// The hidden layer before the activation function, in its own buffer
        package static let pre = Kept(rawValue: 4)
    }

    /// The size of a workspace
    package struct Shape: Sendable, Equatable {
        /// Passes in a chunk
        package var rows: Int
        /// Slots before the chunk's, for kept activations
        package var keptSlots: Int
        package var kept: Kept

        package init(rows: Int, keptSlots: Int = 0, kept: Kept = []) {
            (self.rows, self.keptSlots, self.kept) = (rows, kept.isEmpty ? 0 : keptSlots, kept)
        }

        /// Slots before the chunk's for attention, and for the MLP
        package var attentionSlots: Int { kept.contains(.attention) ? keptSlots : 0 }
        package var hiddenSlots: Int { kept.contains(.hidden) ? keptSlots : 0 }
    }

    package let shape: Shape
    package var rows: Int { shape.rows }
    let patches: Buffer<Float>  // [rows * Np, channels * PH * PW]
    let normed: Buffer<Float>  // [rows * T, D]  layer norm's output
    let qkv: Buffer<Float>  // [slots * T, 3D]; [slots * T, 2D] in a layer with fewer queries than tokens
    let lastQ: Buffer<Float>  // [slots * queries, D]  queries of such a layer
    let z: Buffer<Float>  // [slots * T, D]
    let hidden: Buffer<Float>  // [slots * T, M]
    let pre: Buffer<Float>  // [slots * T, M]  if kept; for gated MLPs always, [.., 2M]: gate and up
    let deviations: Buffer<Float>  // [rows]  of patch projections
    let features: Buffer<Float>  // [rows, parts of the readout * D], then [rows, width of its embedding]

    package init(_ context: Context, config: ViTConfig, shape: Shape) throws(CLError) {
        self.shape = shape
        let counts = Self.counts(config, shape)
        patches = try Buffer(context, count: counts[0])
        normed = try Buffer(context, count: counts[1])
        qkv = try Buffer(context, count: counts[2])
        z = try Buffer(context, count: counts[3])
        hidden = try Buffer(context, count: counts[4])
        pre = try Buffer(context, count: counts[5])
        lastQ = try Buffer(context, count: counts[6])
        deviations = try Buffer(context, count: counts[7])
        features = try Buffer(context, count: counts[8])
    }

    /// Elements of each buffer, in order of creation.
    package static func counts(_ config: ViTConfig, _ shape: Shape) -> [Int] {
        let tokens = shape.rows * config.tokens
        let slots = shape.rows + shape.attentionSlots
        let lastQueries = config.tokens(after: config.layers - 1)
        let hidden = (shape.rows + shape.hiddenSlots) * config.tokens * config.intermediateSize
        return [
            shape.rows * config.patches * config.patchValues, tokens * config.hiddenSize,
            slots * config.tokens * 3 * config.hiddenSize, slots * config.tokens * config.hiddenSize,
            hidden,
            shape.kept.contains(.pre)
                ? hidden / config.intermediateSize * config.fc1Size
                : config.architecture.hasGatedMLP ? tokens * config.fc1Size : 0,
            lastQueries == config.tokens ? 0 : slots * lastQueries * config.hiddenSize, shape.rows,
            config.architecture.readout.isFirstTokens ? 0 : shape.rows * (config.readoutWidth + config.headWidth),
        ]
    }

    /// Bytes of the GEMM provider's largest temporary.
    package static func temporaryBytes(_ config: ViTConfig, _ shape: Shape, gemm: any GEMM) throws(CLError) -> Int {
        let (d, m, tokens) = (config.hiddenSize, config.fc1Size, shape.rows * config.tokens)
        var temporary = 0
        for (n, k) in [
            (3 * d, d), (d, d), (m, d), (d, config.intermediateSize), (d, config.patchValues),
            (config.classes, config.headWidth), (config.headWidth, config.readoutWidth),
        ] {
            temporary = max(temporary, try gemm.temporaryBytes(rows: tokens, outputs: n, inputs: k))
        }
        return temporary
    }

    // MARK: Locations of activations

    /// Slots of an activation in one layer: slot s, token t at offset + (s * tokens + t) * stride, `width` values.
    package struct Place {
        package let buffer: Buffer<Float>
        package let offset: Int, stride: Int, width: Int, tokens: Int

        /// Slots as rows of tokens
        package var tokenRows: TokenRows {
            TokenRows(buffer, offset: offset, rowStride: tokens * stride, tokenStride: stride)
        }
        package func start(_ slot: Int) -> Int { offset + slot * tokens * stride }
        func matrix(_ slot: Int) -> Matrix { Matrix(buffer, offset: start(slot), stride: stride) }
        package func rows(_ slot: Int = 0) -> Attention.Rows {
            Attention.Rows(buffer, offset: start(slot), stride: stride)
        }
    }

    /// - Parameters:
    ///   - tokens: tokens that the layer computes; if not all, its queries are in a buffer of their own
    package func place(_ activation: Activation, config: ViTConfig, tokens: Int) -> Place {
        let (t, d, m) = (config.tokens, config.hiddenSize, config.intermediateSize)
        let isJoint = tokens == t
        func joint(_ part: Int) -> Place {
            isJoint
                ? Place(buffer: qkv, offset: part * d, stride: 3 * d, width: d, tokens: t)
                : Place(buffer: qkv, offset: (part - 1) * d, stride: 2 * d, width: d, tokens: t)
        }
        return switch activation {
        case .q: isJoint ? joint(0) : Place(buffer: lastQ, offset: 0, stride: d, width: d, tokens: tokens)
        case .k: joint(1)
        case .v: joint(2)
        case .z: Place(buffer: z, offset: 0, stride: d, width: d, tokens: tokens)
        case .mlpPre: Place(buffer: pre, offset: 0, stride: config.fc1Size, width: m, tokens: tokens)
        case .mlpAct: Place(buffer: hidden, offset: 0, stride: m, width: m, tokens: tokens)
        }
    }

    /// Whether slots before the chunk's keep this activation.
    package func keeps(_ activation: Activation) -> Bool {
        if shape.keptSlots == 0 { return false }
        return switch activation {
        case .q, .k, .v, .z: shape.kept.contains(.attention)
        case .mlpPre: shape.kept.contains(.pre)
        case .mlpAct: shape.kept.contains(.hidden)
        }
    }

    // MARK: Slots with given values

    /// Fills slots with zeros.
    package func zero(_ activation: Activation, slots: Range<Int>, config: ViTConfig, tokens: Int) throws(CLError) {
        let place = place(activation, config: config, tokens: tokens)
        // Where activations share a buffer, the range covers the others of these slots too, except for part of the last
        // slot.
        let end = place.start(slots.upperBound - 1) + (place.tokens - 1) * place.stride + place.width
        try place.buffer.fill(0, place.start(slots.lowerBound)..<end)
    }

    /// A slot's values [tokens, width].
    package func values(_ activation: Activation, slot: Int, config: ViTConfig, tokens: Int) throws(CLError) -> [Float]
    {
        let place = place(activation, config: config, tokens: tokens), first = place.start(slot)
        let values = try place.buffer.read(first..<(first + (place.tokens - 1) * place.stride + place.width))
        return (0..<place.tokens).flatMap { values[($0 * place.stride)..<($0 * place.stride + place.width)] }
    }

    /// Copies `values` [tokens, width] into a slot.
    package func give(
        _ values: Buffer<Float>, _ activation: Activation, slot: Int, config: ViTConfig, tokens: Int
    ) throws(CLError) {
        let place = place(activation, config: config, tokens: tokens)
        for token in 0..<place.tokens {
            try place.buffer.copy(
                from: values, (token * place.width)..<((token + 1) * place.width),
                to: place.start(slot) + token * place.stride)
        }
    }
}
