import Patch
import ViT

extension SweepOptions {
    /// What the sweep patches in a model.
    /// - Throws: also where a layer, head, token or neuron does not exist in the model.
    package func spec(for config: ViTConfig) throws(SpecError) -> SweepSpec {
        var spec = try sites()
        for values in [values] + places {
            try check(values[.layers]) { (text, option) throws(SweepError) in
                try ListText.parse(text, below: config.layers, option: option)
            }
            try check(values[.heads]) { (text, option) throws(SweepError) in
                try ListText.heads(text, config: config, option: option)
            }
            try check(values[.tokens]) { (text, option) throws(SweepError) in
                try ListText.tokens(text, config: config, option: option)
            }
            try check(values[.neurons]) { (text, option) throws(SweepError) in
                try ListText.parse(text, below: config.intermediateSize, option: option)
            }
        }
        spec.patches = try patches.map { (patch) throws(SpecError) in
            SweepSpec.Named(
                name: patch.name, direction: patch.direction,
                parts: try patch.parts.map { (part) throws(SpecError) in try part.part(for: config) })
        }
        return spec
    }

    private typealias Parser = (_ text: String, _ option: String) throws(SweepError) -> [ListText.Item]

    /// Each item for itself, so that a message has its line, and then all together.
    private func check(_ items: [Written]?, _ parse: Parser) throws(SpecError) {
        guard let items, let first = items.first else { return }
        do {
            for item in items { _ = try parse(item.text, item.label) }
            _ = try parse(Self.joined(items), first.label)
        } catch { throw SpecError("\(error)") }
    }
}

extension WrittenPatch.Part {
    /// The part in a model, its sets without doubles and ascending.
    func part(for config: ViTConfig) throws(SpecError) -> Part {
        Part(
            site: site,
            layers: try set(layers) { (text, option) throws(SweepError) in
                try ListText.parse(text, below: config.layers, option: option)
            } ?? [],
            heads: try set(heads) { (text, option) throws(SweepError) in
                try ListText.heads(text, config: config, option: option)
            },
            tokens: try set(tokens) { (text, option) throws(SweepError) in
                try ListText.tokens(text, config: config, option: option)
            },
            neurons: try set(neurons) { (text, option) throws(SweepError) in
                try ListText.parse(text, below: config.intermediateSize, option: option)
            })
    }

    /// nil: all
    private func set(
        _ items: [Written]?, _ parse: (_ text: String, _ option: String) throws(SweepError) -> [ListText.Item]
    ) throws(SpecError) -> [Int]? {
        guard let items else { return nil }
        var set: Set<Int> = []
        for item in items {
            do {
                for parsed in try parse(item.text, item.label) {
                    guard let indices = parsed.indices else { return nil }
                    set.formUnion(indices)
                }
            } catch { throw SpecError("\(error)") }
        }
        return set.sorted()
    }
}
