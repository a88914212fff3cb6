/// The options that decide what a sweep computes: keys of a spec file, and with `--` before them the flags.
package enum SweepKey: String, Sendable, CaseIterable {
    case model, donor, data
    case corruption, direction
    case site, window, layers, heads, tokens, neurons
    case patchWith = "patch-with"
    case control
    case target, keep
    case limit, offset, seed, samples, shard

    /// Keys of further sites
    static let ofPlaces: [SweepKey] = [.site, .window, .layers, .heads, .tokens, .neurons]

    enum Kind {
        /// One text; one text or a list of them
        case text, texts
        /// One whole number; one or a list of them
        case whole, wholes
        /// LIST text, a whole number, or a list of both
        case list
    }

    var kind: Kind {
        switch self {
        case .model, .donor, .data, .patchWith, .target, .keep, .shard: .text
        case .corruption, .direction, .site: .texts
        case .control, .limit, .offset, .seed, .samples: .whole
        case .window: .wholes
        case .layers, .heads, .tokens, .neurons: .list
        }
    }

    /// What holds where nothing is given; nil: what `note` says of null
    var defaults: [String]? {
        switch self {
        case .corruption: ["grayscale"]
        case .direction: ["restore"]
        case .site: ["attn_out"]
        case .heads: ["each"]
        case .tokens: ["all"]
        case .patchWith: ["clean"]
        case .target: ["label"]
        case .keep: ["all"]
        case .control, .offset, .seed: ["0"]
        case .samples: ["1"]
        case .model, .donor, .data, .window, .layers, .neurons, .limit, .shard: nil
        }
    }

    /// The comment in printed specs
    var note: String {
        switch self {
        case .model: "Hugging Face folder; null: the demo's"
        case .donor: "folder of the model that gives the activations; null: the model itself"
        case .data: "folder of images; null: the demo's"
        case .corruption:
            "none grayscale blur:SIGMA noise:K channel:r|g|b shuffle:N mask:FRACTION mask:FILE mean pair:DIR"
        case .direction: "restore (clean into corrupted), noise (corrupted into clean)"
        case .site: "embed resid_pre resid_mid resid_post attn_out mlp_out z q k v pattern mlp_act; a+b: together"
        case .window: "layers per patch; null: 1 and 3 for attn_out and mlp_out, 1 elsewhere"
        case .layers: "centres of the windows; null: all"
        case .heads: "each, all or a LIST, for z q k v pattern"
        case .tokens: "all, each, cls, patches, a LIST or rectangles of the patch grid"
        case .neurons: "LIST, for mlp_act; null: all together"
        case .patchWith: "clean zero mean resample"
        case .control: "so many random places for every size of patch that covers several places"
        case .target: "label clean"
        case .keep: "all clean-correct flipped"
        case .limit: "at most so many images; null: all"
        case .offset: "images to skip first"
        case .seed: "of noise, masks, shuffles, partners, random places and bootstrap intervals"
        case .samples: "noise draws per image"
        case .shard: "I/N, the I-th of N equal parts; null: all"
        }
    }
}
