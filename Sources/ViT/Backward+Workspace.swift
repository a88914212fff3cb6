import CLRuntime
import Kernels

extension Backward {
    /// Buffers of a backward pass of `rows` gradient rows, reused by every layer.
    package final class Workspace {
        package let rows: Int
        /// At mlp_act, then at mlp_pre: [rows * tokens(after:), M]
        package let hidden: Buffer<Float>
        /// At z: [rows * tokens(after:), D]
        package let z: Buffer<Float>
        /// At q, k and v, side by side: [rows * T, 3D]
        package let qkv: Buffer<Float>
        /// At a layer norm's output: [rows * T, D]
        package let normed: Buffer<Float>
        /// At the logits: [rows, C]
        package let logits: Buffer<Float>
        /// Statistics of attention's softmax, per query
        let statistics: Buffer<Float>

        // Empty where the architecture does not need them:
        /// At gate and up, side by side: [rows * tokens(after:), 2M]
        let gated: Buffer<Float>
        /// Queries and keys before their norms: [rows * T, 3D]
        let unnormed: Buffer<Float>
        /// Forward values of a readout by attention: keys and values [rows * T, 2D], z and its MLP's input [rows, D],
        /// its hidden layer before the activation [rows, M]
        let pooledKV: Buffer<Float>, pooledZ: Buffer<Float>, pooledInput: Buffer<Float>, pooledHidden: Buffer<Float>
        /// For a readout compared with texts: its features [rows, parts * D], their embedding before the division by
        /// its length, and the gradient at the embedding [rows, width]
        let features: Buffer<Float>, embedding: Buffer<Float>, embeddingGradient: Buffer<Float>
        /// The list 0 ..< rows
        let order: Buffer<Int32>

        package init(_ context: Context, config: ViTConfig, rows: Int) throws(CLError) {
            self.rows = rows
            let counts = Self.counts(config, rows: rows)
            hidden = try Buffer(context, count: counts[0])
            z = try Buffer(context, count: counts[1])
            qkv = try Buffer(context, count: counts[2])
            normed = try Buffer(context, count: counts[3])
            logits = try Buffer(context, count: counts[4])
            statistics = try Buffer(context, count: counts[5])
            gated = try Buffer(context, count: counts[6])
            unnormed = try Buffer(context, count: counts[7])
            pooledKV = try Buffer(context, count: counts[8])
            pooledZ = try Buffer(context, count: counts[9])
            pooledInput = try Buffer(context, count: counts[10])
            pooledHidden = try Buffer(context, count: counts[11])
            features = try Buffer(context, count: counts[12])
            embedding = try Buffer(context, count: counts[13])
            embeddingGradient = try Buffer(context, count: counts[14])
            order = try Buffer(context, (0..<Int32(counts[15])).map { $0 })
        }

        /// Elements of each buffer, in order of creation.
        package static func counts(_ config: ViTConfig, rows: Int) -> [Int] {
            let tokens = rows * config.tokens, (d, m) = (config.hiddenSize, config.intermediateSize)
            let architecture = config.architecture, pools = architecture.readout.parts.contains(.attention)
            let embedding = rows * (architecture.readout.embedding?.width ?? 0)
            return [
                tokens * m, tokens * d, tokens * 3 * d, tokens * d, rows * config.classes,
                AttentionBackward.statistics(rows: rows, queries: config.tokens, heads: config.heads),
                architecture.hasGatedMLP ? tokens * 2 * m : 0, architecture.hasQKNorm ? tokens * 3 * d : 0,
                pools ? tokens * 2 * d : 0, pools ? rows * d : 0, pools ? rows * d : 0, pools ? rows * m : 0,
                embedding > 0 ? rows * config.readoutWidth : 0, embedding, embedding, rows,
            ]
        }

        /// Bytes of the GEMM provider's largest temporary.
        package static func temporaryBytes(_ config: ViTConfig, rows: Int, gemm: any GEMM) throws(CLError) -> Int {
            let (d, m, tokens) = (config.hiddenSize, config.intermediateSize, rows * config.tokens)
            var temporary = 0
            for (n, k) in [(config.headWidth, config.classes), (config.readoutWidth, config.headWidth)] {
                temporary = max(temporary, try gemm.temporaryBytes(rows: rows, outputs: n, inputs: k))
            }
            for (n, k) in [(d, 3 * d), (3 * d, d), (d, d), (d, config.fc1Size), (m, d)] {
                temporary = max(temporary, try gemm.temporaryBytes(rows: tokens, outputs: n, inputs: k))
            }
            return temporary
        }
    }

    /// The gradient at an activation inside a layer, one row per gradient row of a workspace. It is valid from the
    /// piece of the backward pass that computes it to the end of the stage.
    package func gradient(_ activation: Activation, layer: Int, workspace: Workspace) -> TokenRows {
        let (t, d, m) = (encoder.config.tokens, encoder.config.hiddenSize, encoder.config.intermediateSize)
        let own = encoder.tokens(after: layer)
        func joint(_ part: Int) -> TokenRows {
            TokenRows(workspace.qkv, offset: part * d, rowStride: t * 3 * d, tokenStride: 3 * d)
        }
        return switch activation {
        case .q: joint(0)
        case .k: joint(1)
        case .v: joint(2)
        case .z: TokenRows(workspace.z, rowStride: own * d, tokenStride: d)
        case .mlpPre where encoder.config.architecture.hasGatedMLP:
            TokenRows(workspace.gated, rowStride: own * 2 * m, tokenStride: 2 * m)
        case .mlpPre, .mlpAct: TokenRows(workspace.hidden, rowStride: own * m, tokenStride: m)
        }
    }
}
