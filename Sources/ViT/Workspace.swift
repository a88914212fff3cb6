import CLRuntime
import Kernels

/// What the stages of an `Encoder` need beside x and o, for `rows` passes at a time. Every layer uses the same.
public final class Workspace {
    /// Passes in a chunk
    public let rows: Int
    let patches: Buffer<Float>  // [rows * Np, channels * P * P]
    let normed: Buffer<Float>  // [rows * T, D]  layer norm's output
    let qkv: Buffer<Float>  // [rows * T, 3D]
    let z: Buffer<Float>  // [rows * T, D]
    let hidden: Buffer<Float>  // [rows * T, max(M, D)]  the MLP's hidden layer; the last layer's q

    public init(_ context: Context, config: ViTConfig, rows: Int) throws(CLError) {
        self.rows = rows
        let counts = Self.counts(config, rows: rows)
        patches = try Buffer(context, count: counts[0])
        normed = try Buffer(context, count: counts[1])
        qkv = try Buffer(context, count: counts[2])
        z = try Buffer(context, count: counts[3])
        hidden = try Buffer(context, count: counts[4])
    }

    /// Elements of each buffer, in the order above.
    public static func counts(_ config: ViTConfig, rows: Int) -> [Int] {
        let tokens = rows * config.tokens
        return [
            rows * config.patches * config.patchValues, tokens * config.hiddenSize, tokens * 3 * config.hiddenSize,
            tokens * config.hiddenSize, tokens * max(config.intermediateSize, config.hiddenSize),
        ]
    }

    /// Bytes of all buffers, and of the GEMM provider's largest temporary.
    public static func bytes(_ config: ViTConfig, rows: Int, gemm: any GEMM) throws(CLError) -> Int {
        let (d, m, tokens) = (config.hiddenSize, config.intermediateSize, rows * config.tokens)
        var temporary = 0
        for (n, k) in [(3 * d, d), (d, d), (m, d), (d, m), (d, config.patchValues), (config.classes, d)] {
            temporary = max(temporary, try gemm.temporaryBytes(rows: tokens, outputs: n, inputs: k))
        }
        return counts(config, rows: rows).reduce(0, +) * MemoryLayout<Float>.size + temporary
    }
}
