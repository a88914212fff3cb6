import CLRuntime
import Kernels

extension Encoder {
    /// Destination of a stage's outputs, bias included: `o`, or added to the stream by the GEMM.
    package struct Output {
        package var o: Buffer<Float>  // [*, tokens(after: layer), D]
        /// The first pass's position in o; the others follow
        package var position: Int
        package var x: Buffer<Float>
        package var lists: Buffer<Int32>
        /// From this index of the lists on, one entry per pass: the row of x that its output is added to, or a negative
        /// number if it goes to o. nil: all go to o
        package var adds: Int?

        package init(o: Buffer<Float>, position: Int, x: Buffer<Float>, lists: Buffer<Int32>, adds: Int?) {
            (self.o, self.position, self.x, self.lists, self.adds) = (o, position, x, lists, adds)
        }
    }

    // MARK: Attention

    /// q, k and v of the rows `lists[rows]`, into slots from `slot` on.
    package func projectQKV(
        layer index: Int, x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, slot: Int, workspace: Workspace
    ) throws(CLError) {
        let layer = layers[index]
        let (t, d) = (config.tokens, config.hiddenSize)
        let q = place(.q, layer: index, workspace), k = place(.k, layer: index, workspace)
        try layerNorm(
            input: x, rowStride: rowStride, rows: lists, list: rows, tokens: t, weight: layer.ln1Weight,
            bias: layer.ln1Bias, eps: config.layerNormEps, out: workspace.normed)
        if let weight = layer.qkv {
            try gemm(
                a: Matrix(workspace.normed, stride: d), weight: weight, rows: rows.count * t, activation: .none,
                out: q.matrix(slot))
        } else if let qWeight = layer.q, let kvWeight = layer.kv {
            try gemm(
                a: Matrix(workspace.normed, stride: d), weight: kvWeight, rows: rows.count * t, activation: .none,
                out: k.matrix(slot))
            for token in 0..<q.tokens {
                try gemm(
                    a: Matrix(workspace.normed, offset: token * d, stride: t * d), weight: qWeight, rows: rows.count,
                    activation: .none,
                    out: Matrix(q.buffer, offset: q.start(slot) + token * d, stride: q.tokens * q.stride))
            }
        }
        for (norm, place) in [(layer.qNorm, q), (layer.kNorm, k)] {
            guard let norm else { continue }
            try normHeads(
                x: place.buffer, offset: place.start(slot), stride: place.stride, rows: rows.count * place.tokens,
                heads: config.heads, weight: norm.weight, bias: norm.bias, eps: config.layerNormEps)
        }
    }

    /// z of some slots from their q, k and v.
    package func attend(layer: Int, slots: Range<Int>, workspace: Workspace) throws(CLError) {
        let q = place(.q, layer: layer, workspace), k = place(.k, layer: layer, workspace)
        let v = place(.v, layer: layer, workspace), z = place(.z, layer: layer, workspace)
        let slot = slots.lowerBound
        try attention(
            q: q.rows(slot), queries: q.tokens, k: k.rows(slot), v: v.rows(slot), tokens: k.tokens, images: slots.count,
            heads: config.heads, scale: attentionScale, z: z.buffer, zOffset: z.start(slot),
            bias: layers[layer].scoreBias)
    }

    /// z of some heads and queries from another slot's pattern.
    package func attend(
        layer: Int, lists: Buffer<Int32>, patterns: Entries<PatternEntry>, workspace: Workspace
    ) throws(CLError) {
        let q = place(.q, layer: layer, workspace), k = place(.k, layer: layer, workspace)
        try attention.pattern(
            q: q.rows(), queries: q.tokens, k: k.rows(), v: place(.v, layer: layer, workspace).rows(), tokens: k.tokens,
            heads: config.heads, scale: attentionScale, z: workspace.z, lists: lists, entries: patterns,
            bias: layers[layer].scoreBias)
    }

    /// z from the queries of some slots and the keys and values of others.
    /// - Parameters:
    ///   - queries, keys, values: the first slot of each; `count` consecutive slots are used
    ///   - z: [count, tokens(after: layer), D]
    package func attend(
        layer: Int, queries: Int, keys: Int, values: Int, count: Int, z: Buffer<Float>, workspace: Workspace
    ) throws(CLError) {
        let q = place(.q, layer: layer, workspace), k = place(.k, layer: layer, workspace)
        try attention(
            q: q.rows(queries), queries: q.tokens, k: k.rows(keys),
            v: place(.v, layer: layer, workspace).rows(values), tokens: k.tokens, images: count, heads: config.heads,
            scale: attentionScale, z: z, bias: layers[layer].scoreBias)
    }

    package var attentionScale: Float { 1 / Float(config.headDim).squareRoot() }

