import Results
import Statistics

/// An intervention in words. All headings, captions and questions come from here, so they agree with each other and
/// with the sweep.
struct InterventionWords {
    let intervention: Intervention
    /// Whether the receiving pass is the clean one
    let receivesClean: Bool
    /// Whether there is a corrupted pass that differs from the clean one
    let isCorrupted: Bool
    /// The donor's name, if activations come from a second model
    let donor: String?
    /// The file's name, if activations come from a file
    let file: String?

    /// - Parameter corruption: its SPEC; nil: all of the sweep's
    init(_ manifest: Manifest, direction: String, corruption: String? = nil) {
        intervention = Intervention(manifest, direction: direction)
        let corruptions = corruption.map { [$0] } ?? manifest.corruptions
        isCorrupted = corruptions.contains { $0 != "none" }
        receivesClean = direction == "noise" || !isCorrupted
        donor = manifest.donor.map { $0 == "demo" ? "demo (gray)" : ReportWords.name($0) }
        file = manifest.patchFile.map(ReportWords.name)
    }

    /// For headings: `denoising`, `zero ablation`
    var name: String { intervention.name(receivesClean: receivesClean) }

    /// The activations that are patched in
    var activations: String {
        switch intervention {
        case .denoising: "clean activations"
        case .noising: "corrupted activations"
        case .zero: "zeros"
        case .mean: "the mean activations over all images' clean passes"
        case .resample: "another image's clean activations"
        case .donor: "the activations of the donor \(donor ?? "model")"
        case .file: "the activations of the file \(file ?? "")"
        }
    }

    /// `the clean pass`
    var receiver: String { receivesClean ? "the clean pass" : "the corrupted pass" }

    /// `p clean`: what an effect is measured from
    var base: String { receivesClean ? "p clean" : "p corrupted" }

    /// For the settings: `zero ablation: zeros are patched into the clean pass`
    var definition: String {
        "\(name): \(activations) are patched into \(receiver)"
    }

    /// For the report's first paragraph
    var action: String { "\(receiver) is run again with \(activations) patched in at one place at a time" }

    /// The question that the sweep answers
    var question: String {
        switch intervention {
        case .denoising: "which places are sufficient to bring the answer back?"
        case .noising: "which places are necessary for the answer?"
        case .zero, .mean, .resample:
            receivesClean
                ? "without which places is the answer lost?" : "without which places does the corrupted answer change?"
        case .donor: "where do the donor's activations change the answer?"
        case .file: "where do the file's activations change the answer?"
        }
    }

    /// The verb for a patch's share of the total effect
    var verb: String { intervention == .noising ? "takes away" : "recovers" }

    /// Why there are no shares of the total effect; empty where there are
    var sharesNote: String {
        intervention.exchangesPasses
            ? ""
            : isCorrupted
                ? "What is patched in is not the other pass, so the total effect is not a bound and there are no shares of it."
                : "There is no corrupted pass, so there is no total effect and no share of it."
    }
}

extension Intervention {
    func name(receivesClean: Bool) -> String {
        let place = receivesClean ? "" : " in the corrupted pass"
        return switch self {
        case .denoising: "denoising"
        case .noising: "noising"
        case .zero: "zero ablation" + place
        case .mean: "mean ablation" + place
        case .resample: "resample ablation" + place
        case .donor: "donor patching"
        case .file: "patching from a file" + place
        }
    }

    /// For file names: `restore` and `noise` where passes are exchanged
    func fileName(_ direction: String) -> String { exchangesPasses ? direction : "\(rawValue)-\(direction)" }
}

extension Construction {
    /// For tables and tooltips
    var text: String {
        switch self {
        case .everything: "the other pass, by construction"
        case .nothing: "no change, by construction"
        }
    }
}

extension PatchRecord {
    /// The place alone, in the field's short form: `z L0H2`, `attn_out L5, window 3`, `resid_post L11 CLS`
    var short: String {
        var text = site
        if !layer.isEmpty { text += " L\(layer)" }
        if !head.isEmpty { text += (layer.isEmpty ? " " : "") + "H\(head)" }
        if !token.isEmpty { text += " " + tokenText(token) }
        if !window.isEmpty, window != "1" { text += ", window \(window)" }
        return text
    }
}

/// A value of the `token` column in words: `CLS`, `token 5`, `tokens 0+5`, `patches`
func tokenText(_ token: String) -> String {
    switch token {
    case "0", "cls": "CLS"
    case let name where name.allSatisfy(\.isLetter): name
    default: Int(token) == nil ? "tokens \(token)" : "token \(token)"
    }
}

/// Warnings on intervals that rest on few images.
enum SampleWords {
    /// Samples with fewer images come with a warning
    static let few = 20
    /// Effects carried by fewer images come with a warning
    static let fewCarriers = 10.0

    /// For the whole sample; nil where there are enough images
    static func warning(images: Int) -> String? {
        if images == 0 { return nil }
        if images < fewestImages {
            return "no intervals below \(fewestImages) images: they would cover far less than they say"
        }
        return images < few ? "\(images) images are few: intervals of skewed or rare effects are too narrow" : nil
    }

    /// For one effect; nil where enough images carry it
    static func warning(_ effect: EffectStatistics) -> String? {
        guard effect.hasInterval, effect.low < effect.high, effect.carriers < fewCarriers else { return nil }
        return "about \(max(1, Int(effect.carriers.rounded()))) images carry it, so its interval is too narrow"
    }
}

/// The name of `ControlStatistics.extremePercentile`: noising effects are losses, so there it is the 5th percentile.
func percentileName(_ direction: String) -> String { direction == "noise" ? "5th percentile" : "95th percentile" }
