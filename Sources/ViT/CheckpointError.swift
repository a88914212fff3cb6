/// Why a model could not be read. `description` is one sentence that names the file and its fault.
package enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A file or folder that is missing, unreadable or of the wrong kind.
    case file(path: String, reason: String)
    /// A safetensors file whose header or layout is malformed.
    case header(file: String, reason: String)
    /// A setting in `config.json` that is missing, malformed, out of range or not supported.
    case config(file: String, reason: String)
    /// One tensor: absent, malformed, of another shape or type, or with a value that is not finite.
    case tensor(name: String, file: String, reason: String)

    package var description: String {
        switch self {
        case .file(let path, let reason): "\(path): \(reason)"
        case .header(let file, let reason): "\(file): \(reason)"
        case .config(let file, let reason): "\(file): \(reason)"
        case .tensor(let name, let file, let reason): "\(file): tensor \(printable(name)): \(reason)"
        }
    }
}

/// Text from a file made safe for a terminal: control characters escaped, cut at 120 characters.
func printable(_ text: String) -> String {
    let head = String(String.UnicodeScalarView(text.unicodeScalars.prefix(120)))
    return String(head.debugDescription.dropFirst().dropLast()) + (head.utf8.count < text.utf8.count ? "..." : "")
}
