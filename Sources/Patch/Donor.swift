import ViT

extension SweepSpec {
    /// Whether activations of `donor` fit into `recipient` at the sites of these patches.
    /// - Throws: `SweepError.option` that names the first size that differs.
    package static func checkDonor(_ donor: ViTConfig, recipient: ViTConfig, patches: [Patch]) throws(SweepError) {
        let heads = patches.contains(where: \.needsAttention)
        let sizes: [(String, Int, Int, Bool)] = [
            ("layers", donor.layers, recipient.layers, true),
            ("tokens", donor.tokens, recipient.tokens, true),
            ("hidden_size", donor.hiddenSize, recipient.hiddenSize, true),
            ("heads (for sites z, q, k, v, pattern)", donor.heads, recipient.heads, heads),
            (
                "intermediate_size (for site mlp_act)", donor.intermediateSize, recipient.intermediateSize,
                patches.contains(where: \.needsHidden)
            ),
        ]
        for (name, found, expected, counts) in sizes where counts && found != expected {
            throw .option(
                "--donor has \(found) \(name), the model has \(expected): activations of one do not fit the other")
        }
        if patches.contains(where: { $0.with != .clean }) {
            throw .option("--donor goes with --patch-with clean alone")
        }
    }
}
