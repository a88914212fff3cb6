internal import Patch
internal import ViT

/// A place in the network where activations can be read and replaced. Names are TransformerLens's.
public enum ActivationSite: String, Sendable, CaseIterable {
    /// The encoder's input [T, D]; it has no layer
    case embed
    /// The residual stream before attention, between attention and MLP, and after the MLP [T, D]
    case residPre = "resid_pre"
    case residMid = "resid_mid"
    case residPost = "resid_post"
    /// The outputs of attention and of the MLP, which are added to the residual stream [T, D]
    case attnOut = "attn_out"
    case mlpOut = "mlp_out"
    /// Per head: weighted values, queries, keys, values [T, Dh], and the attention pattern [T, T]
    case z, q, k, v, pattern
    /// The MLP's hidden layer before and after the activation function [T, M]
    case mlpPre = "mlp_pre"
    case mlpAct = "mlp_act"
}

/// One patched pass: activations at one site are replaced in the receiving pass.
public struct ActivationPatch: Sendable, Hashable {
    /// The pass that receives activations
    public enum Direction: Sendable {
        /// The corrupted pass receives clean activations (denoising)
        case restore
        /// The clean pass receives corrupted activations (noising)
        case noise
    }

    /// The activations that are patched in
    public enum Source: Sendable {
        /// The other pass's activations
        case otherPass
        case zeros
    }

    public var site: ActivationSite
    /// Layers from 0; empty for `embed`
    public var layers: [Int]
    /// Heads from 0, nil for all; only for `z`, `q`, `k`, `v` and `pattern`
    public var heads: [Int]?
    /// Tokens from 0, nil for all; prefix tokens (CLS ...) come first. Query tokens for `pattern`
    public var tokens: [Int]?
    public var direction: Direction
    public var source: Source

    public init(
        _ site: ActivationSite, layers: [Int] = [], heads: [Int]? = nil, tokens: [Int]? = nil,
        direction: Direction = .restore, source: Source = .otherPass
    ) {
        (self.site, self.layers, self.heads, self.tokens) = (site, layers, heads, tokens)
        (self.direction, self.source) = (direction, source)
    }

    /// The engine's patch.
    /// - Throws: `VitPatchError` where a layer, head or token is not in the network, or the site has none
    func patch(for config: ViTConfig) throws -> Patch {
        guard let site = Site(rawValue: site.rawValue) else {
            throw VitPatchError("site \(site.rawValue): the engine has no such site")
        }
        func checked(_ indices: [Int], _ what: String, below count: Int) throws -> [Int] {
            if indices.isEmpty {
                throw VitPatchError("\(site.rawValue): no \(what)s are given; at least one is needed")
            }
            for index in indices where !(0..<count).contains(index) {
                throw VitPatchError("\(site.rawValue): \(what) \(index) is outside the model's 0-\(count - 1)")
            }
            return Set(indices).sorted()
        }
        if !site.hasLayers, !layers.isEmpty { throw VitPatchError("\(site.rawValue) has no layers; leave them out") }
        if heads != nil, !site.hasHeads { throw VitPatchError("\(site.rawValue) has no heads; leave them out") }
        let part = Part(
            site: site, layers: site.hasLayers ? try checked(layers, "layer", below: config.layers) : [],
            heads: try heads.map { try checked($0, "head", below: config.heads) },
            tokens: try tokens.map { try checked($0, "token", below: config.tokens) })
        return Patch(
            direction: direction == .restore ? .restore : .noising, with: source == .otherPass ? .other : .zero,
            parts: [part])
    }
}
