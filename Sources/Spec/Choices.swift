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

    /// All that is understood, for help and messages; aliases last
    package static var spellings: [String] { allCases.map(\.rawValue) + aliases.keys.sorted() }

    /// nil for a value that is not understood
    package init?(spelled text: String) {
        guard let value = Self.aliases[text] ?? Self(rawValue: text) else { return nil }
        self = value
    }
}

/// Which images of a sweep count.
package enum Keep: String, Choice {
    case all
    /// The clean pass is right
    case cleanCorrect = "clean-correct"
    /// The clean pass is right and the corrupted one wrong
    case flipped
}

/// What EXIF's orientation of an image file does.
package enum EXIFOrientation: String, Choice {
    /// Nothing, as in torchvision's ImageFolder
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
package enum Foil: Sendable, Equatable {
    /// The class other than the target with the highest mean logit over the clean and the corrupted pass
    case pooled
    /// The same, of one of the passes alone
    case clean, corrupted
    /// One class of the model for all images
    case index(Int)

    package static let words = ["pooled", "clean", "corrupted"]
}

extension Precision: Choice {}

extension Direction: Choice {
    package static var aliases: [String: Direction] { ["denoise": .restore, "noising": .noise] }
}

extension PatchWith: Choice {
    package static var aliases: [String: PatchWith] { ["other": .clean] }
    /// What takes activations away instead of putting the other pass's in: `--ablate`
    package static let ablations: [PatchWith] = [.zero, .mean, .resample]
}

extension Site: Choice {}
extension ResizeLibrary: Choice {}
