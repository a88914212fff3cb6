import Results

/// The intervention of a direction's patches. Words, shares and figures depend on it.
package enum Intervention: String, Sendable, CaseIterable {
    /// The clean pass's activations into the corrupted pass
    case denoising
    /// The corrupted pass's activations into the clean pass
    case noising
    /// Zeros
    case zero
    /// The mean activation over the clean passes of all images
    case mean
    /// Another image's clean activations
    case resample
    /// A second model's activations
    case donor
    /// A file's activations for each image
    case file

    /// - Parameter direction: `restore` or `noise`
    package init(_ manifest: Manifest, direction: String) {
        switch manifest.putIn {
        case "zero": self = .zero
        case "mean": self = .mean
        case "resample": self = .resample
        case let what where what == "file" || what.hasPrefix("file:"): self = .file
        default:
            self = manifest.donor != nil ? .donor : direction == "noise" ? .noising : .denoising
        }
    }

    /// Whether the activations patched in are those of the other pass of the same image and model. Only then does
    /// patching everything have the total effect, and do shares of it have a meaning.
    package var exchangesPasses: Bool { self == .denoising || self == .noising }
}

/// An effect that a patch has whatever the weights, as far as its columns tell.
package enum Construction: String, Sendable {
    /// The pass continues from the other pass's whole residual stream, so it is the other pass.
    case everything
    /// Nothing that the readout reads changes, so it is the receiving pass.
    case nothing

    /// - Parameters:
    ///   - layers: of the model; nil if the store does not have it
    ///   - tokens: of the model; nil: one CLS token, the only one that the readout reads
    /// - Returns: nil if the effect depends on the weights
    package init?(_ patch: PatchRecord, _ intervention: Intervention, layers: Int?, tokens layout: TokenLayout? = nil) {
        let layout = layout ?? .cls
        let sites = Set(patch.site.split(separator: "+").map(String.init))
        let isWhole = patch.head.isEmpty && patch.token.isEmpty
        if isWhole, intervention.exchangesPasses,
            !sites.isDisjoint(with: ["embed", "resid_pre", "resid_mid", "resid_post"])
        {
            self = .everything
            return
        }
        let isLast = layers.map { patch.layer == "\($0 - 1)" && ["", "1"].contains(patch.window) } ?? false
        // After the last attention only the readout's tokens matter; its keys, values and the stream before it are read
        // by all.
        let readsOwnToken: Set = [
            "resid_mid", "resid_post", "attn_out", "mlp_out", "z", "q", "pattern", "mlp_pre", "mlp_act",
        ]
        if isLast, !patch.token.isEmpty, !layout.reads(patch.token), sites.isSubset(of: readsOwnToken) {
            self = .nothing
            return
        }
        // Prefix tokens start from the same embeddings in both passes.
        let isFirst = patch.site == "embed" || (patch.layer == "0" && ["", "1"].contains(patch.window))
        if isFirst, !patch.token.isEmpty, !layout.covered(patch.token).patches, intervention.exchangesPasses,
            sites.isSubset(of: ["embed", "resid_pre", "q", "k", "v"])
        {
            self = .nothing
            return
        }
        return nil
    }
}
