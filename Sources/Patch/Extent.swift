import ViT

extension Patch {
    /// How much of the network the patch covers, in words: `attn_out 3 layers`, `z 1 layer 2 heads`,
    /// `resid_post 1 layer CLS and 4 tokens`. Patches of the same direction and extent have the same size. Lists of all
    /// heads, tokens or neurons are not mentioned.
    package func extent(_ config: ViTConfig) -> String {
        var groups: [(sites: [String], amount: String)] = []
        // In an order that does not depend on the layers.
        let sites = Site.allCases.map(\.rawValue)
        let amounts = Patch(merging: [self]).parts.map { ($0.site.rawValue, $0.amount(config)) }.sorted { a, b in
            (a.1, sites.firstIndex(of: a.0) ?? 0) < (b.1, sites.firstIndex(of: b.0) ?? 0)
        }
        for (site, amount) in amounts {
            if let last = groups.last, last.amount == amount, !last.sites.contains(site) {
                groups[groups.count - 1].sites.append(site)
            } else {
                groups.append(([site], amount))
            }
        }
        return groups.map { $0.sites.joined(separator: "+") + $0.amount }.joined(separator: " + ")
    }

    /// Whether it puts in several layers, heads, image patches or neurons. A single one, or all heads, image patches or
    /// neurons of one layer, is one place.
    package func coversSeveralPlaces(_ config: ViTConfig) -> Bool {
        let parts = Patch(merging: [self]).parts
        return Set(parts.flatMap(\.layers)).count > 1 || Set(parts.compactMap(\.heads)).count > 1
            || Set(parts.compactMap(\.tokens)).count > 1
            || parts.contains { part in
                (part.heads.map { $0.count > 1 && $0.count < config.heads } ?? false)
                    || (part.neurons.map { $0.count > 1 && $0.count < config.intermediateSize } ?? false)
                    || (part.tokens.map { tokens in
                        tokens.count > 1
                            && (1..<config.patches).contains(tokens.count(where: config.patchTokens.contains))
                    } ?? false)
            }
    }

    /// The patch with its indices permuted: layer l becomes `layers[l]`, and so on. nil lists and prefix
    /// tokens (CLS ...) stay.
    ///
    /// - Parameters:
    ///   - layers: a permutation of all layers; heads, neurons and tokens likewise
    ///   - tokens: a permutation of the image patches, counted from 0
    ///   - prefixTokens: number of tokens before the patches
    package func moved(
        layers: [Int], heads: [Int], tokens: [Int], neurons: [Int], prefixTokens: Int
    ) -> Patch {
        func moved(_ list: [Int]?, _ order: [Int]) -> [Int]? { list.map { $0.map { order[$0] }.sorted() } }
        var patch = self
        for index in parts.indices {
            patch.parts[index].layers = parts[index].layers.map { layers[$0] }.sorted()
            patch.parts[index].heads = moved(parts[index].heads, heads)
            patch.parts[index].tokens = moved(
                parts[index].tokens, Array(0..<prefixTokens) + tokens.map { $0 + prefixTokens })
            patch.parts[index].neurons = moved(parts[index].neurons, neurons)
        }
        return patch
    }
}

extension Patch {
    /// Whether both replace some of the same values, so that one would undo the other there.
    package func overlaps(_ other: Patch) -> Bool {
        func meet(_ a: [Int]?, _ b: [Int]?) -> Bool {
            guard let a, let b else { return true }
            return !Set(a).isDisjoint(with: b)
        }
        return parts.contains { a in
            other.parts.contains { b in
                a.site == b.site && (a.layers.isEmpty || meet(a.layers, b.layers)) && meet(a.heads, b.heads)
                    && meet(a.tokens, b.tokens) && meet(a.neurons, b.neurons)
            }
        }
    }
}

extension Part {
    /// ` 3 layers 2 heads`
    fileprivate func amount(_ config: ViTConfig) -> String {
        func counted(_ count: Int, _ name: String) -> String { " \(count) \(name)\(count == 1 ? "" : "s")" }
        func some(_ list: [Int]?, of count: Int, _ name: String) -> String {
            list.map { $0.count == count ? "" : counted($0.count, name) } ?? ""
        }
        var text = site.hasLayers ? counted(layers.count, "layer") : ""
        text += some(heads, of: config.heads, "head") + some(neurons, of: config.intermediateSize, "neuron")
        if let tokens, tokens.count < config.tokens {
            let patches = tokens.count(where: config.patchTokens.contains)
            let prefix = tokens.filter { $0 < config.prefixTokens }.map { config.architecture.prefix[$0] }
            let names = [
                prefix.isEmpty ? "" : " " + Architecture.text(prefix), patches > 0 ? counted(patches, "token") : "",
            ]
            text += names.filter { !$0.isEmpty }.joined(separator: " and")
        }
        return text
    }

    /// `z layers 0+2 head 1`
    package var text: String {
        func list(_ name: String, _ values: [Int]?) -> String {
            guard let values, !values.isEmpty else { return "" }
            return " \(name)\(values.count == 1 ? "" : "s") " + values.map(String.init).joined(separator: "+")
        }
        return site.rawValue + list("layer", layers) + list("head", heads) + list("token", tokens)
            + list("neuron", neurons)
    }
}
