/// Why an encoder has no backward pass: pieces that none is written for.
package struct NoGradient: Error, Sendable, Equatable, CustomStringConvertible {
    package let family: String
    package let pieces: [String]

    package var description: String {
        "gradients are not there for \(pieces.joined(separator: ", ")), which this \(family) has"
    }
}

extension Architecture {
    /// Pieces beside those of a ViT whose gradients are not written
    private var piecesWithoutGradient: [String] {
        [
            (hasGatedMLP, "gated MLPs"), (hasQKNorm, "norms of queries and keys"),
            (hasScoreBias, "biases of attention scores"),
            (readout.parts.contains(.attention), "a readout by attention"),
            (readout.embedding != nil, "texts for classes"),
        ].filter(\.0).map(\.1)
    }

    /// For what differentiates an encoder of this architecture.
    package func checkGradients() throws(NoGradient) {
        let pieces = piecesWithoutGradient
        if !pieces.isEmpty { throw NoGradient(family: family, pieces: pieces) }
    }
}
