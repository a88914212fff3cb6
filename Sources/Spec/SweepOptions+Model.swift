import Patch
import ViT

extension SweepOptions {
    /// The sweep's patches in a model.
    /// - Throws: also where a layer, head, token or neuron does not exist in the model.
    package func spec(for config: ViTConfig) throws(SpecError) -> SweepSpec {
        var spec = try sites()
        for values in [values] + places {
            for (key, parse) in Self.parsers(config) { try check(values[key], parse) }
        }
        spec.patches = try patches.map { (patch) throws(SpecError) in
            SweepSpec.Named(
                name: patch.name, direction: patch.direction,
                parts: try patch.parts.map { (part) throws(SpecError) in try part.part(for: config) })
        }
        return spec
    }

    fileprivate typealias Parser = (_ text: String) throws(ListError) -> [ListText.Item]

    fileprivate static func parsers(_ config: ViTConfig) -> [(SweepKey, Parser)] {
        [
            (.layers, { (text) throws(ListError) in try ListText.parse(text, below: config.layers) }),
            (.heads, { (text) throws(ListError) in try ListText.heads(text, config: config) }),
            (.tokens, { (text) throws(ListError) in try ListText.tokens(text, config: config) }),
            (.neurons, { (text) throws(ListError) in try ListText.neurons(text, config: config) }),
        ]
    }

    /// Checks each item by itself, so that a message has its line, then all together.
    private func check(_ items: [Written]?, _ parse: Parser) throws(SpecError) {
        guard let items, var first = items.first else { return }
        for item in items { _ = try item.parsed(parse) }
        first.text = Self.joined(items)
        _ = try first.parsed(parse)
    }
}

extension WrittenPatch.Part {
    /// The part in a model, its sets ascending and without duplicates.
    func part(for config: ViTConfig) throws(SpecError) -> Part {
        var sets: [SweepKey: [Int]] = [:]
        let written: [SweepKey: [Written]?] = [
            .layers: layers, .heads: heads, .tokens: tokens, .neurons: neurons,
        ]
        for (key, parse) in SweepOptions.parsers(config) { sets[key] = try set(written[key] ?? nil, parse) }
        return Part(
            site: site, layers: sets[.layers] ?? [], heads: sets[.heads], tokens: sets[.tokens],
            neurons: sets[.neurons])
    }

    /// nil: all
    private func set(_ items: [Written]?, _ parse: SweepOptions.Parser) throws(SpecError) -> [Int]? {
        guard let items else { return nil }
        var set: Set<Int> = []
        for item in items {
            for parsed in try item.parsed(parse) {
                guard let indices = parsed.indices else { return nil }
                set.formUnion(indices)
            }
        }
        return set.sorted()
    }
}
