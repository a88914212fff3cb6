extension Corruption {
    /// How each corruption is written
    package static let syntax = [
        "none", "grayscale", "blur:SIGMA", "noise:K", "channel:r|g|b", "shuffle:N", "mask:FRACTION", "mask:FILE",
        "mean",
        "pair:DIR",
    ]
    static let valid = syntax.joined(separator: ", ")
    /// A narrower Gaussian leaves every byte as it is.
    static let minSigma = 0.1
    static let maxSigma = 1000.0
    static let maxStrength = 1000.0
    static let maxCells = 1000

    /// Parses one corruption.
    /// - Throws: ``ImageError/corruption(spec:reason:)``, also for a list of strengths.
    package init(spec: String) throws {
        let all = try Self.list(spec: spec)
        guard all.count == 1, let only = all.first else {
            throw ImageError.corruption(spec: spec, reason: "has \(all.count) values, expected one")
        }
        self = only
    }

    /// Parses `--corruption`, where blur, noise, channel, shuffle and mask may have several values: `noise:0.5,1,2`
    /// stands for three corruptions. The values of `pair:DIR` and `mask:FILE` (.png, .jpg or .jpeg) are one path each.
    /// - Throws: ``ImageError/corruption(spec:reason:)``
    package static func list(spec: String) throws -> [Corruption] {
        func fail(_ reason: String) -> ImageError { .corruption(spec: spec, reason: reason) }
        let parts = spec.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.first ?? "", value = parts.count == 2 ? parts[1] : nil
        guard let kind = Kind(rawValue: name) else { throw fail("is unknown; valid are \(valid)") }
        if let plain = kind.plain {
            guard value == nil else { throw fail("takes no value") }
            return [plain]
        }
        guard let value, !value.isEmpty else { throw fail("lacks its value, as in '\(kind.example)'") }
        if kind == .pair { return [.pair(folder: value)] }
        if kind == .mask, isImageName(value) { return [.maskFile(path: value)] }
        var all: [Corruption] = []
        for item in value.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            guard let corruption = kind.with(item) else {
                throw fail("has the value '\(item)', expected \(kind.expected)")
            }
            guard !all.contains(corruption) else { throw fail("has the value '\(item)' twice") }
            all.append(corruption)
        }
        return all
    }

    /// The spec that parses to this corruption, the same however its number was written
    package var spec: String {
        switch self {
        case .none: "none"
        case .grayscale: "grayscale"
        case .blur(let sigma): "blur:\(text(sigma))"
        case .noise(let strength): "noise:\(text(strength))"
        case .channel(let channel): "channel:\(channel)"
        case .shuffle(let cells): "shuffle:\(cells)"
        case .mask(let fraction): "mask:\(text(fraction))"
        case .maskFile(let path): "mask:\(path)"
        case .mean: "mean"
        case .pair(let folder): "pair:\(folder)"
        }
    }
}

private enum Kind: String {
    case none, grayscale, blur, noise, channel, shuffle, mask, mean, pair

    /// The corruption, where it takes no value
    var plain: Corruption? {
        switch self {
        case .none: Corruption.none
        case .grayscale: .grayscale
        case .mean: .mean
        case .blur, .noise, .channel, .shuffle, .mask, .pair: nil
        }
    }

    func with(_ value: String) -> Corruption? {
        func number(in range: ClosedRange<Double>) -> Double? {
            Double(value).flatMap { range.contains($0) && $0.sign == .plus ? $0 : nil }
        }
        switch self {
        case .blur: return number(in: Corruption.minSigma...Corruption.maxSigma).map { .blur(sigma: $0) }
        case .noise: return number(in: 0...Corruption.maxStrength).map { .noise(strength: $0) }
        case .mask: return number(in: 0...1).map { .mask(fraction: $0) }
        case .shuffle: return Int(value).flatMap { 2...Corruption.maxCells ~= $0 ? .shuffle(cells: $0) : nil }
        case .channel: return Corruption.Channel.allCases.first { "\($0)" == value }.map { .channel($0) }
        case .none, .grayscale, .mean, .pair: return nil
        }
    }

    var example: String {
        switch self {
        case .none, .grayscale, .mean: rawValue
        case .blur: "blur:2"
        case .noise: "noise:3"
        case .channel: "channel:r"
        case .shuffle: "shuffle:4"
        case .mask: "mask:0.5"
        case .pair: "pair:DIR"
        }
    }

    var expected: String {
        switch self {
        case .none, .grayscale, .mean, .pair: "none"
        case .blur: "a number of source pixels from \(text(Corruption.minSigma)) to \(text(Corruption.maxSigma))"
        case .noise: "a number of standard deviations from 0 to \(text(Corruption.maxStrength))"
        case .channel: "r, g or b"
        case .shuffle: "a whole number of cells a side from 2 to \(Corruption.maxCells)"
        case .mask: "a share from 0 to 1, or a .png or .jpg file"
        }
    }
}

/// 2, 0.5, 1e-05
private func text(_ number: Double) -> String {
    Int(exactly: number).map(String.init) ?? String(number)
}
