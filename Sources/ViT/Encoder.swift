import CLRuntime
import Kernels

/// An encoder on the device, as primitives on lists of rows and on slots of a workspace.
///
/// The residual stream is one buffer x [rows, T, D]; every row is one forward pass. A stage is cut where activations
/// can be read and replaced; each piece between two cuts is one function:
///
///     attention   x -> projectQKV -> q, k, v -> attend -> z -> attentionOutput -> o, or added to x
///     MLP         x -> projectHidden -> mlp_pre -> activate -> mlp_act -> mlpOutput -> o, or added to x
///
/// The caller acts at the cuts. It also adds o to x, possibly another row's o: that is the swap of whole outputs.
///
/// The last layer computes keys and values for all tokens, everything else for the tokens that the classifier reads.
package final class Encoder {
    package let config: ViTConfig
    package let context: Context
    package let gemm: any GEMM

    struct Layer {
        let ln1Weight: Buffer<Float>, ln1Bias: Buffer<Float>  // [D]
        /// [3D, D]; nil in a layer with fewer queries than tokens, which uses q and kv instead
        let qkv: (any GEMMWeight)?
        let q: (any GEMMWeight)?  // [D, D]
        let kv: (any GEMMWeight)?  // [2D, D]
        let proj: any GEMMWeight  // [D, D]
        let ln2Weight: Buffer<Float>, ln2Bias: Buffer<Float>  // [D]
        let fc1: any GEMMWeight  // [M, D]; [2M, D] of a gated MLP
        let fc2: any GEMMWeight  // [D, M]
        let qNorm: Norm?, kNorm: Norm?  // [Dh]
        let scoreBias: Buffer<Float>?  // [H, T, T]
    }

    typealias Norm = (weight: Buffer<Float>, bias: Buffer<Float>)

    /// See `PoolingWeights`
    struct Pooling {
        let query: Buffer<Float>  // [D]
        let kv: any GEMMWeight  // [2D, D]
        let proj: any GEMMWeight  // [D, D]
        let norm: Norm  // [D]
        let fc1: any GEMMWeight  // [M, D]
        let fc2: any GEMMWeight  // [D, M]
        /// Without a bias of the scores
        let attention: Attention
    }

    let layerNorm: LayerNorm
    let attention: Attention
    let embedding: Embed
    let residual: Residual
    let slices: Slices
    let noise: Noise
    let activate: Activate
    let activateGated: ActivateGated
    let normHeads: LayerNormHeads
    let normalize: NormalizeRows
    let pool: Pool
    let patchProjection: any GEMMWeight  // [D, channels * PH * PW]
    let prefix: Buffer<Float>  // [prefix tokens, D]
    let position: Buffer<Float>  // [T, D]
    /// Between the embeddings and the first layer
    let preNorm: Norm?  // [D]
    /// A list with the single row 0
    let firstRow: Buffer<Int32>
    let layers: [Layer]
    let lnWeight: Buffer<Float>, lnBias: Buffer<Float>  // [D]
    let head: any GEMMWeight  // [C, parts of the readout * D]; [C, width of its embedding]
    let pooling: Pooling?
    let projection: (any GEMMWeight)?  // [width, parts of the readout * D]
    let activation: ActivationKind

    /// Uploads the weights.
    package init(config: ViTConfig, weights: ViTWeights, library: KernelLibrary, gemm: any GEMM) throws(CLError) {
        self.config = config
        self.gemm = gemm
        context = library.context
        let context = library.context
        layerNorm = try LayerNorm(library)
        attention = try Attention(
            library, headDim: config.headDim, hasScoreBias: config.architecture.hasScoreBias)
        embedding = try Embed(library)
        residual = try Residual(library)
        slices = try Slices(library)
        noise = try Noise(library)
        activate = try Activate(library)
        activateGated = try ActivateGated(library)
        normHeads = try LayerNormHeads(library)
        normalize = try NormalizeRows(library)
        pool = try Pool(library)
        activation =
            switch config.activation {
            case .gelu: .gelu
            case .geluNew: .geluNew
            case .quickGelu: .quickGelu
            case .relu: .relu
            case .silu: .silu
            case .mish: .mish
            }
        let (d, m, hidden) = (config.hiddenSize, config.intermediateSize, config.fc1Size)
        // A weight's values are on the host only during its upload.
        func upload(_ weight: Weight) throws(CLError) -> Buffer<Float> { try Buffer(context, weight.floats) }
        func prepare(_ weight: Weight, _ bias: Weight, _ outputs: Int, _ inputs: Int) throws(CLError) -> any GEMMWeight
        {
            try gemm.prepare(weight: weight.floats, bias: bias.floats, outputs: outputs, inputs: inputs)
        }
        patchProjection = try prepare(weights.patchWeight, weights.patchBias, d, config.patchValues)
        prefix = try upload(weights.prefix)
        position = try upload(weights.position)
        firstRow = try Buffer(context, [0])
        func upload(_ norm: (weight: Weight, bias: Weight)?) throws(CLError) -> Norm? {
            guard let norm else { return nil }
            return (try upload(norm.weight), try upload(norm.bias))
        }
        preNorm = try upload(weights.preNorm)
        var layers: [Layer] = []
        for (index, layer) in weights.layers.enumerated() {
            var qkv: (any GEMMWeight)?, q: (any GEMMWeight)?, kv: (any GEMMWeight)?
            if config.tokens(after: index) == config.tokens {
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
                    ln2Bias: try upload(layer.ln2Bias), fc1: try prepare(layer.fc1Weight, layer.fc1Bias, hidden, d),
                    fc2: try prepare(layer.fc2Weight, layer.fc2Bias, d, m), qNorm: try upload(layer.qNorm),
                    kNorm: try upload(layer.kNorm), scoreBias: try layer.scoreBias.map(upload)))
        }
        self.layers = layers
        lnWeight = try upload(weights.lnWeight)
        lnBias = try upload(weights.lnBias)
        head = try prepare(weights.headWeight, weights.headBias, config.classes, config.headWidth)
        if let pool = weights.pooling {
            pooling = Pooling(
                query: try upload(pool.query), kv: try prepare(pool.kvWeight, pool.kvBias, 2 * d, d),
                proj: try prepare(pool.projWeight, pool.projBias, d, d),
                norm: (try upload(pool.norm.weight), try upload(pool.norm.bias)),
                fc1: try prepare(pool.fc1Weight, pool.fc1Bias, m, d),
                fc2: try prepare(pool.fc2Weight, pool.fc2Bias, d, m),
                attention: try Attention(library, headDim: config.headDim))
        } else {
            pooling = nil
        }
        projection = try weights.projection.map { weight throws(CLError) in
            try prepare(weight, .zeros(config.headWidth), config.headWidth, config.readoutWidth)
        }
    }

    /// The number of tokens, from the first, that layer `layer` computes for later layers.
    package func tokens(after layer: Int) -> Int { config.tokens(after: layer) }

    /// The bias that a layer adds to its attention scores [H, T, T]; nil if it has none.
    package func scoreBiasBuffer(layer: Int) -> Buffer<Float>? { layers[layer].scoreBias }

    /// The same bias, read to the host
    package func scoreBias(layer: Int) throws(CLError) -> [Float]? {
        guard let bias = layers[layer].scoreBias else { return nil }
        return try bias.read(0..<bias.count)
    }

    /// Floats between two rows of x
    package var rowStride: Int { config.tokens * config.hiddenSize }

    func place(_ activation: Activation, layer: Int, _ workspace: Workspace) -> Workspace.Place {
        workspace.place(activation, config: config, tokens: tokens(after: layer))
    }

    /// Splits a range into pieces of at most `size`, as even as possible.
    func chunks(_ range: Range<Int>, of size: Int) -> [Range<Int>] {
        let pieces = (range.count + size - 1) / size
        return (0..<pieces).map { piece in
            let start = range.lowerBound + range.count * piece / pieces
            return start..<(range.lowerBound + range.count * (piece + 1) / pieces)
        }
    }
}
