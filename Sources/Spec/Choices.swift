import Kernels
import Images
import Patch

/// A closed set of values that an option takes.
package protocol Choice: RawRepresentable<String>, CaseIterable, Sendable {
    /// Further spellings
    static var aliases: [String: Self] { get }
}

extension Choice {
    package static var aliases: [String: Self] { [:] }

    /// All accepted spellings, for help and messages; aliases last
    package static var spellings: [String] { allCases.map(\.rawValue) + aliases.keys.sorted() }

    /// nil for an unknown spelling
    package init?(spelled text: String) {
        guard let value = Self.aliases[text] ?? Self(rawValue: text) else { return nil }
        self = value
    }
}

/// The images that a sweep includes.
package enum Keep: String, Choice {
    case all
    /// The clean pass is right
    case cleanCorrect = "clean-correct"
    /// The clean pass is right and the corrupted one wrong
    case flipped
}

/// The treatment of an image file's EXIF orientation.
package enum EXIFOrientation: String, Choice {
    /// Not applied, as in torchvision's ImageFolder
    case ignore
    /// The image is turned upright
    case apply
}

/// The class whose probability is tracked.
package enum Target: Sendable, Equatable, CustomStringConvertible {
    /// The image's own class
    case label
    /// The class that the clean pass predicts
    case clean
    /// One class of the model for all images
    case index(Int)

    package static let words = ["label", "clean"]

    package var description: String {
        switch self {
        case .label: "label"
        case .clean: "clean"
        case .index(let index): "\(index)"
        }
    }

    /// The class of an image with this label; -1 where the clean pass decides.
    package func index(label: Int) -> Int {
        switch self {
        case .label: label
        case .clean: -1
        case .index(let index): index
        }
    }
}

/// The class that the target is compared with in logit_diff.
package enum Foil: Sendable, Equatable, CustomStringConvertible {
    /// The class other than the target with the highest mean logit over the clean and the corrupted pass
    case pooled
    /// The same, over one pass only
    case clean, corrupted
    /// One class of the model for all images
    case index(Int)
    /// The class that a column of the data names for each image, and `pooled` where it names none
    case column

    package static let words = ["pooled", "clean", "corrupted"]

    package var description: String {
        switch self {
        case .pooled: "pooled"
        case .clean: "clean"
        case .corrupted: "corrupted"
        case .index(let index): "\(index)"
        case .column: "column"
        }
    }

    /// The passes whose logits choose the foil, unless it is one class for all images.
    /// - Parameter hasDonor: `pooled` then takes the clean pass only
    package func passes(hasDonor: Bool) -> Wave.FoilPasses {
        switch self {
        case .pooled, .index, .column: hasDonor ? .clean : .both
        case .clean: .clean
        case .corrupted: .corrupted
        }
    }
}

/// The metric that a search maximises.
package enum SearchMetric: String, Choice {
    case p
    case logOdds = "log_odds"
    case logitDiff = "logit_diff"

    /// In words
    package var title: String {
        switch self {
        case .p: "p"
        case .logOdds: "log-odds"
        case .logitDiff: "logit difference"
        }
    }
}

/// The standard deviation that `noise:K` multiplies.
package enum NoiseDeviation: String, Choice {
    /// Of each image's own patch projections
    case image
    /// Of the patch projections of all clean images of the data
    case data
}

/// The images that `--patch-with resample` takes.
package enum Partner: String, Choice {
    case any
    case otherClass = "other-class"
}

extension Precision: Choice {}

extension EstimateMetric: Choice {}

extension Direction: Choice {
    package static var aliases: [String: Direction] { ["denoise": .restore, "noising": .noising] }
}

extension PatchWith: Choice {
    package static var aliases: [String: PatchWith] { ["other": .other] }
    /// The values of `--ablate`: they remove activations, where others put in those of another pass
    package static let ablations: [PatchWith] = [.zero, .mean, .resample]
}

extension Site: Choice {}
extension ResizeLibrary: Choice {}
