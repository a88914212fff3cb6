/// Errors of images, data sets, preprocessing and corruptions; each prints as one sentence.
package enum ImageError: Error, Equatable, CustomStringConvertible {
    /// An image file that cannot be decoded completely
    case decode(name: String, reason: String)
    /// An image that cannot be written as PNG
    case encode(String)
    /// Sizes that do not fit each other or the limit of ``maxImagePixels``
    case size(String)
    /// A preprocessor_config.json that is not supported or not valid
    case preprocessor(name: String, reason: String)
    /// A data folder or one of its files
    case dataset(path: String, reason: String)
    /// Class names that cannot be matched to the model's labels
    case labels(String)
    /// A corruption that is unknown, misspelled, or does not fit an image
    case corruption(spec: String, reason: String)

    package var description: String {
        switch self {
        case .decode(let name, let reason): "\(name) cannot be decoded: \(reason)."
        case .encode(let reason): "An image cannot be written as PNG: \(reason)."
        case .size(let text), .labels(let text): text
        case .preprocessor(let name, let reason): "\(name): \(reason)."
        case .dataset(let path, let reason): "\(path): \(reason)."
        case .corruption(let spec, let reason): "The corruption '\(spec)' \(reason)."
        }
    }
}
