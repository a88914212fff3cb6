/// What kind of encoder a model is: everything that differs between families beside sizes and weights.
package struct Architecture: Sendable, Equatable {
    /// A token in front of the image patches
    package enum PrefixToken: String, Sendable, CaseIterable {
        case cls, distillation, register
    }

    /// What the classifier reads of the last layer's stream.
    package enum Readout: Sendable, Equatable {
        /// The first token, after the final norm
        case firstToken

        /// How many tokens it reads, from the first on, of `tokens`. The last layer computes no others.
        package func tokensRead(of tokens: Int) -> Int {
            switch self {
            case .firstToken: 1
            }
        }

        package var text: String {
            switch self {
            case .firstToken: "the first token"
            }
        }
    }

    /// The family's name, as `inspect` shows it
    package var family: String
    /// In front of the patches, in their order
    package var prefix: [PrefixToken]
    package var readout: Readout

    package init(family: String, prefix: [PrefixToken], readout: Readout) {
        (self.family, self.prefix, self.readout) = (family, prefix, readout)
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
