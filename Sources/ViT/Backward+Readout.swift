import CLRuntime
import Kernels

extension Backward {
    /// The gradient at the logits, `workspace.logits`, to that at the last layer's end.
    ///
    /// - Parameters:
    ///   - x: [*, T, D]
    ///   - rows: where in the lists the row of the last resid_post of each gradient row stands
    ///   - g: [rows.count, tokens(after: last layer), D]; 0 for tokens that the readout does not read
    package func readout(
        x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, g: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        let config = encoder.config, readout = config.architecture.readout
        let (t, d, width) = (config.tokens, config.hiddenSize, config.readoutWidth)
        let tokens = encoder.tokens(after: config.layers - 1), parts = readout.ranges(of: t)
        // Buffers of later pieces are free.
        let features = workspace.z
        try encoder.gemm(
            a: Matrix(workspace.logits, stride: config.classes), weight: head, rows: rows.count, activation: .none,
            out: Matrix(features, stride: width))
        /// Each part's gradient to the tokens that it is made of
        func spread(_ input: Buffer<Float>, to out: Buffer<Float>) throws(CLError) {
            for (part, range) in parts.enumerated() {
                try encoder.pool.backward(
                    input: input, offset: part * d, stride: width, count: rows.count, tokens: range, width: d, out: out,
                    outTokens: tokens, accumulate: part > 0)
            }
        }
        switch readout.norm {
        case .none: try spread(features, to: g)
        case .before:
            try spread(features, to: workspace.normed)
            try layerNorm(
                input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: tokens,
                weight: encoder.lnWeight, eps: config.layerNormEps, gradient: workspace.normed, add: g, addTokens: 0,
                out: g)
        case .after:
            let pooled = workspace.qkv
            for (part, range) in parts.enumerated() {
                try encoder.pool(
                    input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: range, width: d,
                    out: pooled, offset: part * d, stride: width)
            }
            try layerNorm(
                input: pooled, rowStride: rows.count * width, rows: encoder.firstRow, list: 0..<1,
                tokens: rows.count * parts.count, weight: encoder.lnWeight, eps: config.layerNormEps,
                gradient: features, add: workspace.normed, addTokens: 0, out: workspace.normed)
            try spread(workspace.normed, to: g)
        }
    }
}
