import Foundation
import Patch
import Testing
import ViT

@testable import Spec

private let network = ViTConfig(
    hiddenSize: 12, layers: 6, heads: 3, intermediateSize: 10, imageSize: 8, patchSize: 2, labels: ["a", "b"])

private let wider = ViTConfig(
    hiddenSize: 12, layers: 12, heads: 3, intermediateSize: 10, imageSize: 8, patchSize: 2, labels: ["a", "b"])

/// Expects one sentence that starts with the cause and says only one thing.
private func expectSentence(
    _ start: String, _ location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("no error", sourceLocation: location)
    } catch {
        let message = "\(error)"
        #expect(message.hasPrefix(start), sourceLocation: location)
        let plain = message.replacingOccurrences(of: "e.g. ", with: "")
        #expect(!plain.contains("\n") && !plain.contains(". "), "\(message)", sourceLocation: location)
        #expect((error as? SpecError)?.origin == .commandLine, sourceLocation: location)
    }
}

@Suite struct ListTextTests {
    private func indices(_ text: String) throws -> [[Int]?] {
        try ListText.parse(text, below: 12).map(\.indices)
    }
    private func texts(_ text: String) throws -> [String] {
        try ListText.parse(text, below: 12).map(\.text)
    }

    @Test func itemsRangesAndSets() throws {
        #expect(try indices("0,5,7") == [[0], [5], [7]])
        #expect(try texts("0,5,7") == ["0", "5", "7"])
        #expect(try indices("0-3") == [[0], [1], [2], [3]])
        #expect(try texts("9-11,3") == ["9", "10", "11", "3"])
        #expect(try indices("0+5") == [[0, 5]])
        #expect(try texts("0+5") == ["0+5"])
        #expect(try indices("4-4,2+0+2,11") == [[4], [0, 2], [11]])
    }

    @Test(arguments: [
        "", ",", "1,", "12", "-1", "1-", "-", "3-1", "0-12", "1-2-3", "a", "0+", "+", "0+12", "1.5", "0 1", "٣",
    ])
    func wrongListsAreOneSentence(_ text: String) {
        expectSentence("--layers \(text): ") {
            var spec = SweepSpec()
            spec.layers = text
            _ = try spec.items(config: wider)
        }
    }

    @Test func heads() throws {
        #expect(try ListText.heads("all", config: network) == [.init(text: "", indices: nil)])
        #expect(try ListText.heads("each", config: network).map(\.indices) == [[0], [1], [2]])
        #expect(try ListText.heads("0+2,1", config: network).map(\.text) == ["0+2", "1"])
        #expect(throws: ListError.absent(3, count: 3)) { try ListText.heads("3", config: network) }
    }

    /// Prefix tokens by name, in models that have them.
    @Test func namedTokens() throws {
        var config = network
        config.architecture = Architecture(
            family: "", prefix: [.cls, .distillation, .register, .register], readout: .firstToken)
        let items = try ListText.tokens("cls,distillation,registers,patches,0:1x0:2", config: config)
        #expect(items.map(\.indices) == [[0], [1], [2, 3], Array(4..<20), [4, 5]])
        #expect(items.map(\.text) == ["cls", "distillation", "registers", "patches", "0:1x0:2"])
        #expect(throws: ListError.noToken("registers", model: "CLS")) {
            try ListText.tokens("registers", config: network)
        }
        config.architecture.prefix = []
        #expect(throws: ListError.noToken("CLS token", model: "")) { try ListText.tokens("cls", config: config) }
        #expect(
            ListError.noToken("CLS token", model: "").description
                == "the model has no CLS token; the tokens before its patches are none")
    }

    @Test func tokens() throws {
        func items(_ text: String) throws -> [ListText.Item] { try ListText.tokens(text, config: network) }
        #expect(try items("all") == [.init(text: "", indices: nil)])
        #expect(try items("each").map(\.indices) == (0..<17).map { [$0] })
        #expect(try items("each").map(\.text) == (0..<17).map(String.init))
        #expect(
            try items("cls,patches") == [
                .init(text: "cls", indices: [0]), .init(text: "patches", indices: Array(1..<17)),
            ])
        // Rows 1 and 2, columns 0 to 2 of the 4 x 4 grid; token 0 is CLS.
        #expect(try items("1:3x0:3") == [.init(text: "1:3x0:3", indices: [5, 6, 7, 9, 10, 11])])
        #expect(try items("0:4x0:4,16,3-4,0+1").map(\.indices) == [Array(1..<17), [16], [3], [4], [0, 1]])
    }

    @Test(arguments: [
        "17", "1:5x0:1", "2:2x0:1", "3:1x0:1", "0:1", "0:1x0:1x0:1", "x", "0:1x", "-1:1x0:1", "0-1x0-1", "1:3x0:5",
    ])
    func wrongTokensAreOneSentence(_ text: String) {
        expectSentence("--tokens \(text): ") {
            var spec = SweepSpec()
            spec.tokens = text
            _ = try spec.items(config: network)
        }
    }
}

@Suite struct SweepSpecTests {
    private func columns(_ spec: SweepSpec) throws -> [String] {
        try spec.items(config: network).map {
            "\($0.direction) \($0.site) l\($0.layer) h\($0.head) t\($0.token) w\($0.window)"
        }
    }

