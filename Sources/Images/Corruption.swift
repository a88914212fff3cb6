/// How the wanted information is removed from an image; what `--corruption` names.
///
/// ``Corruptor`` applies it. Values are to be those that ``init(spec:)`` lets through.
package enum Corruption: Sendable, Hashable {
    case none
    /// ITU-R 601-2 luma in all three channels
    case grayscale
    /// A Gaussian of `sigma` source pixels, radius ceil(4 sigma), edges replicated
    case blur(sigma: Double)
    /// `strength` times the standard deviation of the image's clean patch projections, added to the patch embeddings
    case noise(strength: Double)
    /// One channel copied to all three
    case channel(Channel)
    /// The cells of a `cells` x `cells` grid of the image, permuted
    case shuffle(cells: Int)
    /// A random share, 0 to 1, of the model's patches set to 0 after normalising. With the same seed the patches of
    /// a smaller share are among those of a larger one.
    case mask(fraction: Double)
    /// The patches that are dark in an image file set to 0 after normalising
    case maskFile(path: String)
    /// The mean of all images as the model reads them
    case mean
    /// The image of the same id in another folder
    case pair(folder: String)

    package enum Channel: Int, Sendable, Hashable, CaseIterable {
        case r, g, b
    }

    /// Where in an image's way to the model a corruption takes place
    package enum Stage: Sendable {
        /// Nowhere
        case none
        /// Source pixels, before resizing
        case source
        /// The normalised tensor, [3, S, S]
        case tensor
        /// The patch embeddings, on the device
        case device
    }

    package var stage: Stage {
        switch self {
        case .none: .none
        case .grayscale, .blur, .channel, .shuffle, .pair: .source
        case .mask, .maskFile, .mean: .tensor
        case .noise: .device
        }
    }

    /// Whether it depends on seed and sample
    package var isRandom: Bool {
        switch self {
        case .noise, .shuffle, .mask: true
        case .none, .grayscale, .blur, .channel, .maskFile, .mean, .pair: false
        }
    }

    /// The image with a corruption that needs nothing but its pixels (grayscale, blur, channel; none).
    /// - Throws: ``ImageError/corruption(spec:reason:)`` for the others.
    package func apply(to image: RGBImage) throws -> RGBImage {
        switch self {
        case .none: image
        case .grayscale: image.grayscale()
        case .blur(let sigma): image.blurred(sigma: sigma)
        case .channel(let channel): image.copying(channel: channel.rawValue)
        case .noise, .shuffle, .mask, .maskFile, .mean, .pair:
            throw ImageError.corruption(spec: spec, reason: "needs more than an image's pixels")
        }
    }
}
