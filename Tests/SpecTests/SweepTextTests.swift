import Foundation
import Images
import Patch
import TestSupport
import Testing
@testable import Spec

/// What is printed of a sweep and its options
extension SweepTests {
    /// Every option has help, and its closed set lists the accepted values.
    @Test func everyOptionIsDescribed() {
        for key in SweepKey.allCases {
            #expect(!key.meaning.isEmpty && !key.absent.isEmpty && !key.placeholder.isEmpty, "\(key)")
            #expect(
                key.defaults.map { $0.allSatisfy { key.values.isEmpty || key.values.contains($0) } } ?? true, "\(key)")
        }
        #expect(SweepKey.direction.values == ["restore", "noise", "denoise", "noising"])
        #expect(
            SweepKey.corruption.values == [
                "none", "grayscale", "blur", "noise", "channel", "shuffle", "mask", "mean", "pair",
            ])
    }

    /// A printed spec reads back as the same sweep, for any options.
    @Test(arguments: (0..<40).map { _ in UInt64.random(in: 0...UInt64.max) })
    func whatIsPrintedReadsBack(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        func pick(_ texts: String...) -> String { texts.randomElement(using: &random) ?? "" }
        var options = SweepOptions()
        func flag(_ key: SweepKey, _ texts: [String]) {
            if Bool.random(using: &random) { options.set(flag: key, texts) }
        }
        flag(
            .model,
            [pick("a/b", "null", "~", "no: way", "*star", "# not a comment", "'\"\\", "é ü", "-", "12", "[x", " a ")])
        flag(
            .data,
            [
                pick(
                    "true", "a\tb".replacing("\t", with: "  "), "&a", "!t", "{", "a,b", "%x", "@y", "| z", "> z", "- z",
                    "? z")
            ])
        flag(.donor, [pick("demo", "+1", "0x10", "1e5", "Null", ".", "...", "---")])
        flag(.corruption, [pick("noise:0.5,1,2", "pair:a b:c"), "mask:*.png"])
        flag(.direction, [pick("restore", "noise")])
        flag(.site, [pick("z", "attn_out+mlp_out"), "embed"])
        flag(.window, [pick("1", "2"), "3"])
        flag(.layers, [pick("0-4", "0+3,1")])
        flag(.heads, [pick("all", "0,1", "0+1")])
        flag(.tokens, [pick("cls", "each", "0:2x1:3,4", "patches,cls")])
        flag(.limit, ["\(Int.random(in: 1...Int.max, using: &random))"])
        flag(.seed, ["\(UInt64.random(in: 0...UInt64.max, using: &random))"])
        flag(.shard, [pick("0/3", "2/3")])
        if Bool.random(using: &random) {
            let patches = try SweepOptions(
                yaml: """
                    places:
                      - {site: [z, attn_out+mlp_out], heads: 0+1, window: [1, 2]}
                      - {site: embed, tokens: "0:1x0:2"}
                    patches:
                      - {name: "a: \\"b\\" * [c]", direction: noise, parts: [{site: z, layers: [0, 2], heads: 1+2}]}
                      - {name: null name, parts: [{site: embed, tokens: "0:1x0:1"}, {site: mlp_act, layers: 1, neurons: [1, 2]}]}
                    """, name: "p.yaml")
            options = patches.overridden(by: options)
        }
        let printed = options.yaml
        let read = try SweepOptions(yaml: printed, name: "s.yaml")
        #expect(read.yaml == printed, "seed \(seed)")
        #expect(try read.settings() == options.settings(), "seed \(seed)\n\(printed)")
        #expect(try read.spec(for: config) == options.spec(for: config), "seed \(seed)\n\(printed)")
    }
}
