/// A metric to differentiate, a function of the logits [C].
package enum ReferenceMetric: String, Sendable, CaseIterable {
    /// logit[target] - logsumexp(the other logits); 0 if there is a single class
    case logOdds = "log_odds"
    /// logit[target] - logit[foil]
    case logitDifference = "logit_diff"
    /// logit[target]
    case logit

    package func value(_ logits: [Double], target: Int, foil: Int) -> Double {
        switch self {
        case .logOdds: Reference.logOdds(logits, target: target)
        case .logitDifference: Reference.logitDifference(logits, target: target, foil: foil)
        case .logit: logits[target]
        }
    }

    /// The gradient at the logits [C]
    package func gradient(_ logits: [Double], target: Int, foil: Int) -> [Double] {
        var out = [Double](repeating: 0, count: logits.count)
        switch self {
        case .logOdds:
            let others = logits.indices.filter { $0 != target }
            if others.isEmpty { return out }
            for (c, p) in zip(others, softmax(others.map { logits[$0] }, width: others.count)) { out[c] = -p }
            out[target] = 1
        case .logitDifference:
            out[target] += 1
            out[foil] -= 1
        case .logit: out[target] = 1
        }
        return out
    }
}

extension ReferenceModel {
    /// The gradient of a metric at every site of every layer, in the site's shape, by the chain rule from the logits
    /// back to the embeddings.
    ///
    /// As at any other site, the gradient at q, k, v and later sites of a layer is along all paths from there.
    /// Only for layers without a gated MLP, norms of queries and keys, and a bias of the scores.
    /// - Parameters:
    ///   - embedded: the encoder's input [T, D]
    ///   - target, foil: classes
    /// - Returns: the pass's activations at all sites, and the gradients
    package func gradients(
        of metric: ReferenceMetric, embedded: [Double], target: Int, foil: Int
    ) -> (activations: ReferenceActivations, gradients: ReferenceActivations) {
        let (t, d, m) = (tokens, hiddenSize, intermediateSize)
        precondition(
            layers.allSatisfy {
                $0.fc1Bias.count == m && $0.qNorm == nil && $0.kNorm == nil && $0.scoreBias == nil
            })
        let (logits, kept) = forward(embedded: embedded, capturing: Set(ReferenceSite.allCases))
        var gradients: ReferenceActivations = [:]
        func activation(_ site: ReferenceSite, _ layer: Int) -> [Double] {
            kept[ReferencePlace(site, layer: layer)] ?? []
        }
        func keep(_ site: ReferenceSite, _ layer: Int, _ value: [Double]) {
            gradients[ReferencePlace(site, layer: layer)] = value
        }

        // The head and the final norm read CLS only.
        let atNorm = matmulBackward(
            metric.gradient(logits, target: target, foil: foil), headWeight, m: 1, n: classes, k: d)
        let last = layers.isEmpty ? embedded : activation(.residPost, layers.count - 1)
        var g =
            layerNormBackward(Array(last[..<d]), weight: lnWeight, eps: layerNormEps, gradient: atNorm)
            + [Double](repeating: 0, count: (t - 1) * d)

        for (l, layer) in layers.enumerated().reversed() {
            keep(.residPost, l, g)

            // x += mlp(norm(x))
            keep(.mlpOut, l, g)
            let atAct = matmulBackward(g, layer.fc2Weight, m: t, n: d, k: m)
            keep(.mlpAct, l, atAct)
            let atPre = zip(atAct, activation(.mlpPre, l)).map { $0 * self.activation.slope($1) }
            keep(.mlpPre, l, atPre)
            let atNorm2 = matmulBackward(atPre, layer.fc1Weight, m: t, n: m, k: d)
            g = add(
                g,
                layerNormBackward(
                    activation(.residMid, l), weight: layer.ln2Weight, eps: layerNormEps, gradient: atNorm2))
            keep(.residMid, l, g)

            // x += attention(norm(x))
            keep(.attnOut, l, g)
            let atJoined = matmulBackward(g, layer.projWeight, m: t, n: d, k: d)
            let atZ = splitHeads(atJoined, heads: heads, tokens: t, headDim: headDim)
            keep(.z, l, atZ)
            let inner = attentionBackward(
                q: activation(.q, l), k: activation(.k, l), v: activation(.v, l), gradient: atZ, heads: heads,
                tokens: t, headDim: headDim)
            keep(.q, l, inner.q)
            keep(.k, l, inner.k)
            keep(.v, l, inner.v)
            keep(.pattern, l, inner.pattern)
            var atNorm1 = [Double](repeating: 0, count: t * d)
            for (part, gradient) in [inner.q, inner.k, inner.v].enumerated() {
                let rows = joinHeads(gradient, heads: heads, tokens: t, headDim: headDim)
                let weight = Array(layer.qkvWeight[(part * d * d)..<((part + 1) * d * d)])
                atNorm1 = add(atNorm1, matmulBackward(rows, weight, m: t, n: d, k: d))
            }
            g = add(
                g,
                layerNormBackward(
                    activation(.residPre, l), weight: layer.ln1Weight, eps: layerNormEps, gradient: atNorm1))
            keep(.residPre, l, g)
        }
        keep(.embed, 0, g)
        return (kept, gradients)
    }
}
