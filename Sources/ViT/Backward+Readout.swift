import CLRuntime
import Kernels

extension Backward {
    /// The gradient at the last layer's end from that at the logits, `workspace.logits`.
    ///
    /// - Parameters:
    ///   - x: [*, T, D]
    ///   - rows: range of the lists with each gradient row's row of the last resid_post in x
    ///   - g: [rows.count, tokens(after: last layer), D]; 0 for tokens that the readout does not read
    package func readout(
        x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, g: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        let config = encoder.config, readout = config.architecture.readout
        let (t, d, width) = (config.tokens, config.hiddenSize, config.readoutWidth)
        let tokens = encoder.tokens(after: config.layers - 1), parts = readout.ranges(of: t)
        if encoder.pooling != nil { try recomputeAttention(x: x, lists: lists, rows: rows, workspace) }
        // Buffers of later pieces are free.
        let features = workspace.z
        try self.features(x: x, lists: lists, rows: rows, out: features, workspace)
        /// Distributes each part's gradient over the tokens that it reads
        func spread(_ input: Buffer<Float>, to out: Buffer<Float>) throws(CLError) {
            for (part, range) in parts.enumerated() {
                try encoder.pool.backward(
                    input: input, offset: part * d, stride: width, count: rows.count, tokens: range, width: d, out: out,
                    outTokens: tokens, accumulate: part > 0)
            }
        }
        /// Backward through the norm before the parts, from `workspace.normed`
        func normInput() throws(CLError) {
            try layerNorm(
                input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: tokens,
                weight: encoder.lnWeight, eps: config.layerNormEps, gradient: workspace.normed, add: g, addTokens: 0,
                out: g)
        }
        if encoder.pooling != nil {
            try attentionReadout(features, rows: rows.count, workspace)
            try normInput()
            return
        }
        switch readout.norm {
        case .none: try spread(features, to: g)
        case .before:
            try spread(features, to: workspace.normed)
            try normInput()
        case .after:
            let pooled = workspace.qkv
            try pool(x: x, lists: lists, rows: rows, out: pooled)
            try layerNorm(
                input: pooled, rowStride: rows.count * width, rows: encoder.firstRow, list: 0..<1,
                tokens: rows.count * parts.count, weight: encoder.lnWeight, eps: config.layerNormEps,
                gradient: features, add: workspace.normed, addTokens: 0, out: workspace.normed)
            try spread(workspace.normed, to: g)
        }
    }

    /// The gradient at the features [rows.count, parts of the readout * D] from that at the logits.
    private func features(
        x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, out: Buffer<Float>, _ workspace: Workspace
    ) throws(CLError) {
        let config = encoder.config, count = rows.count, width = config.readoutWidth
        let logits = Matrix(workspace.logits, stride: config.classes)
        guard let embedding = config.architecture.readout.embedding else {
            try encoder.gemm(
                a: logits, weight: head, rows: count, activation: .none, out: Matrix(out, stride: width))
            return
        }
        let g = Matrix(workspace.embeddingGradient, stride: embedding.width)
        try encoder.gemm(a: logits, weight: head, rows: count, activation: .none, out: g)
        // Recomputes the embedding before its division by its length
        try recomputeFeatures(x: x, lists: lists, rows: rows, workspace)
        if let projection = encoder.projection {
            try encoder.gemm(
                a: Matrix(workspace.features, stride: width), weight: projection, rows: count, activation: .none,
                out: Matrix(workspace.embedding, stride: embedding.width))
        } else {
            try workspace.embedding.copy(from: workspace.features, 0..<(count * width), to: 0)
        }
        try normalize(input: workspace.embedding, rows: count, width: embedding.width, g: g.buffer)
        if let projection {
            try encoder.gemm(a: g, weight: projection, rows: count, activation: .none, out: Matrix(out, stride: width))
        } else {
            try out.copy(from: g.buffer, 0..<(count * width), to: 0)
        }
    }

    /// The readout's parts for rows of x: [rows.count, parts of the readout * D].
    private func pool(
        x: Buffer<Float>, rowStride: Int? = nil, lists: Buffer<Int32>?, rows: Range<Int>, out: Buffer<Float>
    ) throws(CLError) {
        let config = encoder.config, (d, width) = (config.hiddenSize, config.readoutWidth)
        for (part, range) in config.architecture.readout.ranges(of: config.tokens).enumerated() {
            try encoder.pool(
                input: x, rowStride: rowStride ?? encoder.rowStride, rows: lists, list: rows, tokens: range, width: d,
                out: out, offset: part * d, stride: width)
        }
    }

    // MARK: Recomputing the forward pass

