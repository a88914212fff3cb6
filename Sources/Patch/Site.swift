/// A place in the network where activations can be read and put back. TransformerLens's names.
package enum Site: String, Codable, Sendable, CaseIterable {
    /// The encoder's input, after CLS and position embeddings [T, D]
    case embed
    /// The residual stream before attention, between attention and MLP, and after the MLP [T, D]
    case residPre = "resid_pre"
    case residMid = "resid_mid"
    case residPost = "resid_post"
    /// What attention, and the MLP, add to the residual stream, bias included [T, D]
    case attnOut = "attn_out"
    case mlpOut = "mlp_out"
    /// Attention's values weighted by the pattern [H, T, Dh], queries (before scaling), keys and values, and the
    /// softmaxed scores [H, T, T]
    case z, q, k, v, pattern
    /// The MLP's hidden layer after the activation [T, M]
    case mlpAct = "mlp_act"

    /// Whether the site lies on the residual stream, so that replacing all its tokens replaces the whole pass.
    var isResidual: Bool {
        switch self {
        case .embed, .residPre, .residMid, .residPost: true
        default: false
        }
    }

    /// `embed` has no layer.
    package var hasLayers: Bool { self != .embed }
    package var hasHeads: Bool { [.z, .q, .k, .v, .pattern].contains(self) }

    /// Whether only the tokens that go on to the classifier exist in the last layer (CLS); keys, values and what comes
    /// before them exist for all.
    var isClippedInLastLayer: Bool { ![.embed, .residPre, .k, .v].contains(self) }

    /// Where in the order of a pass the site of a layer lies: `embed` is 0, a layer takes five places.
    func place(layer: Int) -> Place {
        switch self {
        case .embed: Place(layer: 0, stage: .residPre)
        case .residPre: Place(layer: layer, stage: .residPre)
        case .attnOut, .z, .q, .k, .v, .pattern: Place(layer: layer, stage: .attention)
        case .residMid: Place(layer: layer, stage: .residMid)
        case .mlpOut, .mlpAct: Place(layer: layer, stage: .mlp)
        case .residPost: Place(layer: layer, stage: .residPost)
        }
    }
}

/// One step of a pass: the stages of a layer in the order in which they happen.
struct Place: Hashable, Comparable {
    enum Stage: Int, Comparable, CaseIterable {
        case residPre, attention, residMid, mlp, residPost
        static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }
    }
    var layer: Int
    var stage: Stage
    static func < (a: Place, b: Place) -> Bool { (a.layer, a.stage) < (b.layer, b.stage) }
}
