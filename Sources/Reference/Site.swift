/// Places in the network where activations can be read or replaced, with TransformerLens's names.
package enum ReferenceSite: String, Sendable, CaseIterable {
    /// [T, D] the encoder's input, after CLS and position embeddings; its layer is 0
    case embed
    /// [T, D] the residual stream before a layer
    case residPre = "resid_pre"
    /// [T, D] the residual stream between attention and MLP
    case residMid = "resid_mid"
    /// [T, D] the residual stream after a layer
    case residPost = "resid_post"
    /// [T, D] the output of attention that is added to the residual stream, bias included
    case attnOut = "attn_out"
    /// [T, D] the output of the MLP that is added to the residual stream, bias included
    case mlpOut = "mlp_out"
    /// [H, T, Dh] each head's weighted sum of values, before the output projection
    case z
    /// [H, T, Dh] queries, bias included, before scaling
    case q
    /// [H, T, Dh] keys, bias included
    case k
    /// [H, T, Dh] values, bias included
    case v
    /// [H, T, T] attention weights after the softmax; the tokens of a patch are query rows
    case pattern
    /// [T, M] the MLP's hidden layer before the activation function
    case mlpPre = "mlp_pre"
    /// [T, M] the MLP's hidden layer after the activation function
    case mlpAct = "mlp_act"

    /// Whether the site's values are divided by head, [H, T, ...].
    package var hasHeads: Bool {
        switch self {
        case .z, .q, .k, .v, .pattern: true
        case .embed, .residPre, .residMid, .residPost, .attnOut, .mlpOut, .mlpPre, .mlpAct: false
        }
    }

    /// Whether a patch may select columns, the MLP's neurons.
    package var hasNeurons: Bool { self == .mlpPre || self == .mlpAct }
}

/// One site of one layer.
package struct ReferencePlace: Hashable, Sendable {
    package var site: ReferenceSite
    package var layer: Int

    package init(_ site: ReferenceSite, layer: Int) {
        self.site = site
        self.layer = layer
    }
}

/// The activations of one pass, each in its site's shape, row-major.
package typealias ReferenceActivations = [ReferencePlace: [Double]]

/// Replaces the activation at one place while a pass runs.
package struct Intervention: Sendable {
    package var place: ReferencePlace
    /// The heads that are replaced; nil for all. Only for sites with heads.
    package var heads: [Int]?
    /// The tokens (rows of the site) that are replaced; nil for all.
    package var tokens: [Int]?
    /// The columns that are replaced; nil for all. Only for sites with neurons.
    package var neurons: [Int]?
    /// Values in the site's full shape; only the selected heads, tokens and neurons are used.
    package var values: [Double]

    package init(
        _ site: ReferenceSite, layer: Int, heads: [Int]? = nil, tokens: [Int]? = nil, neurons: [Int]? = nil,
        values: [Double]
    ) {
        precondition(heads == nil || site.hasHeads)
        precondition(neurons == nil || site.hasNeurons)
        self.place = ReferencePlace(site, layer: layer)
        self.heads = heads
        self.tokens = tokens
        self.neurons = neurons
        self.values = values
    }

    /// `activation` with the selected heads, tokens and neurons replaced.
    ///
    /// - Parameters:
    ///   - heads: H for a site with heads, else 1
    ///   - tokens: T
    func applied(to activation: [Double], heads headCount: Int, tokens tokenCount: Int) -> [Double] {
        precondition(values.count == activation.count)
        let width = activation.count / (headCount * tokenCount)
        var out = activation
        for h in heads ?? Array(0..<headCount) {
            for t in tokens ?? Array(0..<tokenCount) {
                for i in neurons ?? Array(0..<width) {
                    let index = (h * tokenCount + t) * width + i
                    out[index] = values[index]
                }
            }
        }
        return out
    }
}