    @Test func theDefaultIsAttentionWithWindowsOf1And3() throws {
        let items = try SweepSpec().items(config: network)
        #expect(items.map(\.window) == Array(repeating: "1", count: 6) + Array(repeating: "3", count: 6))
        #expect(items.map(\.layer) == ["0", "1", "2", "3", "4", "5", "0", "1", "2", "3", "4", "5"])
        #expect(items.allSatisfy { $0.head.isEmpty && $0.token.isEmpty && $0.direction == "restore" })
        // The width is shown as given even if the network's edge cuts the window.
        #expect(items[6].patch.parts[0].layers == [0, 1] && items[11].patch.parts[0].layers == [4, 5])
    }

    @Test func windowsByDefaultDependOnTheSite() throws {
        for (site, windows) in [
            ("mlp_out", ["1", "3"]), ("attn_out+mlp_out", ["1", "3"]), ("z", ["1"]), ("resid_mid", ["1"]),
            ("attn_out+z", ["1"]), ("embed", [""]),
        ] {
            var spec = SweepSpec()
            (spec.site, spec.heads) = ([site], "all")
            #expect(try Set(spec.items(config: network).map(\.window)) == Set(windows), "\(site)")
        }
    }

    @Test func everythingHasItsPlaceInTheOrder() throws {
        var spec = SweepSpec()
        spec.direction = [.noising, .restore]
        spec.site = ["z", "attn_out+mlp_out"]
        spec.window = [2, 1]
        spec.layers = "1,0+5,4"
        spec.heads = "2,0+1"
        spec.tokens = "cls,3"
        var expected: [String] = []
        for direction in ["noise", "restore"] {
            for (site, heads) in [("z", ["2", "0+1"]), ("attn_out+mlp_out", [""])] {
                for (window, layers) in [("2", ["1", "4"]), ("1", ["1", "4"]), ("", ["0+5"])] {
                    for head in heads {
                        for token in ["cls", "3"] {
                            expected += layers.map { "\(direction) \(site) l\($0) h\(head) t\(token) w\(window)" }
                        }
                    }
                }
            }
        }
        #expect(try columns(spec) == expected)
        let set = try spec.items(config: network).filter { $0.layer == "0+5" && $0.site != "z" }
        #expect(
            set.allSatisfy {
                $0.patch.parts.map(\.layers) == [[0, 5], [0, 5]] && $0.patch.parts.map(\.site) == [.attnOut, .mlpOut]
            })
        #expect(set.allSatisfy { $0.patch.parts.allSatisfy { $0.heads == nil } })
    }

    @Test func theEncodersInputIsOnePatch() throws {
        var spec = SweepSpec()
        spec.site = ["embed"]
        spec.window = [1, 3]
        #expect(try columns(spec) == ["restore embed l h t w"])
        spec.tokens = "cls,patches"
        #expect(try columns(spec) == ["restore embed l h tcls w", "restore embed l h tpatches w"])
    }

    @Test func duplicatesAreOnePatch() throws {
        var spec = SweepSpec()
        (spec.layers, spec.window, spec.direction) = ("1,1,0-1", [1, 1], [.restore, .restore])
        spec.site = ["mlp_out", "mlp_out"]
        #expect(try columns(spec) == ["restore mlp_out l1 h t w1", "restore mlp_out l0 h t w1"])
    }

    @Test func headsTokensAndNeuronsGoWhereTheyBelong() throws {
        var spec = SweepSpec()
        (spec.site, spec.layers, spec.heads, spec.tokens) = (["z+mlp_act"], "2", "1", "0+3")
        let parts = try spec.items(config: network)[0].patch.parts
        #expect(
            parts == [
                Part(site: .z, layers: [2], heads: [1], tokens: [0, 3]),
                Part(site: .mlpAct, layers: [2], tokens: [0, 3]),
            ])
        (spec.site, spec.tokens, spec.neurons) = (["mlp_act"], "all", "7,2+9")
        let items = try spec.items(config: network)
        #expect(items.map(\.patch.parts) == [[7], [2, 9]].map { [Part(site: .mlpAct, layers: [2], neurons: $0)] })
        #expect(Set(items.map { "\($0.site) \($0.head) \($0.token)" }).count == 2)
    }

    @Test func patchesSpelledOutComeLast() throws {
        var spec = SweepSpec()
        (spec.site, spec.layers, spec.patchWith) = (["resid_mid"], "0", .zero)
        let parts = [Part(site: .z, layers: [0], heads: [1]), Part(site: .z, layers: [3], heads: [0, 2])]
        spec.patches = [.init(name: "two heads", direction: .noising, parts: parts)]
        #expect(try columns(spec) == ["restore resid_mid l0 h t w1", "noise two heads l h t w"])
        let items = try spec.items(config: network)
        #expect(items[1].patch == Patch(direction: .noising, with: .zero, parts: parts))
        #expect(items[0].patch.with == .zero)
    }

    @Test func whatDoesNotExistIsOneSentence() {
        func refuses(_ start: String, _ change: (inout SweepSpec) -> Void) {
            var spec = SweepSpec()
            change(&spec)
            expectSentence(start) { _ = try spec.items(config: network) }
        }
        refuses("--site attn") { $0.site = ["attn"] }
        refuses("--site attn_out+") { $0.site = ["attn_out+"] }
        refuses("--layers 6") { $0.layers = "6" }
        refuses("--heads 3") { ($0.site, $0.heads) = (["z"], "3") }
        refuses("--tokens 17") { $0.tokens = "17" }
        refuses("--neurons 10") { ($0.site, $0.neurons) = (["mlp_act"], "10") }
        refuses("--patch-with mean") { ($0.site, $0.patchWith) = (["pattern"], .mean) }
    }
}
