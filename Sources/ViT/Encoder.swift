import CLRuntime
import Kernels

/// A ViT on the device, as stages that work on lists of rows.
///
/// The residual stream is one buffer x [rows, T, D], every row one forward pass. A stage reads the rows of a list,
/// computes in chunks of `Workspace.rows`, and writes its output, bias included, to o, packed in the list's order.
/// Adding o to x is the caller's, who may add another row's instead: that is the swap.
///
/// In the last layer only the CLS token goes on to the classifier: keys and values are computed for all tokens,
/// everything else for token 0.
///
/// Follows transformers' `ViTForImageClassification` (pre-norm, CLS pooling).
public final class Encoder {
    public let config: ViTConfig
    public let context: Context
    public let gemm: any GEMM

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
    private let patchProjection: any GEMMWeight  // [D, channels * P * P]
    private let cls: Buffer<Float>  // [D]
    private let position: Buffer<Float>  // [T, D]
    private let layers: [Layer]
    private let lnWeight: Buffer<Float>, lnBias: Buffer<Float>  // [D]
    private let head: any GEMMWeight  // [C, D]
    private let activation: ActivationKind

    /// Uploads the weights.
    public init(config: ViTConfig, weights: ViTWeights, library: KernelLibrary, gemm: any GEMM) throws(CLError) {
        self.config = config
        self.gemm = gemm
        context = library.context
        let context = library.context
        layerNorm = try LayerNorm(library)
        attention = try Attention(library, headDim: config.headDim)
        embedding = try Embed(library)
        residual = try Residual(library)
        activation =
            switch config.activation {
            case .gelu: .gelu
            case .geluNew: .geluNew
            case .quickGelu: .quickGelu
            case .relu: .relu
            }
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        patchProjection = try gemm.prepare(
            weight: weights.patchWeight, bias: weights.patchBias, outputs: d, inputs: config.patchValues)
        cls = try Buffer(context, weights.cls)
        position = try Buffer(context, weights.position)
        var layers: [Layer] = []
        for (index, layer) in weights.layers.enumerated() {
            let last = index == weights.layers.count - 1
            layers.append(
                Layer(
                    ln1Weight: try Buffer(context, layer.ln1Weight), ln1Bias: try Buffer(context, layer.ln1Bias),
                    qkv: last
                        ? nil : try gemm.prepare(weight: layer.qkvWeight, bias: layer.qkvBias, outputs: 3 * d, inputs: d),
                    q: last
                        ? try gemm.prepare(
                            weight: Array(layer.qkvWeight[..<(d * d)]), bias: Array(layer.qkvBias[..<d]), outputs: d,
                            inputs: d) : nil,
                    kv: last
                        ? try gemm.prepare(
                            weight: Array(layer.qkvWeight[(d * d)...]), bias: Array(layer.qkvBias[d...]), outputs: 2 * d,
                            inputs: d) : nil,
                    proj: try gemm.prepare(weight: layer.projWeight, bias: layer.projBias, outputs: d, inputs: d),
                    ln2Weight: try Buffer(context, layer.ln2Weight), ln2Bias: try Buffer(context, layer.ln2Bias),
                    fc1: try gemm.prepare(weight: layer.fc1Weight, bias: layer.fc1Bias, outputs: m, inputs: d),
                    fc2: try gemm.prepare(weight: layer.fc2Weight, bias: layer.fc2Bias, outputs: d, inputs: m)))
        }
        self.layers = layers
        lnWeight = try Buffer(context, weights.lnWeight)
        lnBias = try Buffer(context, weights.lnBias)
        head = try gemm.prepare(weight: weights.headWeight, bias: weights.headBias, outputs: config.classes, inputs: d)
    }

    /// Tokens that layer `layer` computes for later layers: all, or in the last layer CLS.
    public func tokens(after layer: Int) -> Int { layer == config.layers - 1 ? 1 : config.tokens }

    /// Floats between two rows of x
    public var rowStride: Int { config.tokens * config.hiddenSize }

    // MARK: Stages

    /// The encoder's input for images `0 ..< images` of the pixels: rows `0 ..< images` of x.
    /// - Parameter pixels: [images, channels, S, S], normalised
    public func embed(pixels: Buffer<Float>, images: Int, x: Buffer<Float>, workspace: Workspace) throws(CLError) {
        for chunk in chunks(0..<images, of: workspace.rows) {
            try embedding.patches(
                pixels: pixels, images: chunk, channels: config.channels, imageSize: config.imageSize,
                patchSize: config.patchSize, out: workspace.patches)
            try gemm(
                a: Matrix(workspace.patches, stride: config.patchValues), weight: patchProjection,
                rows: chunk.count * config.patches, activation: .none,
                out: Matrix(workspace.normed, stride: config.hiddenSize))
            try embedding.join(
                e: workspace.normed, cls: cls, position: position, tokens: config.tokens, first: chunk.lowerBound,
                count: chunk.count, x: x)
        }
    }