    /// attn_out of some slots from their z.
    package func attentionOutput(layer: Int, slots: Range<Int>, to out: Output, workspace: Workspace) throws(CLError) {
        try output(.z, layers[layer].proj, layer: layer, slots: slots, to: out, workspace)
    }

    // MARK: MLP

    /// The hidden layer of the rows `lists[rows]`, into slots from `slot` on: mlp_pre, or directly mlp_act.
    package func projectHidden(
        layer index: Int, x: Buffer<Float>, lists: Buffer<Int32>, rows: Range<Int>, slot: Int,
        beforeActivation: Bool, workspace: Workspace
    ) throws(CLError) {
        let layer = layers[index]
        let out = place(beforeActivation ? .mlpPre : .mlpAct, layer: index, workspace)
        try layerNorm(
            input: x, rowStride: rowStride, rows: lists, list: rows, tokens: out.tokens, weight: layer.ln2Weight,
            bias: layer.ln2Bias, eps: config.layerNormEps, out: workspace.normed)
        let isGated = config.architecture.hasGatedMLP
        // Gate and up are stored side by side, at the start of their buffer unless they are kept.
        let pre = place(.mlpPre, layer: index, workspace)
        try gemm(
            a: Matrix(workspace.normed, stride: config.hiddenSize), weight: layer.fc1, rows: rows.count * out.tokens,
            activation: beforeActivation || isGated ? .none : activation,
            out: isGated && !beforeActivation ? pre.matrix(0) : out.matrix(slot))
        if isGated, !beforeActivation {
            try gate(from: pre.start(0), to: out, slot: slot, count: rows.count, workspace)
        }
    }

    /// mlp_act of slots from gate and up, stored from `start` on in their buffer.
    private func gate(
        from start: Int, to out: Workspace.Place, slot: Int, count: Int, _ workspace: Workspace
    ) throws(CLError) {
        try activateGated(
            input: workspace.pre, inOffset: start, out: out.buffer, outOffset: out.start(slot),
            rows: count * out.tokens, width: out.width, activation: activation)
    }

    /// mlp_act of some slots from their mlp_pre.
    package func activate(layer: Int, slots: Range<Int>, workspace: Workspace) throws(CLError) {
        let pre = place(.mlpPre, layer: layer, workspace), act = place(.mlpAct, layer: layer, workspace)
        if config.architecture.hasGatedMLP {
            try gate(from: pre.start(slots.lowerBound), to: act, slot: slots.lowerBound, count: slots.count, workspace)
            return
        }
        try activate(
            input: pre.buffer, out: act.buffer, range: pre.start(slots.lowerBound)..<pre.start(slots.upperBound),
            activation: activation)
    }

    /// mlp_out of some slots from their mlp_act.
    package func mlpOutput(layer: Int, slots: Range<Int>, to out: Output, workspace: Workspace) throws(CLError) {
        try output(.mlpAct, layers[layer].fc2, layer: layer, slots: slots, to: out, workspace)
    }

    /// A stage's last linear map.
    private func output(
        _ input: Activation, _ weight: any GEMMWeight, layer: Int, slots: Range<Int>, to out: Output,
        _ workspace: Workspace
    ) throws(CLError) {
        let input = place(input, layer: layer, workspace), d = config.hiddenSize
        try gemm(
            a: input.matrix(slots.lowerBound), weight: weight, rows: slots.count * input.tokens, activation: .none,
            out: Matrix(out.o, offset: out.position * input.tokens * d, stride: d),
            residual: out.adds.map {
                ResidualRows(x: out.x, rowStride: rowStride, lists: out.lists, first: $0, tokens: input.tokens)
            })
    }

    // MARK: Between passes

    /// Copies slices of an activation between slots.
    package func swap(
        _ activation: Activation, layer: Int, lists: Buffer<Int32>, entries: Entries<SliceEntry>, workspace: Workspace
    ) throws(CLError) {
        let place = place(activation, layer: layer, workspace)
        try slices(
            buffer: place.buffer, offset: place.offset, slotStride: place.tokens * place.stride,
            tokenStride: place.stride, lists: lists, entries: entries)
    }

    /// Copies slices of a stage's output o [*, tokens(after: layer), D] between positions.
    package func swapOutput(
        layer: Int, o: Buffer<Float>, lists: Buffer<Int32>, entries: Entries<SliceEntry>
    ) throws(CLError) {
        let d = config.hiddenSize
        try slices(
            buffer: o, offset: 0, slotStride: tokens(after: layer) * d, tokenStride: d, lists: lists, entries: entries)
    }

    /// Copies slices of the residual stream x [rows, T, D] between rows.
    package func swapStream(x: Buffer<Float>, lists: Buffer<Int32>, entries: Entries<SliceEntry>) throws(CLError) {
        try slices(
            buffer: x, offset: 0, slotStride: rowStride, tokenStride: config.hiddenSize, lists: lists, entries: entries)
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
}
