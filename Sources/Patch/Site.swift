import ViT

/// A place in the network where activations can be read and put back. TransformerLens's names.
package enum Site: String, Codable, Sendable, CaseIterable {
    /// The encoder's input, after prefix tokens (CLS ...) and position embeddings [T, D]
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
    /// The MLP's hidden layer before and after the activation function [T, M]
    case mlpPre = "mlp_pre"
    case mlpAct = "mlp_act"

    /// What schedule, walk, means, plan, option checks and tests know of a site.
    struct Row {
        var stage: Depth.Stage
        /// Up to where the stage has been computed when the activation is there
        var cut: Cut
        var home: Home
        var columns: Columns
        /// Whether the last layer has it only for the tokens that the classifier reads
        var isClipped: Bool

        init(_ stage: Depth.Stage, _ cut: Cut, _ home: Home, _ columns: Columns, isClipped: Bool) {
            (self.stage, self.cut, self.home, self.columns, self.isClipped) = (stage, cut, home, columns, isClipped)
        }
    }

    /// The table of sites. A new site is a case above and a row here; what keeps its activation is in `Workspace`.
    var row: Row {
        switch self {
        case .embed: Row(.residPre, .stream, .stream, .whole, isClipped: false)
        case .residPre: Row(.residPre, .stream, .stream, .whole, isClipped: false)
        case .q: Row(.attention, .inner, .slot(.q), .heads, isClipped: true)
        case .k: Row(.attention, .inner, .slot(.k), .heads, isClipped: false)
        case .v: Row(.attention, .inner, .slot(.v), .heads, isClipped: false)
        case .pattern: Row(.attention, .inner, .pattern, .heads, isClipped: true)
        case .z: Row(.attention, .outer, .slot(.z), .heads, isClipped: true)
        case .attnOut: Row(.attention, .output, .output, .whole, isClipped: true)
        case .residMid: Row(.residMid, .stream, .stream, .whole, isClipped: true)
        case .mlpPre: Row(.mlp, .inner, .slot(.mlpPre), .neurons, isClipped: true)
        case .mlpAct: Row(.mlp, .outer, .slot(.mlpAct), .neurons, isClipped: true)
        case .mlpOut: Row(.mlp, .output, .output, .whole, isClipped: true)
        case .residPost: Row(.residPost, .stream, .stream, .whole, isClipped: true)
        }
    }

    /// Where a site's activation is while a wave runs.
    enum Home: Equatable {
        /// In the residual stream x
        case stream
        /// In a slot of the workspace
        case slot(Activation)
        /// Nowhere: it is what queries and keys make of each other
        case pattern
        /// In o, a stage's output
        case output
    }

    /// What a patch may name of a site, beside tokens.
    enum Columns { case whole, heads, neurons }

    /// Sites of a stage in the table's order
    static func of(_ stage: Depth.Stage) -> [Site] { allCases.filter { $0.row.stage == stage } }

    /// Whether the site lies on the residual stream, so that replacing all its tokens replaces the whole pass.
    var isResidual: Bool { row.home == .stream }
    var isOutput: Bool { row.home == .output }
    /// Whether the site is all that goes on from its cut, so that replacing it whole replaces what the stage did
    /// before.
    var isWholeCut: Bool { Site.of(row.stage).filter { $0.row.cut == row.cut }.count == 1 }
    var activation: Activation? { if case .slot(let activation) = row.home { activation } else { nil } }

    /// `embed` has no layer.
    package var hasLayers: Bool { self != .embed }
    package var hasHeads: Bool { row.columns == .heads }
    package var hasNeurons: Bool { row.columns == .neurons }

    /// What the passes that it is taken from must keep
    var kept: Workspace.Kept {
        switch row.home {
        case .stream, .output: []
        case .slot(.mlpAct): .hidden
        case .slot(.mlpPre): [.hidden, .pre]
        case .slot(.q), .slot(.k), .slot(.v), .slot(.z), .pattern: .attention
        }
    }

    /// Where in the order of a pass the site of a layer lies.
    func depth(layer: Int) -> Depth { Depth(layer: hasLayers ? layer : 0, stage: row.stage) }
}

/// Points of a stage, in their order, up to which it has been computed; passes can start at each.
enum Cut: Int, Comparable, CaseIterable {
    /// Nothing yet
    case stream
    /// q, k, v; the hidden layer before its activation function
    case inner
    /// z; the hidden layer
    case outer
    case output

    static func < (a: Cut, b: Cut) -> Bool { a.rawValue < b.rawValue }
}

/// How far a pass has come: the stages of a layer in the order in which they happen.
struct Depth: Hashable, Comparable {
    enum Stage: Int, Comparable, CaseIterable {
        case residPre, attention, residMid, mlp, residPost
        static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }

        /// Whether it computes an output that is added to the stream
        var hasOutput: Bool { self == .attention || self == .mlp }
    }
    var layer: Int
    var stage: Stage
    static func < (a: Depth, b: Depth) -> Bool { (a.layer, a.stage) < (b.layer, b.stage) }
}
