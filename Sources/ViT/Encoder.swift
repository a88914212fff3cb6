import CLRuntime
import Kernels

/// A ViT on the device, as stages that work on lists of rows.
///
/// The residual stream is one buffer x [rows, T, D], every row one forward pass. A stage takes the rows of a chunk,
/// swaps what is patched inside it, and writes its output, bias included, to o. Adding o to x is the caller's, who may
/// add another row's instead: that is the swap of whole outputs.
///
/// In the last layer only the CLS token goes on to the classifier: keys and values are computed for all tokens,
/// everything else for token 0.
///
/// Follows transformers' `ViTForImageClassification` (pre-norm, CLS pooling).
package final class Encoder {
    package let config: ViTConfig
    package let context: Context
    package let gemm: any GEMM

    private struct Layer {
        let ln1Weight: Buffer<Float>, ln1Bias: Buffer<Float>  // [D]
        /// [3D, D]; nil in the last layer, which has q and kv apart
        let qkv: (any GEMMWeight)?
        let q: (any GEMMWeight)?  // [D, D]
        let kv: (any GEMMWeight)?  // [2D, D]
        let proj: any GEMMWeight  // [D, D]
        let ln2Weight: Buffer<Float>, ln2Bias: Buffer<Float>  // [D]
        let fc1: any GEMMWeight  // [M, D]
        let fc2: any GEMMWeight  // [D, M]
    }

    private let layerNorm: LayerNorm
    private let attention: Attention
    private let embedding: Embed
    private let residual: Residual
    private let slices: Slices
    private let noise: Noise
    private let patchProjection: any GEMMWeight  // [D, channels * P * P]
    private let cls: Buffer<Float>  // [D]
    private let position: Buffer<Float>  // [T, D]
    private let layers: [Layer]
    private let lnWeight: Buffer<Float>, lnBias: Buffer<Float>  // [D]
    private let head: any GEMMWeight  // [C, D]
    private let activation: ActivationKind

    /// Uploads the weights.
    package init(config: ViTConfig, weights: ViTWeights, library: KernelLibrary, gemm: any GEMM) throws(CLError) {
        self.config = config
        self.gemm = gemm
        context = library.context
        let context = library.context
        layerNorm = try LayerNorm(library)
        attention = try Attention(library, headDim: config.headDim)
        embedding = try Embed(library)
        residual = try Residual(library)
        slices = try Slices(library)
        noise = try Noise(library)
        activation =
            switch config.activation {
            case .gelu: .gelu
            case .geluNew: .geluNew
            case .quickGelu: .quickGelu
            case .relu: .relu
            }
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        // A weight's values are on the host only while it is uploaded.
        func upload(_ weight: Weight) throws(CLError) -> Buffer<Float> { try Buffer(context, weight.floats) }
        func prepare(_ weight: Weight, _ bias: Weight, _ outputs: Int, _ inputs: Int) throws(CLError) -> any GEMMWeight
        {
            try gemm.prepare(weight: weight.floats, bias: bias.floats, outputs: outputs, inputs: inputs)
        }
        patchProjection = try prepare(weights.patchWeight, weights.patchBias, d, config.patchValues)
        cls = try upload(weights.cls)
        position = try upload(weights.position)
        var layers: [Layer] = []
        for (index, layer) in weights.layers.enumerated() {
            var qkv: (any GEMMWeight)?, q: (any GEMMWeight)?, kv: (any GEMMWeight)?
            if index < weights.layers.count - 1 {
                qkv = try prepare(layer.qkvWeight, layer.qkvBias, 3 * d, d)
            } else {
                let (weight, bias) = (layer.qkvWeight.floats, layer.qkvBias.floats)
                q = try gemm.prepare(weight: Array(weight[..<(d * d)]), bias: Array(bias[..<d]), outputs: d, inputs: d)
                kv = try gemm.prepare(
                    weight: Array(weight[(d * d)...]), bias: Array(bias[d...]), outputs: 2 * d, inputs: d)
            }
            layers.append(
                Layer(
                    ln1Weight: try upload(layer.ln1Weight), ln1Bias: try upload(layer.ln1Bias), qkv: qkv, q: q, kv: kv,
                    proj: try prepare(layer.projWeight, layer.projBias, d, d), ln2Weight: try upload(layer.ln2Weight),
                    ln2Bias: try upload(layer.ln2Bias), fc1: try prepare(layer.fc1Weight, layer.fc1Bias, m, d),
                    fc2: try prepare(layer.fc2Weight, layer.fc2Bias, d, m)))
        }
        self.layers = layers
        lnWeight = try upload(weights.lnWeight)
        lnBias = try upload(weights.lnBias)
        head = try prepare(weights.headWeight, weights.headBias, config.classes, d)
    }

    /// Tokens that layer `layer` computes for later layers: all, or in the last layer CLS.
    package func tokens(after layer: Int) -> Int { layer == config.layers - 1 ? 1 : config.tokens }

    /// Floats between two rows of x
    package var rowStride: Int { config.tokens * config.hiddenSize }

    /// Gaussian noise of `strength` standard deviations of each image's own patch projections (causal tracing, Meng et al.
    /// 2022, whose rule takes one deviation for all data). `keys`: where in the pixels' buffer the generator's words are.
    package struct EmbeddingNoise: Sendable {
        package var strength: Float
        package var keys: Int
        package init(strength: Float, keys: Int) { (self.strength, self.keys) = (strength, keys) }
    }

    // MARK: Stages

    /// The encoder's input for `images` images of the pixels: as many rows of x.
    /// - Parameters:
    ///   - pixels: [images, channels, S, S], normalised, from element `offset` on
    ///   - row: the first row of x
    ///   - noise: added to the patch projections, before CLS and positions
    package func embed(
        pixels: Buffer<Float>, offset: Int = 0, images: Int, x: Buffer<Float>, row: Int = 0,
        noise embeddingNoise: EmbeddingNoise? = nil, workspace: Workspace
    ) throws(CLError) {
        for chunk in chunks(0..<images, of: workspace.rows) {
            try embedding.patches(
                pixels: pixels, offset: offset, images: chunk, channels: config.channels, imageSize: config.imageSize,
                patchSize: config.patchSize, out: workspace.patches)
            try gemm(
                a: Matrix(workspace.patches, stride: config.patchValues), weight: patchProjection,
                rows: chunk.count * config.patches, activation: .none,
                out: Matrix(workspace.normed, stride: config.hiddenSize))
            if let embeddingNoise {
                try noise.add(
                    e: workspace.normed, values: config.patches * config.hiddenSize, images: chunk,
                    strength: embeddingNoise.strength, input: pixels, keys: embeddingNoise.keys,
                    deviations: workspace.deviations)
            }
            try embedding.join(
                e: workspace.normed, cls: cls, position: position, tokens: config.tokens, first: row + chunk.lowerBound,
                count: chunk.count, x: x)
        }
    }

    /// attn_out of layer `layer` for one chunk of rows, into o or added to x (`StageChunk.adds`).
    ///
    /// The chunk's passes stand in slots of the workspace's q, k, v and z, which other chunks' entries may copy from.
    /// - Parameter o: [*, tokens(after: layer), D]
    package func attention(
        layer index: Int, x: Buffer<Float>, lists: Buffer<Int32>, chunk: StageChunk, o: Buffer<Float>,
        workspace: Workspace
    ) throws(CLError) {
        let layer = layers[index]
        let (t, d) = (config.tokens, config.hiddenSize)
        let queries = tokens(after: index)
        let rows = chunk.rows.count
        // Where q, k and v of slot 0 stand: in one [T, 3D] buffer, or in the last layer apart.
        let q: Attention.Rows, k: Attention.Rows
        if layer.qkv != nil {
            q = Attention.Rows(workspace.qkv, offset: 0, stride: 3 * d)
            k = Attention.Rows(workspace.qkv, offset: d, stride: 3 * d)
        } else {
            q = Attention.Rows(workspace.lastQ, offset: 0, stride: d)
            k = Attention.Rows(workspace.qkv, offset: 0, stride: 2 * d)
        }
        func slot(_ rows: Attention.Rows, tokens: Int, column: Int = 0) -> Attention.Rows {
            Attention.Rows(
                rows.buffer, offset: rows.offset + column + chunk.slot * tokens * rows.stride, stride: rows.stride)
        }
        func swapQKV(q qEntries: Entries, kv: Entries) throws(CLError) {
            try slices(
                buffer: q.buffer, offset: q.offset, slotStride: queries * q.stride, tokenStride: q.stride, lists: lists,
                entries: qEntries)
            try slices(
                buffer: k.buffer, offset: k.offset, slotStride: t * k.stride, tokenStride: k.stride, lists: lists,
                entries: kv)
        }
        func swapZ(_ entries: Entries) throws(CLError) {
            try slices(
                buffer: workspace.z, offset: 0, slotStride: queries * d, tokenStride: d, lists: lists, entries: entries)
        }

        switch chunk.start {
        case .stream:
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: chunk.rows, tokens: t, weight: layer.ln1Weight,
                bias: layer.ln1Bias, eps: config.layerNormEps, out: workspace.normed)
            if let weight = layer.qkv {
                try gemm(
                    a: Matrix(workspace.normed, stride: d), weight: weight, rows: rows * t, activation: .none,
                    out: Matrix(q.buffer, offset: chunk.slot * t * q.stride, stride: q.stride))
            } else if let qWeight = layer.q, let kvWeight = layer.kv {
                try gemm(
                    a: Matrix(workspace.normed, stride: d), weight: kvWeight, rows: rows * t, activation: .none,
                    out: Matrix(k.buffer, offset: chunk.slot * t * k.stride, stride: k.stride))
                try gemm(
                    a: Matrix(workspace.normed, stride: t * d), weight: qWeight, rows: rows, activation: .none,
                    out: Matrix(q.buffer, offset: chunk.slot * q.stride, stride: q.stride))
            }
        case .inner:
            try swapQKV(q: chunk.qCopies, kv: chunk.copies)
        case .outer:
            try swapZ(chunk.copies)
        }
        let scale = 1 / Float(config.headDim).squareRoot()
        if chunk.start != .outer {
            try swapQKV(q: chunk.qSlices, kv: chunk.slices)
            try attention(
                q: slot(q, tokens: queries), queries: queries, k: slot(k, tokens: t), v: slot(k, tokens: t, column: d),
                tokens: t, images: rows, heads: config.heads, scale: scale, z: workspace.z,
                zOffset: chunk.slot * queries * d)
        }
        if chunk.patterns.count > 0 {
            var v = k
            v.offset += d
            try attention.pattern(
                q: q, queries: queries, k: k, v: v, tokens: t, heads: config.heads, scale: scale, z: workspace.z,
                lists: lists, entries: chunk.patterns)
        }
        try swapZ(chunk.zSlices)
        try gemm(
            a: Matrix(workspace.z, offset: chunk.slot * queries * d, stride: d), weight: layer.proj,
            rows: rows * queries,
            activation: .none, out: Matrix(o, offset: chunk.position * queries * d, stride: d),
            residual: residualRows(chunk, x: x, lists: lists, tokens: queries))
    }

    /// mlp_out of layer `layer` for one chunk of rows, into o or added to x (`StageChunk.adds`).
    ///
    /// The chunk's passes stand in slots of the workspace's hidden layer, which other chunks' entries may copy from.
    /// - Parameter o: [*, tokens(after: layer), D]
    package func mlp(
        layer index: Int, x: Buffer<Float>, lists: Buffer<Int32>, chunk: StageChunk, o: Buffer<Float>,
        workspace: Workspace
    ) throws(CLError) {
        let layer = layers[index]
        let (m, d) = (config.intermediateSize, config.hiddenSize)
        let tokens = tokens(after: index)
        let rows = chunk.rows.count * tokens
        func swapHidden(_ entries: Entries) throws(CLError) {
            try slices(
                buffer: workspace.hidden, offset: 0, slotStride: tokens * m, tokenStride: m, lists: lists,
                entries: entries)
        }
        let hidden = Matrix(workspace.hidden, offset: chunk.slot * tokens * m, stride: m)
        if chunk.start == .stream {
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: chunk.rows, tokens: tokens, weight: layer.ln2Weight,
                bias: layer.ln2Bias, eps: config.layerNormEps, out: workspace.normed)
            try gemm(
                a: Matrix(workspace.normed, stride: d), weight: layer.fc1, rows: rows, activation: activation,
                out: hidden)
        } else {
            try swapHidden(chunk.copies)
        }
        try swapHidden(chunk.slices)
        try gemm(
            a: hidden, weight: layer.fc2, rows: rows, activation: .none,
            out: Matrix(o, offset: chunk.position * tokens * d, stride: d),
            residual: residualRows(chunk, x: x, lists: lists, tokens: tokens))
    }

    private func residualRows(_ chunk: StageChunk, x: Buffer<Float>, lists: Buffer<Int32>, tokens: Int) -> ResidualRows?
    {
        chunk.adds.map { ResidualRows(x: x, rowStride: rowStride, lists: lists, first: $0, tokens: tokens) }
    }

    /// Copies slices of a stage's output o [*, tokens(after: layer), D] between positions.
    package func swapOutput(
        layer: Int, o: Buffer<Float>, lists: Buffer<Int32>, entries: Entries
    ) throws(CLError) {
        let d = config.hiddenSize
        try slices(
            buffer: o, offset: 0, slotStride: tokens(after: layer) * d, tokenStride: d, lists: lists, entries: entries)
    }

    /// Copies slices of the residual stream x [rows, T, D] between rows.
    package func swapStream(x: Buffer<Float>, lists: Buffer<Int32>, entries: Entries) throws(CLError) {
        try slices(
            buffer: x, offset: 0, slotStride: rowStride, tokenStride: config.hiddenSize, lists: lists, entries: entries)
    }

    /// The classifier's logits for the rows `lists[list]`, from their CLS tokens.
    /// - Parameter out: [list.count, C] from element `offset` on
    package func logits(
        x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, out: Buffer<Float>, offset: Int = 0,
        workspace: Workspace
    ) throws(CLError) {
        for chunk in chunks(list, of: workspace.rows * config.tokens) {
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: chunk, tokens: 1, weight: lnWeight, bias: lnBias,
                eps: config.layerNormEps, out: workspace.normed)
            try gemm(
                a: Matrix(workspace.normed, stride: config.hiddenSize), weight: head, rows: chunk.count,
                activation: .none,
                out: Matrix(
                    out, offset: offset + (chunk.lowerBound - list.lowerBound) * config.classes,
                    stride: config.classes))
        }
    }

    /// `x[dst] = o[src] + x[base]`, for the tokens that layer `layer` computes. See `Residual.add`.
    package func add(
        layer: Int, x: Buffer<Float>, o: Buffer<Float>, lists: Buffer<Int32>, dst: Int, base: Int, src: Int, count: Int
    ) throws(CLError) {
        try residual.add(
            x: x, rowStride: rowStride, o: o, lists: lists, dst: dst, base: base, src: src, count: count,
            tokens: tokens(after: layer), width: config.hiddenSize)
    }

    /// `x[dst] = x[src]`, all tokens. See `Residual.copy`.
    package func copy(x: Buffer<Float>, lists: Buffer<Int32>, dst: Int, src: Int, count: Int) throws(CLError) {
        try residual.copy(
            x: x, rowStride: rowStride, lists: lists, dst: dst, src: src, count: count, tokens: config.tokens,
            width: config.hiddenSize)
    }

    /// Pieces of at most `size`, as even as they come.
    private func chunks(_ range: Range<Int>, of size: Int) -> [Range<Int>] {
        let pieces = (range.count + size - 1) / size
        return (0..<pieces).map { piece in
            let start = range.lowerBound + range.count * piece / pieces
            return start..<(range.lowerBound + range.count * (piece + 1) / pieces)
        }
    }
}
