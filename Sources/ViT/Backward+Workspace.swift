import CLRuntime
import Kernels

extension Backward {
    /// Buffers of a backward pass of `rows` gradient rows. Every layer uses the same.
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
        /// Of attention's softmax, per query
        let statistics: Buffer<Float>

        package init(_ context: Context, config: ViTConfig, rows: Int) throws(CLError) {
            self.rows = rows
            let counts = Self.counts(config, rows: rows)
            hidden = try Buffer(context, count: counts[0])
            z = try Buffer(context, count: counts[1])
            qkv = try Buffer(context, count: counts[2])
            normed = try Buffer(context, count: counts[3])
            logits = try Buffer(context, count: counts[4])
            statistics = try Buffer(context, count: counts[5])
        }

        /// Elements of each buffer, in the order in which they are made.
        package static func counts(_ config: ViTConfig, rows: Int) -> [Int] {
            let tokens = rows * config.tokens, d = config.hiddenSize
            return [
                tokens * config.intermediateSize, tokens * d, tokens * 3 * d, tokens * d, rows * config.classes,
                AttentionBackward.statistics(rows: rows, queries: config.tokens, heads: config.heads),
            ]
        }

        /// Bytes of the GEMM provider's largest temporary.
        package static func temporaryBytes(_ config: ViTConfig, rows: Int, gemm: any GEMM) throws(CLError) -> Int {
            let (d, m, tokens) = (config.hiddenSize, config.intermediateSize, rows * config.tokens)
            var temporary = try gemm.temporaryBytes(rows: rows, outputs: config.readoutWidth, inputs: config.classes)
            for (n, k) in [(d, 3 * d), (d, d), (d, m), (m, d)] {
                temporary = max(temporary, try gemm.temporaryBytes(rows: tokens, outputs: n, inputs: k))
            }
            return temporary
        }
    }

    /// Where the gradient at an activation inside a layer stands in a workspace, a row for each gradient row: from the
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
        case .mlpPre, .mlpAct: TokenRows(workspace.hidden, rowStride: own * m, tokenStride: m)
        }
    }
}
