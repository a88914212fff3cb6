/// How the wanted information is removed from an image.
///
/// The cases here act on source pixels, before resizing. Corruptions that act on normalised pixels or on the
/// device (mask, noise) are to be applied where those exist; `apply(to:)` then leaves the image as it is.
public enum Corruption: Sendable, Equatable {
    case none
    /// ITU-R 601-2 luma in all three channels
    case grayscale

    /// Parses `--corruption`.
    /// - Throws: ``ImageError/notBuilt(_:)`` for the ones to come, ``ImageError/corruption(spec:reason:)`` otherwise.
    public init(spec: String) throws {
        let parts = spec.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.first.map(String.init) ?? ""
        switch name {
        case "none", "grayscale":
            guard parts.count == 1 else { throw ImageError.corruption(spec: spec, reason: "takes no value") }
            self = name == "none" ? .none : .grayscale
        case "blur", "noise", "channel", "shuffle", "mask", "mean", "pair":
            throw ImageError.notBuilt(spec)
        default:
            throw ImageError.corruption(spec: spec, reason: "is unknown; valid are \(Self.valid)")
        }
    }

    static let valid =
        "none, grayscale, blur:SIGMA, noise:K, channel:r|g|b, shuffle:N, mask:FRACTION, mean, pair:DIR"

    /// The spec that parses to this corruption
    public var spec: String {
        switch self {
        case .none: "none"
        case .grayscale: "grayscale"
        }
    }

    /// The corrupted source image, of the same size.
    public func apply(to image: RGBImage) -> RGBImage {
        switch self {
        case .none: image
        case .grayscale: image.grayscale()
        }
    }
}
