import Patch
import Testing

@testable import Spec

/// Sets of places that are patched together, for `--pairs` and `--shapley`.
struct SetTests {
    private func items(_ yaml: String) throws -> [SweepSpec.Item] { try sweep(yaml).items(config: config) }

    private func message(_ body: () throws -> Void) -> String? {
        #expect(throws: SpecError.self) { try body() }?.description
    }

    @Test(arguments: [
        ("none", Pairs.none), ("all", .all), ("top:2", .top(2)), ("top:1000", .top(1000)), ("top:1", nil),
        ("top:1001", nil), ("top:02", nil), ("top: 2", nil), ("top", nil), ("", nil), ("ALL", nil),
    ])
    func written(text: String, pairs: Pairs?) {
        #expect(Pairs(text) == pairs)
        if let pairs { #expect(pairs.description == text) }
    }

    /// A pair patches both of its places, in as few parts as possible.
    @Test func pairs() throws {
        let items = try items("site: z\nlayers: 0-1\n")  // 3 heads, by head
        let pairs = try SweepSpec.pairs(of: Array(items.indices), among: items, .all)
        #expect(pairs.count == 15 && pairs.allSatisfy { $0[0] < $0[1] } && Set(pairs).count == 15)
        let item = SweepSpec.item(of: [0, 3], among: items)
        #expect(item.members == [0, 3] && item.layer.isEmpty && item.head.isEmpty && item.window.isEmpty)
        #expect(item.site == "z layer 0 head 0, z layer 1 head 1" && item.direction == "restore")
        #expect(
            Set(item.patch.parts) == [Part(site: .z, layers: [0], heads: [0]), Part(site: .z, layers: [1], heads: [1])])
    }

    /// Places that overlap make no pair.
    @Test func overlaps() throws {
        let items = try items("window: [1, 3]\n")  // 5 layers, alone and as windows
        let pairs = try SweepSpec.pairs(of: Array(items.indices), among: items, .all)
        for pair in pairs {
            let layers = pair.map { Set(items[$0].patch.parts[0].layers) }
            #expect(layers[0].isDisjoint(with: layers[1]))
        }
        #expect(pairs.count == 10 + 12 + 3)
        func part(_ site: Site, _ layers: [Int], heads: [Int]? = nil, tokens: [Int]? = nil) -> Patch {
            Patch(parts: [Part(site: site, layers: layers, heads: heads, tokens: tokens)])
        }
        #expect(part(.z, [0], heads: [1]).overlaps(part(.z, [0, 1])))
        #expect(!part(.z, [0], heads: [1]).overlaps(part(.z, [0], heads: [0, 2])))
        #expect(!part(.z, [0]).overlaps(part(.v, [0])) && !part(.z, [0]).overlaps(part(.z, [1])))
        #expect(!part(.z, [0], tokens: [0]).overlaps(part(.z, [0], tokens: [1])))
        #expect(part(.embed, [], tokens: [0, 1]).overlaps(part(.embed, [])))
        #expect(
            message { _ = try SweepSpec.pairs(of: [2, 6], among: items, .top(2)) }
                == "--pairs top:2: no two places of this sweep can be patched together")
    }

    @Test func tooMany() throws {
        let many = try items("site: resid_post\ntokens: each\nwindow: [1, 2]\n")
        #expect(many.count == 170)
        #expect(
            message { _ = try SweepSpec.pairs(of: Array(many.indices), among: many, .all) }
                == "--pairs all: 170 places make 14365 pairs, expected at most 10000; top:K takes the strongest")
        let orders = [Array(0..<33)]
        #expect(
            message { _ = try SweepSpec.shapleySets(of: Array(0..<33), among: many, orders: orders) }
                == "--shapley 1: the sweep has 33 places that are a finding in one direction, expected 2 to 32; --layers and "
                + "--heads choose some")
    }

    /// Every prefix of every order, each set once.
    @Test func shapleySets() throws {
        let items = try items("site: mlp_out\nwindow: 1\nlayers: 0-3\n")
        let sets = try SweepSpec.shapleySets(of: [0, 1, 3], among: items, orders: [[0, 2, 1], [1, 2, 0]])
        #expect(sets == [[0, 3], [0, 1, 3], [1, 3]])
        let windows = try self.items("window: [1, 3]\nlayers: 1\n")
        #expect(
            message { _ = try SweepSpec.shapleySets(of: [0, 1], among: windows, orders: [[0, 1], [1, 0]]) }
                == "--shapley 2: attn_out layer 1 and attn_out layers 0+1+2 overlap; choose places that do not")
    }
}