    /// attn_out of layer `layer` for the rows `lists[list]`.
    /// - Parameter o: [list.count, tokens(after: layer), D]
    public func attention(
        layer index: Int, x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, o: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        let layer = layers[index]
        let (t, d) = (config.tokens, config.hiddenSize)
        let queries = tokens(after: index)
        for chunk in chunks(list, of: workspace.rows) {
            let rows = chunk.count
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: chunk, tokens: t, weight: layer.ln1Weight,
                bias: layer.ln1Bias, eps: config.layerNormEps, out: workspace.normed)
            let q: Attention.Rows, kv: Attention.Rows
            if let weight = layer.qkv {
                try gemm(
                    a: Matrix(workspace.normed, stride: d), weight: weight, rows: rows * t, activation: .none,
                    out: Matrix(workspace.qkv, stride: 3 * d))
                q = Attention.Rows(workspace.qkv, offset: 0, stride: 3 * d)
                kv = Attention.Rows(workspace.qkv, offset: d, stride: 3 * d)
            } else if let qWeight = layer.q, let kvWeight = layer.kv {
                try gemm(
                    a: Matrix(workspace.normed, stride: d), weight: kvWeight, rows: rows * t, activation: .none,
                    out: Matrix(workspace.qkv, stride: 2 * d))
                try gemm(
                    a: Matrix(workspace.normed, stride: t * d), weight: qWeight, rows: rows, activation: .none,
                    out: Matrix(workspace.hidden, stride: d))
                q = Attention.Rows(workspace.hidden, offset: 0, stride: d)
                kv = Attention.Rows(workspace.qkv, offset: 0, stride: 2 * d)
            } else {
                continue  // a layer holds either qkv, or q and kv
            }
            var values = kv
            values.offset += d
            try attention(
                q: q, queries: queries, k: kv, v: values, tokens: t, images: rows, heads: config.heads,
                scale: 1 / Float(config.headDim).squareRoot(), z: workspace.z)
            try gemm(
                a: Matrix(workspace.z, stride: d), weight: layer.proj, rows: rows * queries, activation: .none,
                out: Matrix(o, offset: (chunk.lowerBound - list.lowerBound) * queries * d, stride: d))
        }
    }

    /// mlp_out of layer `layer` for the rows `lists[list]`.
    /// - Parameter o: [list.count, tokens(after: layer), D]
    public func mlp(
        layer index: Int, x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, o: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        let layer = layers[index]
        let (m, d) = (config.intermediateSize, config.hiddenSize)
        let tokens = tokens(after: index)
        for chunk in chunks(list, of: workspace.rows) {
            let rows = chunk.count * tokens
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: chunk, tokens: tokens, weight: layer.ln2Weight,
                bias: layer.ln2Bias, eps: config.layerNormEps, out: workspace.normed)
            try gemm(
                a: Matrix(workspace.normed, stride: d), weight: layer.fc1, rows: rows, activation: activation,
                out: Matrix(workspace.hidden, stride: m))
            try gemm(
                a: Matrix(workspace.hidden, stride: m), weight: layer.fc2, rows: rows, activation: .none,
                out: Matrix(o, offset: (chunk.lowerBound - list.lowerBound) * tokens * d, stride: d))
        }
    }

    /// The classifier's logits for the rows `lists[list]`, from their CLS tokens.
    /// - Parameter out: [list.count, C]
    public func logits(
        x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, out: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        for chunk in chunks(list, of: workspace.rows * config.tokens) {
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: chunk, tokens: 1, weight: lnWeight, bias: lnBias,
                eps: config.layerNormEps, out: workspace.normed)
            try gemm(
                a: Matrix(workspace.normed, stride: config.hiddenSize), weight: head, rows: chunk.count, activation: .none,
                out: Matrix(
                    out, offset: (chunk.lowerBound - list.lowerBound) * config.classes, stride: config.classes))
        }
    }

    /// `x[dst] = o[src] + x[base]`, for the tokens that layer `layer` computes. See `Residual.add`.
    public func add(
        layer: Int, x: Buffer<Float>, o: Buffer<Float>, lists: Buffer<Int32>, dst: Int, base: Int, src: Int, count: Int
    ) throws(CLError) {
        try residual.add(
            x: x, rowStride: rowStride, o: o, lists: lists, dst: dst, base: base, src: src, count: count,
            tokens: tokens(after: layer), width: config.hiddenSize)
    }

    /// `x[dst] = x[src]`, all tokens. See `Residual.copy`.
    public func copy(x: Buffer<Float>, lists: Buffer<Int32>, dst: Int, src: Int, count: Int) throws(CLError) {
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
