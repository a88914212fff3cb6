import ViT

/// Why activations of one model do not fit into another.
package enum DonorError: Error, Equatable, Sendable {
    /// A size that must agree for the patched sites
    case size(String, donor: Int, model: Int)
    /// A donor provides the other pass's activations only.
    case patchWith(PatchWith)
}

extension Patch {
    /// Whether activations of `donor` fit into `recipient` at the sites of these patches.
    /// - Throws: `DonorError.size` for the first size that differs
    package static func checkDonor(
        _ donor: ViTConfig, recipient: ViTConfig, patches: [Patch]
    ) throws(DonorError) {
        let kept = patches.reduce(Workspace.Kept()) { $0.union($1.kept) }
        let sizes: [(String, Int, Int, Bool)] = [
            ("layers", donor.layers, recipient.layers, true),
            ("tokens", donor.tokens, recipient.tokens, true),
            ("rows of the patch grid", donor.grid.rows, recipient.grid.rows, true),
            ("tokens before the patches", donor.prefixTokens, recipient.prefixTokens, true),
            (
                "tokens up to the last that the classifier reads", donor.tokens(after: donor.layers - 1),
                recipient.tokens(after: recipient.layers - 1), true
            ),
            ("hidden_size", donor.hiddenSize, recipient.hiddenSize, true),
            ("heads (for sites z, q, k, v, pattern)", donor.heads, recipient.heads, kept.contains(.attention)),
            (
                "maps before the hidden layer (for sites mlp_pre, mlp_act)",
                donor.architecture.hasGatedMLP ? 2 : 1,
                recipient.architecture.hasGatedMLP ? 2 : 1, kept.contains(.hidden)
            ),
            (
                "intermediate_size (for sites mlp_pre, mlp_act)", donor.intermediateSize, recipient.intermediateSize,
                kept.contains(.hidden)
            ),
        ]
        for (name, found, expected, counts) in sizes where counts && found != expected {
            throw .size(name, donor: found, model: expected)
        }
        if let other = patches.first(where: { $0.with != .other }) { throw .patchWith(other.with) }
    }
}

extension ViTConfig {
    /// Whether class i of this model is class i of the other: the same number of classes with the same names,
    /// regardless of letter case, underscores and hyphens.
    package func hasClasses(of other: ViTConfig) -> Bool {
        func plain(_ name: String) -> String {
            name.lowercased().replacing("_", with: " ").replacing("-", with: " ")
        }
        return labels.count == other.labels.count
            && zip(labels, other.labels).allSatisfy { $0 == $1 || plain($0) == plain($1) }
    }
}
