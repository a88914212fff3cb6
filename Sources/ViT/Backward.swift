import CLRuntime
import Kernels

/// The backward pass of an encoder: gradients of metrics with respect to activations, not weights.
///
/// It goes from the logits to the embeddings, with one piece for each piece of the forward pass (`Encoder`):
///
///     metricGradient -> readout -> g
///     MLP        g -> mlpOutput -> mlp_act -> activate -> mlp_pre -> mlpInput -> g
///     attention  g -> attentionOutput -> z -> attend -> q, k, v -> attentionInput -> g
///
/// A gradient row is one backward pass: of one metric, in one forward pass. Several may share a forward pass. g is the
/// gradient at the stream, compact: [rows, tokens(after: layer), D] from the end of a layer to its attention's output,
/// [rows, T, D] at its start. Activations inside a layer are read from an encoder's workspace, where the layer was
/// recomputed.
package final class Backward {
    package let encoder: Encoder

    /// A layer's weights transposed
    struct Layer {
        let qkv: any GEMMWeight  // [D, 3D]
        let proj: any GEMMWeight  // [D, D]
        let fc1: any GEMMWeight  // [D, M]; [D, 2M] of a gated MLP
        let fc2: any GEMMWeight  // [M, D]
    }

    /// Transposed weights of a readout by attention
    struct Pooling {
        let kv: any GEMMWeight  // [D, 2D]
        let proj: any GEMMWeight  // [D, D]
        let fc1: any GEMMWeight  // [D, M]
        let fc2: any GEMMWeight  // [M, D]
        /// Without a bias of the scores
        let attention: AttentionBackward
    }

    let layers: [Layer]
    let head: any GEMMWeight  // [parts of the readout * D, C]; [width of its embedding, C]
    let pooling: Pooling?
    let projection: (any GEMMWeight)?  // [parts of the readout * D, width of its embedding]
    let metrics: MetricGradient
    let layerNorm: LayerNormBackward
    let normHeads: LayerNormHeadsBackward
    let normalize: NormalizeRowsBackward
    let attention: AttentionBackward
    let activation: ActivationBackward

    /// Uploads the weights a second time, transposed, in the layout of the encoder's GEMM.
    package init(_ encoder: Encoder, weights: ViTWeights, library: KernelLibrary) throws(CLError) {
        self.encoder = encoder
        metrics = try MetricGradient(library)
        layerNorm = try LayerNormBackward(library)
        normHeads = try LayerNormHeadsBackward(library)
        normalize = try NormalizeRowsBackward(library)
        attention = try AttentionBackward(
            library, headDim: encoder.config.headDim, hasScoreBias: encoder.config.architecture.hasScoreBias)
        activation = try ActivationBackward(library)
        let config = encoder.config, (d, m) = (config.hiddenSize, config.intermediateSize), gemm = encoder.gemm
        /// Transposes a weight [outputs, inputs]
        func transposed(_ weight: Weight, _ outputs: Int, _ inputs: Int) throws(CLError) -> any GEMMWeight {
            try gemm.prepare(
                weight: transpose(weight.floats, rows: outputs, columns: inputs),
                bias: [Float](repeating: 0, count: inputs), outputs: inputs, inputs: outputs)
        }
        var layers: [Layer] = []
        for layer in weights.layers {
            layers.append(
                Layer(
                    qkv: try transposed(layer.qkvWeight, 3 * d, d), proj: try transposed(layer.projWeight, d, d),
                    fc1: try transposed(layer.fc1Weight, config.fc1Size, d),
                    fc2: try transposed(layer.fc2Weight, d, m)))
        }
        self.layers = layers
        head = try transposed(weights.headWeight, config.classes, config.headWidth)
        pooling = try weights.pooling.map { pool throws(CLError) in
            Pooling(
                kv: try transposed(pool.kvWeight, 2 * d, d), proj: try transposed(pool.projWeight, d, d),
                fc1: try transposed(pool.fc1Weight, m, d), fc2: try transposed(pool.fc2Weight, d, m),
                attention: try AttentionBackward(library, headDim: config.headDim))
        }
        projection = try weights.projection.map { weight throws(CLError) in
            try transposed(weight, config.headWidth, config.readoutWidth)
        }
    }

    // MARK: From the metric to the stream

    /// The gradient of each row's metric at its logits, into `workspace.logits`.
    ///
    /// - Parameters:
    ///   - logits: [*, C]
    ///   - rows: range of the lists with each gradient row's row of `logits`
    ///   - images: likewise its image
    ///   - metrics: likewise its metric, `MetricGradient.Metric`
    ///   - targets: the image's target at `offset + 2 * image`, followed by its foil, as written by `Metrics`
    package func metricGradient(
        logits: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, images: Range<Int>, metrics: Range<Int>,
        targets: Buffer<Float>, offset: Int, workspace: Workspace
    ) throws(CLError) {
        try self.metrics(
            logits: logits, classes: encoder.config.classes, lists: lists, rows: rows, images: images,
            metrics: metrics, targets: targets, offset: offset, out: workspace.logits)
    }

    // MARK: MLP

    /// The gradient at mlp_act, in `workspace.hidden`, from that at the layer's end.
    /// - Parameter g: [count, tokens(after: layer), D]
    package func mlpOutput(layer: Int, g: Buffer<Float>, count: Int, workspace: Workspace) throws(CLError) {
        try product(
            Matrix(g, stride: encoder.config.hiddenSize), layers[layer].fc2, layer: layer, count: count,
            Matrix(workspace.hidden, stride: encoder.config.intermediateSize))
    }

    /// The gradient at mlp_pre from that at mlp_act, in place; for a gated MLP in `workspace.gated`.
    /// - Parameter slots: range of the lists with each gradient row's slot of `forward`'s mlp_pre
    package func activate(
        layer: Int, lists: Buffer<Int32>, slots: Range<Int>, forward: ViT.Workspace, workspace: Workspace
    ) throws(CLError) {
        let pre = encoder.place(.mlpPre, layer: layer, forward)
        if encoder.config.architecture.hasGatedMLP {
            try activation.gated(
                input: pre.buffer, offset: pre.offset, lists: lists, slots: slots, tokens: pre.tokens, width: pre.width,
                activation: encoder.activation, g: workspace.hidden, out: workspace.gated)
            return
        }
        try activation(
            input: pre.buffer, offset: pre.offset, lists: lists, slots: slots, elements: pre.tokens * pre.width,
            activation: encoder.activation, g: workspace.hidden)
    }

    /// The gradient at resid_mid, in place of g, from those at mlp_pre and at the layer's end.
    ///
    /// - Parameters:
    ///   - x: [*, T, D]
    ///   - rows: range of the lists with each gradient row's row of resid_mid in x
    ///   - g: [rows.count, tokens(after: layer), D]
    package func mlpInput(
        layer: Int, x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, g: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        let config = encoder.config, tokens = encoder.tokens(after: layer)
        try product(
            Matrix(config.architecture.hasGatedMLP ? workspace.gated : workspace.hidden, stride: config.fc1Size),
            layers[layer].fc1, layer: layer, count: rows.count, Matrix(workspace.normed, stride: config.hiddenSize))
        try layerNorm(
            input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: tokens,
            weight: encoder.layers[layer].ln2Weight, eps: config.layerNormEps, gradient: workspace.normed, add: g,
            addTokens: tokens, out: g)
    }

    // MARK: Attention

    /// The gradient at z, in `workspace.z`, from that at resid_mid.
    /// - Parameter g: [count, tokens(after: layer), D]
    package func attentionOutput(layer: Int, g: Buffer<Float>, count: Int, workspace: Workspace) throws(CLError) {
        let d = encoder.config.hiddenSize
        try product(
            Matrix(g, stride: d), layers[layer].proj, layer: layer, count: count, Matrix(workspace.z, stride: d))
    }

    /// The gradients at q, k and v, in `workspace.qkv`, from that at z; 0 at queries that the layer does not compute.
    /// - Parameter slots: range of the lists with each gradient row's slot of `forward`'s q, k, v and z
    package func attend(
        layer: Int, lists: Buffer<Int32>, slots: Range<Int>, forward: ViT.Workspace, workspace: Workspace
    ) throws(CLError) {
        func rows(_ activation: Activation) -> TokenRows { encoder.place(activation, layer: layer, forward).tokenRows }
        try attention(
            q: rows(.q), k: rows(.k), v: rows(.v), z: rows(.z), queries: encoder.tokens(after: layer),
            tokens: encoder.config.tokens, heads: encoder.config.heads, scale: encoder.attentionScale, lists: lists,
            slots: slots, g: workspace.z, statistics: workspace.statistics, out: workspace.qkv,
            bias: encoder.scoreBiasBuffer(layer: layer))
    }

    /// The gradient at resid_pre from those at q, k, v and at resid_mid.
    ///
    /// - Parameters:
    ///   - x: [*, T, D]
    ///   - rows: range of the lists with each gradient row's row of resid_pre in x
    ///   - g: [rows.count, tokens(after: layer), D]
    ///   - out: [rows.count, T, D], not the same buffer as g
    package func attentionInput(
        layer: Int, x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, g: Buffer<Float>, out: Buffer<Float>,
        workspace: Workspace
    ) throws(CLError) {
        let config = encoder.config, (t, d) = (config.tokens, config.hiddenSize)
        try headNorms(layer: layer, x: x, lists: lists, rows: rows, workspace)
        try encoder.gemm(
            a: Matrix(workspace.qkv, stride: 3 * d), weight: layers[layer].qkv, rows: rows.count * t, activation: .none,
            out: Matrix(workspace.normed, stride: d))
        try layerNorm(
            input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: t,
            weight: encoder.layers[layer].ln1Weight, eps: config.layerNormEps, gradient: workspace.normed, add: g,
            addTokens: encoder.tokens(after: layer), out: out)
    }

    /// The gradients before the norms of q and k from those after them, in place; nothing where there are no such
    /// norms.
    private func headNorms(
        layer index: Int, x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, _ workspace: Workspace
    ) throws(CLError) {
        let layer = encoder.layers[index], config = encoder.config
        guard let qNorm = layer.qNorm, let kNorm = layer.kNorm else { return }
        let d = config.hiddenSize, count = rows.count * config.tokens
        // The forward pass norms in place, so the norms' inputs are recomputed.
        try encoder.layerNorm(
            input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: config.tokens,
            weight: layer.ln1Weight, bias: layer.ln1Bias, eps: config.layerNormEps, out: workspace.normed)
        for (weight, offset) in [(layer.qkv, 0), (layer.q, 0), (layer.kv, d)] {
            guard let weight else { continue }
            try encoder.gemm(
                a: Matrix(workspace.normed, stride: d), weight: weight, rows: count, activation: .none,
                out: Matrix(workspace.unnormed, offset: offset, stride: 3 * d))
        }
        for (norm, offset) in [(qNorm, 0), (kNorm, d)] {
            try normHeads(
                input: workspace.unnormed, inputOffset: offset, inputStride: 3 * d, rows: count, heads: config.heads,
                weight: norm.weight, eps: config.layerNormEps, g: workspace.qkv, offset: offset, stride: 3 * d)
        }
    }

    private func product(
        _ a: Matrix, _ weight: any GEMMWeight, layer: Int, count: Int, _ out: Matrix
    ) throws(CLError) {
        try encoder.gemm(
            a: a, weight: weight, rows: count * encoder.tokens(after: layer), activation: .none, out: out)
    }
}

/// [rows, columns] to [columns, rows]
private func transpose(_ values: [Float], rows: Int, columns: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: values.count) { to, count in
        values.withUnsafeBufferPointer { from in
            for column in 0..<columns {
                for row in 0..<rows { to[column * rows + row] = from[row * columns + column] }
            }
        }
        count = values.count
    }
}
