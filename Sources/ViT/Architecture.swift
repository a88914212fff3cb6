/// The kind of an encoder: everything besides sizes and weights that differs between families.
package struct Architecture: Sendable, Equatable {
    /// A token before the image patches
    package enum PrefixToken: String, Sendable, CaseIterable {
        case cls, distillation, register
    }

    /// The classifier's input, read from the last layer's stream: the parts concatenated, [parts, D].
    package struct Readout: Sendable, Equatable {
        package enum Part: Sendable, Equatable {
            /// One token
            case token(Int)
            /// The mean of the tokens from this one on
            case mean(from: Int)
            /// Attention of a learned query to all tokens, followed by an MLP (`PoolingWeights`)
            case attention
        }

        /// The embedding between parts and classes in a model that compares images with texts: an optional map to
        /// `width` values without a bias; the result is divided by its length
        package struct Embedding: Sendable, Equatable {
            package var width: Int
            package var isProjected: Bool

            package init(width: Int, isProjected: Bool) { (self.width, self.isProjected) = (width, isProjected) }
        }

        /// Position of the final norm: before the means, after them, or absent
        package enum Norm: Sendable { case before, after, none }

        package var parts: [Part]
        package var norm: Norm
        package var embedding: Embedding?

        package init(_ parts: [Part], norm: Norm = .before, embedding: Embedding? = nil) {
            (self.parts, self.norm, self.embedding) = (parts, norm, embedding)
        }

        /// The first token, after the final norm
        package static let firstToken = Readout([.token(0)])

        /// Whether the parts are the first tokens in order, and nothing else.
        package var isFirstTokens: Bool {
            norm == .before && embedding == nil && parts == parts.indices.map { .token($0) }
        }

        /// The number of tokens, from the first, that the last layer computes of `tokens`: up to the last one that is
        /// read.
        package func tokensRead(of tokens: Int) -> Int { ranges(of: tokens).map(\.upperBound).max() ?? tokens }

        /// The tokens that are read, one range per part
        package func ranges(of tokens: Int) -> [Range<Int>] {
            parts.map { part in
                switch part {
                case .token(let token): token..<(token + 1)
                case .mean(let first): first..<tokens
                case .attention: 0..<tokens
                }
            }
        }

        package var text: String {
            let parts = parts.map { part in
                switch part {
                case .token(0): "the first token"
                case .token(let token): "token \(token)"
                case .mean(0): "the mean of all tokens"
                case .mean(let first): "the mean of the tokens from \(first) on"
                case .attention: "attention to all tokens"
                }
            }
            let norm =
                switch norm {
                case .before: ""
                case .after: ", then the norm"
                case .none: ", without a norm"
                }
            return parts.joined(separator: " and ") + norm + (embedding == nil ? "" : ", compared with texts")
        }
    }

    /// The family's name, as `inspect` shows it
    package var family: String
    /// The tokens before the patches, in order
    package var prefix: [PrefixToken]
    package var readout: Readout
    /// Whether a layer norm is applied between the embeddings and the first layer
    package var hasPreNorm: Bool
    /// Whether the MLP's hidden layer is activation(gate) * up, two maps of the same input
    package var hasGatedMLP = false
    /// Whether queries and keys are normed, head by head
    package var hasQKNorm = false
    /// Whether a bias that depends on token positions alone is added to the attention scores
    package var hasScoreBias = false

    package init(family: String, prefix: [PrefixToken], readout: Readout, hasPreNorm: Bool = false) {
        (self.family, self.prefix, self.readout, self.hasPreNorm) = (family, prefix, readout, hasPreNorm)
    }

    /// transformers' `ViTForImageClassification`
    package static let vit = Architecture(family: "ViT", prefix: [.cls], readout: .firstToken)

    package var prefixText: String { Self.text(prefix) }

    /// `CLS`, `CLS, distillation, 4 registers`
    package static func text(_ prefix: [PrefixToken]) -> String {
        var counts: [(PrefixToken, Int)] = []
        for token in prefix {
            if counts.last?.0 == token { counts[counts.count - 1].1 += 1 } else { counts.append((token, 1)) }
        }
        return counts.map { token, count in
            let name = token == .cls ? "CLS" : token.rawValue
            return count == 1 ? name : "\(count) \(name)s"
        }.joined(separator: ", ")
    }
}
