import CLRuntime
import Kernels

extension Encoder {
    /// The classifier's logits for the rows `lists[list]`, through the architecture's readout.
    /// - Parameter out: [list.count, C] from element `offset` on
    package func logits(
        x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, out: Buffer<Float>, offset: Int = 0,
        workspace: Workspace
    ) throws(CLError) {
        let readout = config.architecture.readout
        // First tokens need no buffer besides their norm's, so many rows are read at a time.
        let parts = readout.parts.count
        let rows = readout.isFirstTokens ? max(workspace.rows * config.tokens / parts, 1) : workspace.rows
        for chunk in chunks(list, of: rows) {
            let features: Matrix
            if readout.isFirstTokens {
                try layerNorm(
                    input: x, rowStride: rowStride, rows: lists, list: chunk, tokens: parts, weight: lnWeight,
                    bias: lnBias, eps: config.layerNormEps, out: workspace.normed)
                features = Matrix(workspace.normed, stride: config.readoutWidth)
            } else {
                let parts = try pooled(x: x, lists: lists, list: chunk, workspace: workspace)
                features = try embedded(Matrix(parts, stride: config.readoutWidth), rows: chunk.count, workspace)
            }
            try gemm(
                a: features, weight: head, rows: chunk.count, activation: .none,
                out: Matrix(
                    out, offset: offset + (chunk.lowerBound - list.lowerBound) * config.classes,
                    stride: config.classes))
        }
    }

    /// The readout's parts for the rows `lists[list]`, with its norm: [list.count, parts, D].
    private func pooled(
        x: Buffer<Float>, lists: Buffer<Int32>, list: Range<Int>, workspace: Workspace
    ) throws(CLError) -> Buffer<Float> {
        let readout = config.architecture.readout, (t, d) = (config.tokens, config.hiddenSize)
        let width = config.readoutWidth, isNormed = readout.norm == .before
        if isNormed {
            try layerNorm(
                input: x, rowStride: rowStride, rows: lists, list: list, tokens: t, weight: lnWeight, bias: lnBias,
                eps: config.layerNormEps, out: workspace.normed)
        }
        if let pooling {
            try attend(pooling, rows: list.count, workspace)
            return workspace.features
        }
        for (part, tokens) in readout.ranges(of: t).enumerated() {
            try pool(
                input: isNormed ? workspace.normed : x, rowStride: rowStride, rows: isNormed ? nil : lists,
                list: isNormed ? 0..<list.count : list, tokens: tokens, width: d, out: workspace.features,
                offset: part * d, stride: width)
        }
        guard readout.norm == .after else { return workspace.features }
        try layerNorm(
            input: workspace.features, rowStride: list.count * width, rows: firstRow, list: 0..<1,
            tokens: list.count * readout.parts.count, weight: lnWeight, bias: lnBias, eps: config.layerNormEps,
            out: workspace.normed)
        return workspace.normed
    }

    /// The readout by attention (`PoolingWeights`) of normed rows, into `workspace.features`: [rows, D].
    private func attend(_ pooling: Pooling, rows: Int, _ workspace: Workspace) throws(CLError) {
        let (t, d, m) = (config.tokens, config.hiddenSize, config.intermediateSize)
        let (features, z) = (workspace.features, workspace.z)
        try gemm(
            a: Matrix(workspace.normed, stride: d), weight: pooling.kv, rows: rows * t, activation: .none,
            out: Matrix(workspace.qkv, stride: 2 * d))
        try pooling.attention(
            q: .init(pooling.query, offset: 0, stride: 0), queries: 1,
            k: .init(workspace.qkv, offset: 0, stride: 2 * d),
            v: .init(workspace.qkv, offset: d, stride: 2 * d), tokens: t, images: rows, heads: config.heads,
            scale: attentionScale, z: z)
        try gemm(
            a: Matrix(z, stride: d), weight: pooling.proj, rows: rows, activation: .none,
            out: Matrix(features, stride: d))
        try layerNorm(
            input: features, rowStride: rows * d, rows: firstRow, list: 0..<1, tokens: rows,
            weight: pooling.norm.weight, bias: pooling.norm.bias, eps: config.layerNormEps, out: workspace.normed)
        try gemm(
            a: Matrix(workspace.normed, stride: d), weight: pooling.fc1, rows: rows, activation: activation,
            out: Matrix(workspace.hidden, stride: m))
        try gemm(
            a: Matrix(workspace.hidden, stride: m), weight: pooling.fc2, rows: rows, activation: .none,
            out: Matrix(z, stride: d),
            residual: ResidualRows(x: features, rowStride: rows * d, lists: firstRow, first: 0, tokens: rows))
    }

    /// The classifier's input: the features themselves, or their embedding of length 1.
    private func embedded(_ features: Matrix, rows: Int, _ workspace: Workspace) throws(CLError) -> Matrix {
        guard let embedding = config.architecture.readout.embedding else { return features }
        // After the features, which a projection reads
        let out = Matrix(workspace.features, offset: rows * config.readoutWidth, stride: embedding.width)
        if let projection {
            try gemm(a: features, weight: projection, rows: rows, activation: .none, out: out)
        } else {
            try workspace.features.copy(
                from: features.buffer, 0..<(rows * embedding.width), to: rows * config.readoutWidth)
        }
        try normalize(x: workspace.features, offset: rows * config.readoutWidth, rows: rows, width: embedding.width)
        return out
    }
}
