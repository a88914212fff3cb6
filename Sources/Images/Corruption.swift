/// A corruption: how the wanted information is removed from an image, as `--corruption` names it.
///
/// Wraps a ``CorruptionKind``. ``Corruptor`` applies it.
package struct Corruption: Sendable {
    let kind: any CorruptionKind

    /// All kinds of corruption, in the order of messages. A new kind is a file in Corruptions/ and its entry here.
    static let kinds: [any CorruptionKind.Type] = [
        NoCorruption.self, Grayscale.self, Blur.self, Noise.self, CopyChannel.self, Shuffle.self, Mask.self,
        MeanImage.self, PairedImage.self,
    ]

    /// The clean image itself
    package static let none = Corruption(kind: NoCorruption())

    /// Where in the image's path to the model a corruption acts
    package enum Stage: Sendable {
        /// Nowhere
        case none
        /// Source pixels, before resizing
        case source
        /// The normalised model input, [3, height, width]
        case tensor
        /// The patch embeddings, on the device
        case device
    }

    package var stage: Stage { kind.stage }

    /// Whether it depends on the seed and the sample
    package var isRandom: Bool { kind.isRandom }

    /// The noise that the device adds to the patch embeddings; nil for corruptions of pixels.
    package var embeddingNoise: EmbeddingNoise? { kind.embeddingNoise }
}

/// Normal noise on the patch embeddings: `strength` times a standard deviation of the image's clean patch projections.
package struct EmbeddingNoise: Sendable, Equatable {
    package var strength: Double
}

extension Corruption: Hashable {
    package static func == (a: Corruption, b: Corruption) -> Bool { a.spec == b.spec }
    package func hash(into hasher: inout Hasher) { hasher.combine(spec) }
}

// MARK: - The text of --corruption

extension Corruption {
    /// The syntax of every corruption: `none`, `grayscale`, `blur:SIGMA` ...
    package static var syntax: [String] { kinds.flatMap { $0.forms } }

    /// Parses one corruption.
    /// - Throws: ``ImageError/corruption(spec:reason:)``, also for a list of values.
    package init(spec: String) throws {
        let all = try Self.list(spec: spec)
        guard all.count == 1, let only = all.first else {
            throw ImageError.corruption(spec: spec, reason: "has \(all.count) values, expected one")
        }
        self = only
    }

    /// Parses `--corruption`. Numbers and names may be lists: `noise:0.5,1,2` gives three corruptions. The value of
    /// `pair:DIR` or `mask:FILE` is one path, commas included.
    /// - Throws: ``ImageError/corruption(spec:reason:)``
    package static func list(spec: String) throws -> [Corruption] {
        func fail(_ reason: String) -> ImageError { .corruption(spec: spec, reason: reason) }
        let parts = spec.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.first ?? "", value = parts.count == 2 ? parts[1] : nil
        guard let kind = kinds.first(where: { $0.name == name }) else {
            throw fail("is unknown; valid are \(syntax.joined(separator: ", "))")
        }
        guard let expected = kind.expected else {
            guard value == nil, let plain = kind.init(value: "") else { throw fail("takes no value") }
            return [Corruption(kind: plain)]
        }
        if value == nil, let plain = kind.plain.flatMap(kind.init(value:)) { return [Corruption(kind: plain)] }
        guard let value, !value.isEmpty else { throw fail("lacks its value, as in '\(kind.example)'") }
        if kind.isPath(value), let path = kind.init(value: value) { return [Corruption(kind: path)] }
        var all: [Corruption] = []
        for item in value.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            guard let one = kind.init(value: item) else {
                throw fail("has the value '\(item)', expected \(expected)")
            }
            let corruption = Corruption(kind: one)
            guard !all.contains(corruption) else { throw fail("has the value '\(item)' twice") }
            all.append(corruption)
        }
        return all
    }

    /// The canonical spec: parses to this corruption, with one spelling for each number
    package var spec: String {
        let name = type(of: kind).name
        return kind.value.isEmpty ? name : "\(name):\(kind.value)"
    }
}
