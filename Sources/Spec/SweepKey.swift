import Images
import Patch

/// The options that decide what a sweep computes: keys of a spec file, and with `--` before them the flags. Name,
/// default, values and help of each are defined only here.
package enum SweepKey: String, Sendable, CaseIterable {
    case model, donor
    case imageSize = "image-size"
    case classes, data
    case classMap = "class-map"
    case resize, exif
    case corruption, direction
    case site, window, layers, heads, tokens, neurons
    case patchWith = "patch-with"
    case partner
    case control, pairs, shapley
    case estimate
    case estimateOf = "estimate-of"
    case exact
    case exactImages = "exact-images"
    case target, foil, keep
    case limit, offset, seed, samples
    case noiseSD = "noise-sd"
    case shard

    /// Keys of an item of `places`
    static let ofPlaces: [SweepKey] = [.site, .window, .layers, .heads, .tokens, .neurons]

    package var flag: String { "--" + rawValue }

    package enum Kind: Sendable {
        /// One text; one text or a list of them
        case text, texts
        /// One whole number; one or a list of them
        case whole, wholes
        /// LIST text, a whole number, or a list of both
        case list
        /// A folder
        case folder
    }

    package var kind: Kind { row.kind }
    /// The default; nil: described by `absent`
    package var defaults: [String]? { row.defaults }
    /// The value's placeholder in help
    package var placeholder: String { row.placeholder }
    /// The accepted values, or prefixes of them, if they are a closed set; else empty
    package var values: [String] { row.values }

    /// The default in words
    package var absent: String { row.absent ?? (row.defaults ?? []).joined(separator: " ") }

    /// The help text, without name and default
    package var meaning: String { row.meaning }

    /// The comment in printed specs
    var note: String { meaning + (defaults == nil ? "; null: \(absent)" : "") }

    private struct Row {
        var kind: Kind, placeholder: String, defaults: [String]?, absent: String?, meaning: String
        var values: [String] = []
    }

    private var row: Row {
        func row(
            _ kind: Kind, _ placeholder: String, _ defaults: String? = nil, absent: String? = nil,
            values: [String] = [], _ meaning: String
        ) -> Row {
            Row(
                kind: kind, placeholder: placeholder, defaults: defaults.map { [$0] }, absent: absent, meaning: meaning,
                values: values)
        }
        return switch self {
        case .model:
            row(
                .folder, "folder", absent: "the demo's",
                "Hugging Face folder: config.json, weights, preprocessor_config.json if there; or owner/name, from Hugging "
                    + "Face's cache")
        case .donor:
            row(
                .folder, "folder", absent: "the model itself",
                "second model that gives the patched-in activations, a folder; demo is the demo's gray one")
        case .imageSize:
            row(
                .text, "pixels", absent: "the model's",
                "S, or HEIGHTxWIDTH of the images that the model reads; its position embeddings are interpolated as transformers (timm) does"
            )
        case .classes:
            row(
                .text, "file", absent: "the model's classifier",
                "texts for classes of a CLIP or SigLIP, a .safetensors file (examples/zero_shot makes it)")
        case .data:
            row(
                .folder, "folder", absent: "the demo's images",
                "folder of class subfolders or of images, a CSV file with the columns image,label, or a CIFAR-10/100 folder"
            )
        case .classMap:
            row(
                .text, "file", absent: "by name",
                "CSV file with the columns folder,label: which label of the model each class of the data is")
        case .resize:
            row(
                .text, "library", absent: "as the model's image processor", values: ResizeLibrary.spellings,
                "\(ResizeLibrary.spellings.joined(separator: " | ")): the library whose resizing is reproduced")
        case .exif:
            row(
                .text, "how", EXIFOrientation.ignore.rawValue, values: EXIFOrientation.spellings,
                "ignore (as torchvision's ImageFolder) | apply: how to treat the EXIF orientation of image files")
        case .corruption:
            row(
                .texts, "spec", "grayscale", values: Corruption.names,
                "\(Corruption.syntax.joined(separator: " | ")); SIGMA in source pixels, K in standard deviations of the patch embeddings, N cells a side (which may differ by a pixel), FRACTION of the patches; several strengths make a dose-response curve, noise:0.5,1,2"
            )
        case .direction:
            row(
                .texts, "direction", Direction.restore.rawValue, values: Direction.spellings,
                "restore or denoise (clean into corrupted) | noise or noising (corrupted into clean)")
        case .site:
            row(
                .texts, "site", Site.attnOut.rawValue, values: Site.spellings,
                "\(Site.spellings.joined(separator: " ")); joined with + they are patched together")
        case .window:
            row(.wholes, "layers", absent: "1 and 3 for attn_out and mlp_out, 1 elsewhere", "layers per patch")
        case .layers:
            row(
                .list, "list", absent: "all", "centres of the windows, a LIST, counted from 0; 0+5 is one patch of both"
            )
        case .heads: row(.list, "list", "each", "each | all | LIST, counted from 0, for z q k v pattern")
        case .tokens:
            row(
                .list, "list", "all",
                "all | each | cls | distillation | registers | patches | LIST | rectangles of the patch grid, 3:6x2:5; token 0 is CLS in most families; for pattern: query rows"
            )
        case .neurons:
            row(
                .list, "list", absent: "all together", "each | LIST of neurons, counted from 0, for mlp_pre and mlp_act"
            )
        case .patchWith:
            row(
                .text, "what", PatchWith.other.rawValue, values: PatchWith.spellings,
                "clean or other (the other pass) | zero | mean | resample (another image) | file:FILE.safetensors: what is patched in"
            )
        case .partner:
            row(
                .text, "which", Partner.any.rawValue, values: Partner.spellings,
                "any | other-class: the images that resample takes, any other one or one of another class")
        case .control:
            row(
                .whole, "count", "0",
                "number of random places per extent that covers several places, for comparison")
        case .estimate:
            row(
                .texts, "method", absent: "none", values: ["atp", "ig:"],
                "atp | ig:N: estimates of every patch's effect from gradients, in the receiving pass or the mean over N "
                    + "points on the way to the source")
        case .estimateOf:
            row(
                .texts, "metric", EstimateMetric.logOdds.rawValue, values: EstimateMetric.spellings,
                "\(EstimateMetric.spellings.joined(separator: " | ")): the metric whose change is estimated")
        case .exact:
            row(
                .text, "which", "all", values: ["all", "none", "top:", "random:"],
                "\(Exact.syntax): the patches that get exact passes beside estimates; the K with the largest mean estimate "
                    + "in size, and R more drawn by the seed")
        case .exactImages:
            row(
                .whole, "count", absent: "all",
                "number of images, drawn by the seed, that get exact passes; all images get estimates; mean effects are then "
                    + "prediction-powered")
        case .pairs:
            row(
                .text, "which", Pairs.none.description, values: ["none", "all", "top"],
                "none | all | top:K: places that are also patched in pairs, to compare each pair with the sum of its "
                    + "two; top:K takes those among the K strongest places")
        case .shapley:
            row(
                .whole, "count", "0",
                "Shapley values of the sweep's places, 2 to 32 of each direction, patched one after the other, averaged over "
                    + "this many orders (an even number)")
        case .target:
            row(
                .text, "class", "label", values: Target.words,
                "label | clean | an index or name of a class: the class whose probability is tracked")
        case .foil:
            row(
                .text, "class", absent: "the data's column foil, else pooled", values: Foil.words,
                "pooled | clean | corrupted | an index or name of a class: the class of logit_diff, pooled is the best other "
                    + "one over the clean and the corrupted pass")
        case .keep:
            row(
                .text, "which", Keep.all.rawValue, values: Keep.spellings,
                "all | clean-correct | flipped: which images are included; applied after --limit")
        case .limit: row(.whole, "count", absent: "all", "at most this many images")
        case .offset: row(.whole, "count", "0", "images to skip first")
        case .seed:
            row(
                .whole, "number", "0", "seed of noise, masks, shuffles, partners, random places and bootstrap intervals"
            )
        case .samples: row(.whole, "count", "1", "noise draws per image, whose metrics are averaged")
        case .noiseSD:
            row(
                .text, "which", NoiseDeviation.image.rawValue, values: NoiseDeviation.spellings,
                "image | data: the standard deviation that noise:K multiplies, each image's own or that of all of the data"
            )
        case .shard:
            row(
                .text, "i/n", absent: "all, or the task's in a Slurm job array",
                "I/N: the I-th of N equal parts of the images, I from 0")
        }
    }
}

extension Corruption {
    /// The names before the colon of `syntax`
    static var names: [String] {
        var names: [String] = []
        for text in syntax {
            let name = String(text.prefix { $0 != ":" })
            if names.last != name { names.append(name) }
        }
        return names
    }
}
