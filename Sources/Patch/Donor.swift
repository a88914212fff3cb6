import ViT

extension SweepSpec {
    /// Whether activations of `donor` fit into `recipient` at the sites of these patches.
    /// - Throws: `SweepError.option` that names the first size that differs.
    package static func checkDonor(_ donor: ViTConfig, recipient: ViTConfig, patches: [Patch]) throws(SweepError) {
        let kept = patches.reduce(Workspace.Kept()) { $0.union($1.kept) }
        let sizes: [(String, Int, Int, Bool)] = [
            ("layers", donor.layers, recipient.layers, true),
            ("tokens", donor.tokens, recipient.tokens, true),
            ("hidden_size", donor.hiddenSize, recipient.hiddenSize, true),
            ("heads (for sites z, q, k, v, pattern)", donor.heads, recipient.heads, kept.contains(.attention)),
            (
                "intermediate_size (for sites mlp_pre, mlp_act)", donor.intermediateSize, recipient.intermediateSize,
                kept.contains(.hidden)
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
