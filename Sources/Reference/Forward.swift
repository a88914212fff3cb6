extension ReferenceModel {
    /// One pass from pixels to logits.
    ///
    /// - Parameters:
    ///   - pixels: [channels, S, S], normalised
    ///   - interventions: applied in order, each when the pass reaches its place
    ///   - capturing: sites whose activations are kept, for every layer, after any intervention
    /// - Returns: logits [C] and the kept activations
    package func forward(
        pixels: [Double], interventions: [Intervention] = [], capturing: Set<ReferenceSite> = []
    ) -> (logits: [Double], activations: ReferenceActivations) {
        let embedded = patchEmbedding(
            pixels, weight: patchWeight, bias: patchBias, cls: cls, position: position,
            channels: channels, imageSize: imageSize, patchSize: patchSize)
        return forward(embedded: embedded, interventions: interventions, capturing: capturing)
    }

    /// One pass from the encoder's input [T, D] to logits; otherwise as `forward(pixels:)`.
    package func forward(
        embedded: [Double], interventions: [Intervention] = [], capturing: Set<ReferenceSite> = []
    ) -> (logits: [Double], activations: ReferenceActivations) {
        let t = tokens
        let d = hiddenSize
        let m = intermediateSize
        var kept: ReferenceActivations = [:]

        /// The activation that continues from this place: `value`, with any interventions applied.
        func at(_ site: ReferenceSite, _ layer: Int, _ value: [Double]) -> [Double] {
            let place = ReferencePlace(site, layer: layer)
            var value = value
            for intervention in interventions where intervention.place == place {
                value = intervention.applied(to: value, heads: site.hasHeads ? heads : 1, tokens: t)
            }
            if capturing.contains(site) {
                kept[place] = value
            }
            return value
        }

        var x = at(.embed, 0, embedded)  // [T, D]
        for (l, layer) in layers.enumerated() {
            x = at(.residPre, l, x)

            // x += attention(norm(x))
            let normed1 = layerNorm(x, weight: layer.ln1Weight, bias: layer.ln1Bias, eps: layerNormEps)
            func normed(_ rows: [Double], _ norm: (weight: [Double], bias: [Double])?) -> [Double] {
                norm.map { layerNorm(rows, weight: $0.weight, bias: $0.bias, eps: layerNormEps) } ?? rows
            }
            let q = at(.q, l, normed(projected(normed1, layer, part: 0), layer.qNorm))  // [H, T, Dh]
            let k = at(.k, l, normed(projected(normed1, layer, part: 1), layer.kNorm))
            let v = at(.v, l, projected(normed1, layer, part: 2))
            // [H, T, T]
            let pattern = at(
                .pattern, l,
                attentionPattern(q: q, k: k, bias: layer.scoreBias, heads: heads, tokens: t, headDim: headDim))
            let z = at(
                .z, l, attentionMix(pattern: pattern, v: v, heads: heads, tokens: t, headDim: headDim))
            let joined = joinHeads(z, heads: heads, tokens: t, headDim: headDim)  // [T, D]
            let attnOut = at(.attnOut, l, matmul(joined, layer.projWeight, bias: layer.projBias, m: t, n: d, k: d))
            x = at(.residMid, l, add(x, attnOut))

            // x += mlp(norm(x))
            let normed2 = layerNorm(x, weight: layer.ln2Weight, bias: layer.ln2Bias, eps: layerNormEps)
            func hidden(_ rows: Range<Int>) -> [Double] {
                matmul(
                    normed2, Array(layer.fc1Weight[(rows.lowerBound * d)..<(rows.upperBound * d)]),
                    bias: Array(layer.fc1Bias[rows]), m: t, n: m, k: d)
            }
            let mlpPre = at(.mlpPre, l, hidden(0..<m))  // [T, M]
            var activated = mlpPre.map { activation($0) }
            if layer.fc1Bias.count == 2 * m { activated = zip(activated, hidden(m..<(2 * m))).map { $0 * $1 } }
            let mlpAct = at(.mlpAct, l, activated)
            let mlpOut = at(.mlpOut, l, matmul(mlpAct, layer.fc2Weight, bias: layer.fc2Bias, m: t, n: d, k: m))
            x = at(.residPost, l, add(x, mlpOut))
        }

        let cls = Array(x[0..<d])
        let normed = layerNorm(cls, weight: lnWeight, bias: lnBias, eps: layerNormEps)
        return (matmul(normed, headWeight, bias: headBias, m: 1, n: classes, k: d), kept)
    }

    /// Queries (part 0), keys (1) or values (2) of normed rows [T, D], as [H, T, Dh].
    private func projected(_ normed: [Double], _ layer: ReferenceLayer, part: Int) -> [Double] {
        let d = hiddenSize
        let weight = Array(layer.qkvWeight[part * d * d..<(part + 1) * d * d])
        let bias = Array(layer.qkvBias[part * d..<(part + 1) * d])
        let rows = matmul(normed, weight, bias: bias, m: tokens, n: d, k: d)  // [T, D]
        return splitHeads(rows, heads: heads, tokens: tokens, headDim: headDim)
    }
}
