import Patch
import Testing

@testable import Spec

/// Random places beside a sweep's patches, in the network of ``config``: 5 layers, 3 heads, 17 tokens.
struct ControlTests {
    private func controls(_ yaml: String, _ count: Int, seed: UInt64 = 0) throws -> [SweepSpec.Item] {
        try SweepSpec.controls(of: sweep(yaml).items(config: config), count: count, config: config, seed: seed)
    }

    private func columns(_ item: SweepSpec.Item) -> [String] {
        [item.direction, item.site, item.layer, item.head, item.token, item.window]
    }

    /// For each size in the sweep, the requested number of distinct places of that size, none of which the sweep has.
    @Test(arguments: [
        "window: [2, 3]\n", "site: resid_post\nlayers: 1\ntokens: 0:2x0:2,cls,5+6+7\n",
        "site: mlp_act\nneurons: 0+1+2\nwindow: 1\n",
        "site: z\nheads: 0+1\ndirection: [restore, noise]\nlayers: 0,2+3\n", "site: embed\ntokens: 0+3\n",
        "site: attn_out+mlp_out\nwindow: 2\n",
        "patches:\n  - {name: a, parts: [{site: z, layers: 0, heads: [0, 2]}, {site: z, layers: 1, heads: 1}]}\n",
    ])
    func ofTheSameSize(_ yaml: String) throws {
        let seed = UInt64.random(in: 0...(.max)), count = 4
        let items = try sweep(yaml).items(config: config)
        let found = try controls(yaml, count, seed: seed)
        let wanted = Set(
            items.filter { $0.patch.coversSeveralPlaces(config) }.map { [$0.direction, $0.patch.extent(config)] })
        #expect(!wanted.isEmpty && Set(found.map { [$0.direction, $0.patch.extent(config)] }) == wanted)
        for size in wanted {
            #expect(found.count { [$0.direction, $0.patch.extent(config)] == size } == count, "\(size), seed \(seed)")
        }
        #expect(
            Set(found.map(\.patch)).count == found.count && Set(found.map(columns)).count == found.count, "seed \(seed)"
        )
        #expect(Set(items.map(\.patch)).isDisjoint(with: found.map(\.patch)), "seed \(seed)")
        #expect(Set(items.map(columns)).isDisjoint(with: found.map(columns)), "seed \(seed)")
        #expect(found.allSatisfy(\.isControl) && !items.contains(where: \.isControl))
        // Both directions have the same places.
        let places = Dictionary(grouping: found, by: \.direction).mapValues { $0.map(\.patch.parts) }
        #expect(places["noise"] == nil || places["noise"] == places["restore"])
        #expect(try controls(yaml, count, seed: seed).map(\.patch) == found.map(\.patch))
        // Another seed may draw the same few places by chance, eight of them do not.
        let others = try (1...8).map { try controls(yaml, count, seed: seed &+ $0).map(\.patch) }
        #expect(others.contains { $0 != found.map(\.patch) }, "seed \(seed)")
    }

    /// The columns describe the drawn places in the syntax of LIST texts.
    @Test func columnsSayWhatIsPatched() throws {
        for item in try controls("window: 3\nlayers: 2\n", 3) {
            #expect(item.layer == item.patch.parts[0].layers.map(String.init).joined(separator: "+"))
            #expect(
                item.site == "attn_out" && item.patch.parts[0].layers.count == 3 && item.window == ""
                    && item.token == "")
        }
        for item in try controls("site: z\nheads: 0+2\nlayers: 1\ntokens: patches\n", 3) {
            #expect(item.head == (item.patch.parts[0].heads ?? []).map(String.init).joined(separator: "+"))
            #expect(item.token == "patches" && item.window == "1" && item.patch.parts[0].tokens == Array(1..<17))
        }
        for item in try controls("site: mlp_act\nneurons: 3+5\nlayers: 1\ntokens: 0:1x0:2\n", 3) {
            let part = item.patch.parts[0]
            #expect(item.site == "mlp_act[\((part.neurons ?? []).map(String.init).joined(separator: "+"))]")
            #expect(
                item.token == (part.tokens ?? []).map(String.init).joined(separator: "+") && part.tokens?.count == 2)
        }
        let spelled = try controls(
            "patches:\n  - {name: a, parts: [{site: z, layers: [0, 1], heads: 2}, {site: embed, tokens: cls}]}\n", 2)
        for item in spelled {
            let part = item.patch.parts[0]
            #expect(
                item.site == "z layers \(part.layers[0])+\(part.layers[1]) head \(part.heads?[0] ?? -1), embed token 0")
            #expect(item.layer == "" && item.head == "" && item.patch.parts[1].tokens == [0])
        }
    }

    /// Another site, or more places of this one, change no draw.
    @Test func drawsDependOnTheSizeAlone() throws {
        let alone = try controls("window: 2\nlayers: 1\n", 5)
        let more = try controls("site: [mlp_out, attn_out]\nwindow: [3, 2]\nlayers: 1\n", 5)
        #expect(alone.count == 5)
        #expect(
            more.filter { $0.site == "attn_out" && $0.patch.parts[0].layers.count == 2 }.map(\.patch)
                == alone.map(\.patch))
    }

    @Test func singlePlacesHaveNone() throws {
        #expect(try controls("window: 1\n", 9).isEmpty && controls("site: z\n", 9).isEmpty)
        #expect(
            try controls("site: resid_post\ntokens: each,patches\n", 9).isEmpty && controls("window: 3\n", 0).isEmpty)
    }

    /// 10 pairs of 5 layers, of which the sweep has 4 (window 2 gives layer 0 alone at the edge); one set of all
    /// layers.
    @Test func asManyAsThereAre() throws {
        let seed = UInt64.random(in: 0...(.max))
        let pairs = try controls("window: 2\n", 50, seed: seed).map { $0.patch.parts[0].layers }
        #expect(Set(pairs).count == 6 && pairs.count == 6, "\(pairs), seed \(seed)")
        #expect(try controls("layers: 0+1+2+3+4\n", 50).isEmpty)
    }

    /// Every layer is drawn about equally often.
    @Test func everyLayerAsOften() throws {
        var counts = [Int](repeating: 0, count: 5)
        for seed in 0..<400 {
            for item in try controls("site: mlp_out\nlayers: 0+1\n", 1, seed: UInt64(seed)) {
                for layer in item.patch.parts[0].layers { counts[layer] += 1 }
            }
        }
        // Of 9 pairs (one is the sweep's own) layers 0 and 1 are in 3, the others in 4; 5 standard deviations.
        for (layer, count) in counts.enumerated() {
            let share = layer < 2 ? 3.0 / 9 : 4.0 / 9
            #expect(abs(Double(count) - 400 * share) < 5 * (400 * share * (1 - share)).squareRoot(), "\(counts)")
        }
    }
}
