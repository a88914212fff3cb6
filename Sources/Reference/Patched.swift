extension ReferenceModel {
    /// Activation patching, one pass per patch: the base pass with the source's activations put in.
    ///
    /// - Parameters:
    ///   - source: activations captured from the source pass, at least at `sites`
    ///   - base: pixels [channels, S, S] of the receiving pass
    ///   - sites: the sites to patch together
    ///   - layers: the layers to patch together; ignored for `embed`
    ///   - heads: only for sites with heads; nil for all
    ///   - tokens: nil for all; for `pattern`, query rows
    /// - Returns: logits [C]
    package func patched(
        source: ReferenceActivations, base: [Double], sites: [ReferenceSite], layers: [Int],
        heads: [Int]? = nil, tokens: [Int]? = nil
    ) -> [Double] {
        var interventions: [Intervention] = []
        for site in sites {
            for layer in site == .embed ? [0] : layers {
                guard let values = source[ReferencePlace(site, layer: layer)] else {
                    preconditionFailure("the source pass did not capture \(site.rawValue) of layer \(layer)")
                }
                interventions.append(
                    Intervention(site, layer: layer, heads: heads, tokens: tokens, values: values))
            }
        }
        return forward(pixels: base, interventions: interventions).logits
    }

    /// The same from two images: `source` is run first, in `donor` if given, else in this model.
    package func patched(
        source: [Double], base: [Double], sites: [ReferenceSite], layers: [Int],
        heads: [Int]? = nil, tokens: [Int]? = nil, donor: ReferenceModel? = nil
    ) -> [Double] {
        let activations = (donor ?? self).forward(pixels: source, capturing: Set(sites)).activations
        return patched(
            source: activations, base: base, sites: sites, layers: layers, heads: heads, tokens: tokens)
    }
}
