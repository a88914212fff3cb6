import Foundation
import Images
import Patch
import TestSupport
import Testing

@testable import Spec

struct SweepTests {
    @Test func withoutOptionsTheDefaultsHold() throws {
        let settings = try SweepOptions().settings()
        #expect(settings.model == nil && settings.donor == nil && settings.data == nil)
        #expect(settings.corruptions.map(\.spec) == ["grayscale"] && settings.keep == .all)
        #expect(try SweepOptions().target(among: ["a"]) == .label && SweepOptions().foil(among: ["a"]) == .pooled)
        #expect(settings.limit == nil && settings.offset == 0 && settings.seed == 0 && settings.samples == 1)
        #expect(settings.shard == nil && settings.control == 0)
        #expect(try SweepOptions().spec(for: config) == SweepSpec())
        #expect(try sweep("{}") == SweepSpec())
        #expect(try sweep("site: null\nlayers: ~\ntokens:\n") == SweepSpec())
    }

    /// The same values in each syntax of the file, and as flags
    @Test(arguments: [
        """
        direction: [restore, noise]
        site: [z, mlp_act]
        window: [1, 3]
        layers: 0,2+4
        heads: 0+2,1
        tokens: cls,1:3x0:2,7
        neurons: 3,5+6
        patch-with: zero
        """,
        """
        # lists of items
        direction:
          - restore
          - noise
        site: [z, mlp_act]
        window: [1, 3]
        layers: [0, 2+4]
        heads: ["0+2", 1]
        tokens: [cls, "1:3x0:2", 7]
        neurons: [3, 5+6]
        patch-with: zero
        """,
        """
        {
        \t"direction": ["restore", "noise"], "site": ["z", "mlp_act"], "window": [1, 3],
        \t"layers": [0, "2+4"], "heads": "0+2,1", "tokens": ["cls", "1:3x0:2", 7], "neurons": "3,5+6",
        \t"patch-with": "zero"
        }
        """,
    ])
    func filesAndFlagsSayTheSame(_ yaml: String) throws {
        let options = flags([
            .direction: "restore noise", .site: "z mlp_act", .window: "1 3", .layers: "0,2+4", .heads: "0+2,1",
            .tokens: "cls,1:3x0:2,7", .neurons: "3,5+6", .patchWith: "zero",
        ])
        let spec = try sweep(yaml)
        #expect(try spec == options.spec(for: config))
        #expect(try spec.items(config: config) == options.spec(for: config).items(config: config))
    }