    /// The features of rows of x, computed as in `Encoder`, into `workspace.features`.
    private func recomputeFeatures(
        x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, _ workspace: Workspace
    ) throws(CLError) {
        let config = encoder.config, (d, m, count) = (config.hiddenSize, config.intermediateSize, rows.count)
        let features = workspace.features
        if let pooling = encoder.pooling {
            try encoder.activate(
                input: workspace.pooledHidden, out: workspace.hidden, range: 0..<(count * m),
                activation: encoder.activation)
            try features.copy(from: workspace.pooledInput, 0..<(count * d), to: 0)
            try encoder.gemm(
                a: Matrix(workspace.hidden, stride: m), weight: pooling.fc2, rows: count, activation: .none,
                out: Matrix(workspace.normed, stride: d),
                residual: ResidualRows(
                    x: features, rowStride: count * d, lists: encoder.firstRow, first: 0, tokens: count))
            return
        }
        switch config.architecture.readout.norm {
        case .none: try pool(x: x, lists: lists, rows: rows, out: features)
        case .before:
            let tokens = encoder.tokens(after: config.layers - 1)
            try encoder.layerNorm(
                input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: tokens,
                weight: encoder.lnWeight, bias: encoder.lnBias, eps: config.layerNormEps, out: workspace.normed)
            try pool(x: workspace.normed, rowStride: tokens * d, lists: nil, rows: 0..<count, out: features)
        case .after:
            let width = config.readoutWidth
            try pool(x: x, lists: lists, rows: rows, out: workspace.qkv)
            try encoder.layerNorm(
                input: workspace.qkv, rowStride: count * width, rows: encoder.firstRow, list: 0..<1,
                tokens: count * config.architecture.readout.parts.count, weight: encoder.lnWeight,
                bias: encoder.lnBias, eps: config.layerNormEps, out: features)
        }
    }

    /// Recomputes the attention readout for rows of x: keys and values, z, its MLP's input and hidden layer.
    private func recomputeAttention(
        x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, _ workspace: Workspace
    ) throws(CLError) {
        guard let pooling = encoder.pooling else { return }
        let config = encoder.config, (t, d, count) = (config.tokens, config.hiddenSize, rows.count)
        try encoder.layerNorm(
            input: x, rowStride: encoder.rowStride, rows: lists, list: rows, tokens: t, weight: encoder.lnWeight,
            bias: encoder.lnBias, eps: config.layerNormEps, out: workspace.normed)
        try encoder.gemm(
            a: Matrix(workspace.normed, stride: d), weight: pooling.kv, rows: count * t, activation: .none,
            out: Matrix(workspace.pooledKV, stride: 2 * d))
        try pooling.attention(
            q: .init(pooling.query, offset: 0, stride: 0), queries: 1,
            k: .init(workspace.pooledKV, offset: 0, stride: 2 * d),
            v: .init(workspace.pooledKV, offset: d, stride: 2 * d), tokens: t, images: count, heads: config.heads,
            scale: encoder.attentionScale, z: workspace.pooledZ)
        try encoder.gemm(
            a: Matrix(workspace.pooledZ, stride: d), weight: pooling.proj, rows: count, activation: .none,
            out: Matrix(workspace.pooledInput, stride: d))
        try encoder.layerNorm(
            input: workspace.pooledInput, rowStride: count * d, rows: encoder.firstRow, list: 0..<1, tokens: count,
            weight: pooling.norm.weight, bias: pooling.norm.bias, eps: config.layerNormEps, out: workspace.normed)
        try encoder.gemm(
            a: Matrix(workspace.normed, stride: d), weight: pooling.fc1, rows: count, activation: .none,
            out: Matrix(workspace.pooledHidden, stride: config.intermediateSize))
    }

    // MARK: A readout by attention

    /// The gradient at the final norm's output, [count, T, D] in `workspace.normed`, from that at the features
    /// [count, D].
    private func attentionReadout(
        _ features: Buffer<Float>, rows count: Int, _ workspace: Workspace
    ) throws(CLError) {
        guard let pooling = encoder.pooling, let own = self.pooling else { return }
        let config = encoder.config, (t, d, m) = (config.tokens, config.hiddenSize, config.intermediateSize)
        let hidden = workspace.hidden, normed = Matrix(workspace.normed, stride: d)
        try encoder.gemm(
            a: Matrix(features, stride: d), weight: own.fc2, rows: count, activation: .none,
            out: Matrix(hidden, stride: m))
        try activation(
            input: workspace.pooledHidden, lists: workspace.order, slots: 0..<count, elements: m,
            activation: encoder.activation, g: hidden)
        try encoder.gemm(
            a: Matrix(hidden, stride: m), weight: own.fc1, rows: count, activation: .none, out: normed)
        try layerNorm(
            input: workspace.pooledInput, rowStride: count * d, rows: encoder.firstRow, list: 0..<1, tokens: count,
            weight: pooling.norm.weight, eps: config.layerNormEps, gradient: workspace.normed, add: features,
            addTokens: count, out: features)
        try encoder.gemm(
            a: Matrix(features, stride: d), weight: own.proj, rows: count, activation: .none, out: normed)
        func keys(_ offset: Int) -> TokenRows {
            TokenRows(workspace.pooledKV, offset: offset, rowStride: t * 2 * d, tokenStride: 2 * d)
        }
        try own.attention(
            q: TokenRows(pooling.query, rowStride: 0, tokenStride: d), k: keys(0), v: keys(d),
            z: TokenRows(workspace.pooledZ, rowStride: d, tokenStride: d), queries: 1, tokens: t, heads: config.heads,
            scale: encoder.attentionScale, lists: workspace.order, slots: 0..<count, g: workspace.normed,
            statistics: workspace.statistics, out: workspace.qkv)
        // The query is a weight, the same for all images: its gradient is not used.
        try encoder.gemm(
            a: Matrix(workspace.qkv, offset: d, stride: 3 * d), weight: own.kv, rows: count * t, activation: .none,
            out: normed)
    }
}
