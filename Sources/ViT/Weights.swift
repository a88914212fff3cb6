/// One encoder layer's weights on the host, in PyTorch's shapes.
package struct LayerWeights: Sendable {
    package var ln1Weight: Weight  // [D]  layernorm_before
    package var ln1Bias: Weight  // [D]
    package var qkvWeight: Weight  // [3D, D]  query, key, value rows stacked
    package var qkvBias: Weight  // [3D]  zeros where qkv_bias is off
    package var projWeight: Weight  // [D, D]  attention.output.dense
    package var projBias: Weight  // [D]
    package var ln2Weight: Weight  // [D]  layernorm_after
    package var ln2Bias: Weight  // [D]
    package var fc1Weight: Weight  // [M, D]  intermediate.dense; for a gated MLP [2M, D], gate and up
    package var fc1Bias: Weight  // [M]; [2M]
    package var fc2Weight: Weight  // [D, M]  output.dense
    package var fc2Bias: Weight  // [D]
    /// Norms of queries and keys, where the architecture has them
    package var qNorm: (weight: Weight, bias: Weight)?  // [Dh]
    package var kNorm: (weight: Weight, bias: Weight)?  // [Dh]
    /// Bias of the attention scores, where the architecture has one
    package var scoreBias: Weight?  // [H, T, T]

    package init(
        ln1Weight: Weight, ln1Bias: Weight, qkvWeight: Weight, qkvBias: Weight, projWeight: Weight,
        projBias: Weight, ln2Weight: Weight, ln2Bias: Weight, fc1Weight: Weight, fc1Bias: Weight,
        fc2Weight: Weight, fc2Bias: Weight
    ) {
        self.ln1Weight = ln1Weight
        self.ln1Bias = ln1Bias
        self.qkvWeight = qkvWeight
        self.qkvBias = qkvBias
        self.projWeight = projWeight
        self.projBias = projBias
        self.ln2Weight = ln2Weight
        self.ln2Bias = ln2Bias
        self.fc1Weight = fc1Weight
        self.fc1Bias = fc1Bias
        self.fc2Weight = fc2Weight
        self.fc2Bias = fc2Bias
    }
}

/// Attention of one learned query to all tokens, followed by an MLP: x + MLP(norm(x)), x being attention's output.
package struct PoolingWeights: Sendable {
    package var query: Weight  // [D]  the learned query after its projection
    package var kvWeight: Weight  // [2D, D]
    package var kvBias: Weight  // [2D]
    package var projWeight: Weight  // [D, D]
    package var projBias: Weight  // [D]
    package var norm: (weight: Weight, bias: Weight)  // [D]
    package var fc1Weight: Weight  // [M, D]  M as in the encoder's layers
    package var fc1Bias: Weight  // [M]
    package var fc2Weight: Weight  // [D, M]
    package var fc2Bias: Weight  // [D]

    var all: [Weight] {
        [query, kvWeight, kvBias, projWeight, projBias, norm.weight, norm.bias, fc1Weight, fc1Bias, fc2Weight, fc2Bias]
    }
}

/// A whole model's weights on the host.
package struct ViTWeights: Sendable {
    package var patchWeight: Weight  // [D, channels * PH * PW]  the convolution's kernel, flattened
    package var patchBias: Weight  // [D]
    package var prefix: Weight  // [prefix tokens, D]
    package var position: Weight  // [T, D]
    /// Norm between the embeddings and the first layer, where there is one
    package var preNorm: (weight: Weight, bias: Weight)?  // [D]
    package var layers: [LayerWeights]
    package var lnWeight: Weight  // [D]  the final norm
    package var lnBias: Weight  // [D]
    package var headWeight: Weight  // [C, parts of the readout * D]; [C, width of the readout's embedding]
    package var headBias: Weight  // [C]
    /// The readout by attention, where there is one
    package var pooling: PoolingWeights?
    /// Projection to the space of the texts' embeddings, where there is one
    package var projection: Weight?  // [width, parts of the readout * D]

    package init(
        patchWeight: Weight, patchBias: Weight, prefix: Weight, position: Weight, layers: [LayerWeights],
        lnWeight: Weight, lnBias: Weight, headWeight: Weight, headBias: Weight,
        preNorm: (weight: Weight, bias: Weight)? = nil
    ) {
        self.preNorm = preNorm
        self.patchWeight = patchWeight
        self.patchBias = patchBias
        self.prefix = prefix
        self.position = position
        self.layers = layers
        self.lnWeight = lnWeight
        self.lnBias = lnBias
        self.headWeight = headWeight
        self.headBias = headBias
    }
}

extension LayerWeights {
    /// Number of values
    package var count: Int {
        [
            ln1Weight, ln1Bias, qkvWeight, qkvBias, projWeight, projBias, ln2Weight, ln2Bias, fc1Weight, fc1Bias,
            fc2Weight, fc2Bias, qNorm?.weight, qNorm?.bias, kNorm?.weight, kNorm?.bias, scoreBias,
        ].reduce(0) { $0 + ($1?.count ?? 0) }
    }
}

extension ViTWeights {
    /// Number of values
    package var count: Int {
        ([patchWeight, patchBias, prefix, position, lnWeight, lnBias, headWeight, headBias]
            + (preNorm.map { [$0.weight, $0.bias] } ?? []) + (pooling?.all ?? []) + (projection.map { [$0] } ?? []))
            .map(\.count).reduce(0, +)
            + layers.map(\.count).reduce(0, +)
    }
}