    @Test func patchesAreSpelledOutPartByPart() throws {
        let spec = try sweep(
            """
            patches:
              - name: heads
                parts:
                  - {site: z, layers: 2, heads: [2, 0]}
                  - {site: z, layers: 4, heads: 1}
              - name: sets
                direction: noise
                parts:
                  - {site: embed, tokens: [cls, "0:1x0:2"]}
                  - {site: mlp_act, layers: 0-2, neurons: [3+1, 3]}
                  - {site: pattern, layers: 1+3, heads: all, tokens: patches}
            """)
        #expect(spec.site == [])
        #expect(
            spec.patches == [
                .init(
                    name: "heads",
                    parts: [
                        Part(site: .z, layers: [2], heads: [0, 2]), Part(site: .z, layers: [4], heads: [1]),
                    ]),
                .init(
                    name: "sets", direction: .noising,
                    parts: [
                        Part(site: .embed, layers: [], tokens: [0, 1, 2]),
                        Part(site: .mlpAct, layers: [0, 1, 2], neurons: [1, 3]),
                        Part(site: .pattern, layers: [1, 3], tokens: Array(1...16)),
                    ]),
            ])
        #expect(try spec.items(config: config).map { $0.direction + " " + $0.site } == ["restore heads", "noise sets"])
    }

    /// A patch without its own direction is made in every direction of the sweep.
    @Test func patchesFollowTheSweepsDirections() throws {
        let text = "patches: [{name: a, parts: [{site: z, layers: 1}]}]\n"
        let items = try sweep(text + "direction: [noise, restore]\n").items(config: config)
        #expect(items.map(\.patch.direction) == [.noising, .restore])
    }

    @Test func sitesAndPatchesTogether() throws {
        let text = "patches: [{name: a, parts: [{site: z, layers: 1}]}]\n"
        #expect(try sweep(text).items(config: config).count == 1)
        #expect(try sweep(text + "site: []\n").items(config: config).count == 1)
        #expect(
            try sweep(text + "site: resid_mid\n").items(config: config).map(\.site) == Array(
                repeating: "resid_mid", count: 5) + ["a"])
    }

    /// Entries of `places` have their own windows, layers, heads and tokens; the sweep's do not apply to them.
    @Test func furtherSites() throws {
        let text =
            "places:\n  - {site: z, layers: [1, 3], heads: 0}\n  - {site: [resid_post, embed], tokens: \"cls,patches\"}\n"
        let alone = try sweep(text + "layers: 4\n")
        #expect(alone.site == [] && alone.places.count == 2)
        func names(_ spec: SweepSpec) throws -> [String] {
            try spec.items(config: config).map {
                [$0.direction, $0.site, $0.layer, $0.head, $0.token, $0.window].joined(separator: " ")
            }
        }
        let further =
            ["z 1 0  1", "z 3 0  1"]
            + ["cls", "patches"].flatMap { token in (0..<5).map { "resid_post \($0)  \(token) 1" } }
            + ["embed   cls ", "embed   patches "]
        #expect(try names(alone) == further.map { "restore " + $0 })
        let both = try sweep(text + "site: attn_out\nwindow: 3\nlayers: 2\ntokens: cls\ndirection: [restore, noise]\n")
        #expect(
            try names(both)
                == ["restore", "noise"].flatMap { direction in
                    (["attn_out 2  cls 3"] + further).map { "\(direction) \($0)" }
                })
        // The file's `places` are kept beside flags.
        let flagged = try SweepOptions(yaml: text, name: "s.yaml").overridden(by: flags([.site: "q", .heads: "1"]))
        #expect(
            try names(flagged.spec(for: config)).filter { !$0.contains("restore q") } == further.map { "restore " + $0 }
        )
    }

    @Test func theMeanOfPatternIsRefusedInPartsToo() throws {
        let spec = try sweep("patch-with: mean\npatches: [{name: a, parts: [{site: pattern, layers: 1}]}]\n")
        #expect(throws: SpecError.self) { try spec.items(config: config) }
    }

    @Test func flagsOverrideTheFileValueByValue() throws {
        let file = try SweepOptions(
            yaml: """
                site: [z, q]
                corruption: [none, mean]
                limit: 5
                seed: 3
                layers: 99
                patches: [{name: a, parts: [{site: z, layers: 1}]}]
                """, name: "s.yaml")
        let both = file.overridden(by: flags([.site: "k", .corruption: "blur:2", .seed: "4", .layers: "1"]))
        let settings = try both.settings()
        #expect(settings.corruptions.map(\.spec) == ["blur:2"] && settings.limit == 5 && settings.seed == 4)
        let spec = try both.spec(for: config)
        #expect(spec.site == ["k"] && spec.layers == "1" && spec.patches.count == 1)
    }

    @Test func everyKeyCanBeAFlag() throws {
        let values: [SweepKey: String] = [
            .model: "m", .donor: "d", .data: "i", .corruption: "mean", .direction: "noise", .site: "q", .window: "2",
            .layers: "1", .heads: "2", .tokens: "3", .neurons: "4", .patchWith: "zero", .control: "9",
            .pairs: "top:4", .shapley: "6", .target: "clean",
            .foil: "pooled", .partner: "any", .noiseSD: "image", .estimate: "ig:5", .estimateOf: "p", .exact: "all",
            .exactImages: "4",
            .keep: "flipped",
            .classMap: "c.csv", .classes: "t.safetensors", .imageSize: "448", .resize: "torchvision", .exif: "apply",
            .limit: "5", .offset: "6", .seed: "7", .samples: "8", .shard: "1/9",
        ]
        #expect(Set(values.keys) == Set(SweepKey.allCases))
        let file = try SweepOptions(yaml: SweepOptions().yaml, name: "s.yaml"), given = flags(values)
        let both = file.overridden(by: given)
        #expect(both.yaml == given.yaml)
        let settings = try both.settings()
        #expect(
            settings.model == "m" && settings.donor == "d" && settings.data == "i"
                && settings.corruptions.map(\.spec) == ["mean"]
                && settings.control == 9 && settings.pairs == .top(4) && settings.shapley == 6
                && settings.classMap == "c.csv" && settings.resize == .torchvision
                && settings.exif == .apply && settings.classes == "t.safetensors" && settings.imageSize == 448)
        #expect(try both.target(among: ["a", "b"]) == .clean)
        #expect(settings.keep == .flipped && settings.limit == 5 && settings.offset == 6)
        #expect(settings.estimation.names == ["ig5_p"] && settings.exactImages == 4)
        #expect(settings.seed == 7 && settings.samples == 8 && settings.shard == .init(index: 1, count: 9))
        var spec = SweepSpec()
        (spec.direction, spec.site, spec.window, spec.layers) = ([.noising], ["q"], [2], "1")
        (spec.heads, spec.tokens, spec.neurons, spec.patchWith) = ("2", "3", "4", .zero)
        #expect(try both.spec(for: config) == spec)
    }

    @Test func imageSizes() throws {
        #expect(try flags([.imageSize: "192x256"]).settings().imageSize == .init(height: 192, width: 256))
        for text in ["0", "-1", "x", "12x", "x12", "1x2x3", "+5", "16385", "99999999999999999999"] {
            let error = #expect(throws: SpecError.self) { try flags([.imageSize: text]).settings() }
            #expect(
                error.map { "\($0)".contains("expected a number of pixels from 1 to 16384, or HEIGHTxWIDTH") } == true)
        }
    }

    /// Aliases of values, which the columns do not show
    @Test func aliases() throws {
        let spec = try sweep("direction: [denoise, noising]\npatch-with: other\n")
        #expect(spec.direction == [.restore, .noising] && spec.patchWith == .other)
        let flagged = flags([.direction: "noising", .patchWith: "other"])
        #expect(try flagged.spec(for: config).direction == [.noising])
        #expect(try spec.items(config: config).allSatisfy { ["restore", "noise"].contains($0.direction) })
    }

    @Test func ablatingIsNoisingWithSomethingElse() throws {
        for with in PatchWith.ablations {
            var options = SweepOptions()
            try options.set(ablate: with.rawValue)
            let spec = try options.spec(for: config)
            #expect(spec.direction == [.noising] && spec.patchWith == with)
        }
        func problem(_ text: String, _ options: SweepOptions) -> String? {
            var options = options
            do { try options.set(ablate: text) } catch { return error.description }
            return nil
        }
        #expect(problem("clean", SweepOptions()) == "--ablate clean is unknown; valid are zero, mean, resample")
        #expect(problem("zero", flags([.direction: "noise"]))?.hasPrefix("--ablate zero: ") == true)
        #expect(problem("zero", flags([.patchWith: "mean"]))?.contains("--patch-with does not go with it") == true)
    }

    @Test func classesByIndexOrName() throws {
        let labels = ["cat", "7", "dog", "crane", "crane"]
        func target(_ text: String) throws -> Target { try flags([.target: text]).target(among: labels) }
        #expect(try target("dog") == .index(2) && target("0") == .index(0) && target("clean") == .clean)
        // A name takes precedence over an index.
        #expect(try target("7") == .index(1))
        #expect(
            Target.index(2).index(label: 0) == 2 && Target.label.index(label: 4) == 4
                && Target.clean.index(label: 4) == -1)
        for (text, words) in [("cow", "0-4"), ("5", "0-4"), ("-1", "0-4"), ("crane", "several classes")] {
            let error = #expect(throws: SpecError.self) { try target(text) }
            #expect(error?.origin == .commandLine && error?.description.hasPrefix("--target \(text): ") == true)
            #expect(error?.description.contains(words) == true, "\(text)")
        }
        #expect(try flags([:]).foil(among: labels, hasColumn: true) == .column)
        #expect(try flags([.foil: "pooled"]).foil(among: labels, hasColumn: true) == .pooled)
        #expect(try flags([.foil: "clean"]).foil(among: labels) == .clean)
        #expect(try flags([.foil: "corrupted"]).foil(among: labels) == .corrupted)
        #expect(try flags([.foil: labels[0]]).foil(among: labels) == .index(0))
        let both = #expect(throws: SpecError.self) { try flags([.foil: "0", .target: "0"]).foil(among: labels) }
        #expect(both?.description == "--foil 0: it is the target; expected another class")
        #expect(throws: SpecError.self) { try flags([.foil: "cow"]).foil(among: labels) }
    }

    /// The two passes must differ, or something else must be patched in.
    @Test(arguments: [
        ("corruption: none", false), ("corruption: [none, mean]", false), ("corruption: none\ndonor: d", true),
        ("corruption: none\npatch-with: zero", true), ("corruption: mean", true), ("site: z", true),
    ])
    func noneNeedsADonor(_ yaml: String, _ isFine: Bool) throws {
        let options = try SweepOptions(yaml: yaml, name: "s.yaml")
        if isFine { return try options.checkPassesDiffer() }
        let error = #expect(throws: SpecError.self) { try options.checkPassesDiffer() }
        #expect(error?.origin == .file && error?.description.hasPrefix("s.yaml:1: corruption none: ") == true)
    }
}
