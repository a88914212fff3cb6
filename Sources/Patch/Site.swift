import ViT

/// A place in the network where activations can be read and replaced, with TransformerLens's names.
package enum Site: String, Codable, Sendable, CaseIterable {
    /// The encoder's input, after prefix tokens (CLS ...) and position embeddings [T, D]
    case embed
    /// The residual stream before attention, between attention and MLP, and after the MLP [T, D]
    case residPre = "resid_pre"
    case residMid = "resid_mid"
    case residPost = "resid_post"
    /// The outputs of attention and of the MLP that are added to the residual stream, bias included [T, D]
    case attnOut = "attn_out"
    case mlpOut = "mlp_out"
    /// Attention's values weighted by the pattern [H, T, Dh], queries (before scaling), keys and values, and the
    /// softmaxed scores [H, T, T]
    case z, q, k, v, pattern
    /// The MLP's hidden layer before and after the activation function [T, M]
    case mlpPre = "mlp_pre"
    case mlpAct = "mlp_act"

    /// A site's properties, for schedule, walk, means, plan, option checks and tests.
    struct Row {
        var stage: Depth.Stage
        /// The cut at which the activation is available
        var cut: Cut
        var home: Home
        var columns: Columns
        /// Whether the last layer has it only for the tokens that the classifier reads
        var isClipped: Bool

        init(_ stage: Depth.Stage, _ cut: Cut, _ home: Home, _ columns: Columns, isClipped: Bool) {
            (self.stage, self.cut, self.home, self.columns, self.isClipped) = (stage, cut, home, columns, isClipped)
        }
    }

    /// The table of sites. A new site is a case above and a row here; `Workspace` keeps its activation.
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

    /// The location of a site's activation while a wave runs.
    enum Home: Equatable {
        /// In the residual stream x
        case stream
        /// In a slot of the workspace
        case slot(Activation)
        /// Not stored: computed from queries and keys
        case pattern
        /// In o, a stage's output
        case output
    }

    /// The columns that a patch may select at a site, besides tokens.
    enum Columns { case whole, heads, neurons }

    /// Sites of a stage, in the order of the table
    static func of(_ stage: Depth.Stage) -> [Site] { allCases.filter { $0.row.stage == stage } }

    /// Whether the site is on the residual stream, so that replacing all its tokens replaces the whole pass.
    var isResidual: Bool { row.home == .stream }
    var isOutput: Bool { row.home == .output }
    /// Whether the site is all that continues from its cut, so that replacing it whole hides all earlier swaps of the
    /// stage.
    var isWholeCut: Bool { Site.of(row.stage).filter { $0.row.cut == row.cut }.count == 1 }
    var activation: Activation? { if case .slot(let activation) = row.home { activation } else { nil } }

    /// `embed` has no layer.
    package var hasLayers: Bool { self != .embed }
    package var hasHeads: Bool { row.columns == .heads }
    package var hasNeurons: Bool { row.columns == .neurons }

    /// Activations that source passes must keep for it
    var kept: Workspace.Kept {
        switch row.home {
        case .stream, .output: []
        case .slot(.mlpAct): .hidden
        case .slot(.mlpPre): [.hidden, .pre]
        case .slot(.q), .slot(.k), .slot(.v), .slot(.z), .pattern: .attention
        }
    }

    /// The site's depth in a pass, in a given layer.
    func depth(layer: Int) -> Depth { Depth(layer: hasLayers ? layer : 0, stage: row.stage) }
}

/// Points of a stage, in order, up to which it has been computed; passes can start at each.
enum Cut: Int, Comparable, CaseIterable {
    /// Nothing computed yet
    case stream
    /// q, k, v; the hidden layer before its activation function
    case inner
    /// z; the hidden layer
    case outer
    case output

    static func < (a: Cut, b: Cut) -> Bool { a.rawValue < b.rawValue }
}

/// Progress of a pass: a layer, and a stage in order of computation.
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
