import Files
import Foundation
import Testing

@testable import Spec

/// Every rule for spec files, with the message for breaking it.
struct ProblemTests {
    @Test(arguments: [
        // The document
        ("", "s.yaml: the file is empty; expected a mapping such as \"site: z\""),
        ("# nothing\n\n", "s.yaml: the file is empty; expected a mapping such as \"site: z\""),
        ("site: [z\n", "s.yaml:2: this is not YAML: did not find expected ',' or ']'"),
        ("site:\n  - z\n\tlayers: 1\n", "s.yaml:3: this is not YAML: found a tab character that violates indentation"),
        ("seed: 1\n\nsite: z\u{1}\n", "s.yaml:3: this is not YAML: control characters are not allowed"),
        ("site: z\n---\nsite: q\n", "s.yaml:2: this is not YAML: but found another document"),
        ("data: a\u{E000}\n", "s.yaml: the character U+E000 is not allowed in a spec"),
        ("data: \"a\\0b\"\n", "s.yaml:1: a text has a control character in it"),
        // Keys
        ("seed: 3\nsite: z\nseed: 4\n", "s.yaml:1: the key \"seed\" appears twice"),
        ("site: z\nlayer: 3\n", "s.yaml:2: the spec has the unknown key \"layer\"; did you mean \"layers\"?"),
        ("patch_with: zero", "s.yaml:1: the spec has the unknown key \"patch_with\"; did you mean \"patch-with\"?"),
        ("out: runs/a", "s.yaml:1: \"out\" does not belong in a spec; give --out on the command line"),
        ("[1, 2]: 3", "s.yaml:1: the spec has a key that is not text"),
        // Types
        ("site: {z: 1}", "s.yaml:1: site: expected a text or a list, found a mapping"),
        ("site: [z,\n  [q]]", "s.yaml:2: site: expected a text, found a list"),
        ("site: [z, null]", "s.yaml:1: site: expected a text, found nothing"),
        ("model: [a]", "s.yaml:1: model: expected a text, found a list"),
        ("model: ''", "s.yaml:1: model: expected a text, found \"\""),
        ("limit: five", "s.yaml:1: limit: expected a whole number, found \"five\""),
        ("limit: '5'", "s.yaml:1: limit: expected a whole number, found \"5\""),
        ("limit: 1.5", "s.yaml:1: limit: expected a whole number, found \"1.5\""),
        ("window: [1,\n three]", "s.yaml:2: window: expected a whole number, found \"three\""),
        ("corruption: []", "s.yaml:1: corruption: the list is empty"),
        ("site: []", "nothing to patch: site is empty, and places and patches too"),
        // Values
        ("limit: 0", "s.yaml:1: limit 0: expected at least 1"),
        ("limit: 99999999999999999999", "s.yaml:1: limit 99999999999999999999: expected at least 1"),
        ("offset: -1", "s.yaml:1: offset -1: expected at least 0"),
        ("seed: -1", "s.yaml:1: seed -1: expected 0 to 18446744073709551615"),
        ("control: 1001", "s.yaml:1: control 1001: expected 0 to 1000"),
        ("pairs: top:1", "s.yaml:1: pairs top:1: expected none, all or top:K with K from 2 to 1000, e.g. top:10"),
        ("pairs: some", "s.yaml:1: pairs some: expected none, all or top:K with K from 2 to 1000, e.g. top:10"),
        (
            "shapley: 3",
            "s.yaml:1: shapley 3: expected 0 or an even number to 10000, as every order is run forwards and backwards"
        ),
        ("samples: 10001", "s.yaml:1: samples 10001: expected 1 to 10000"),
        ("window: [1, 0]", "s.yaml:1: window 0: expected 1 to 1000000"),
        ("shard: 2/2", "s.yaml:1: shard 2/2: write I/N with I from 0 to N - 1, e.g. 0/4"),
        ("keep: none", "s.yaml:1: keep none is unknown; valid are all, clean-correct, flipped"),
        ("window: [1,\n 1]", "s.yaml:2: window 1 is given twice"),
        ("site: [z,\n z]", "s.yaml:2: site z is given twice"),
        ("site: z+z", "s.yaml:1: site z+z: \"z\" is given twice"),
        ("direction: [noise, noising]", "s.yaml:1: direction noising is given twice"),
        (
            "patch-with: ones",
            "s.yaml:1: patch-with ones is unknown; valid are clean, zero, mean, resample, file:FILE, other"
        ),
        (
            "direction: [restore,\n back]",
            "s.yaml:2: direction back is unknown; valid are restore, noise, denoise, noising"
        ),
        ("corruption:\n - blur:1\n - blur:1,2", "s.yaml:3: corruption blur:1 is given twice"),
        // Indices beyond the model's sizes
        ("layers: [0,\n 3,\n 99]", "s.yaml:3: layers 99: 99 does not exist; the model has 0-4"),
        ("layers: 3-7", "s.yaml:1: layers 3-7: 7 does not exist; the model has 0-4"),
        ("site: z\nheads: 3", "s.yaml:2: heads 3: 3 does not exist; the model has 0-2"),
        ("heads: [each, 1]", "s.yaml:1: heads each,1: \"each\" is not a number; write e.g. 0-11, 3,7 or 0+5"),
        ("tokens: 17", "s.yaml:1: tokens 17: 17 does not exist; the model has 0-16"),
        (
            "tokens: 3:5x0:1",
            "s.yaml:1: tokens 3:5x0:1: \"3:5x0:1\" is not a rectangle; write ROWSxCOLUMNS of the 4 x 4 patch grid, e.g. 3:6x2:5 for rows 3-5 and columns 2-4"
        ),
        // Further sites
        ("places: z", "s.yaml:1: places: expected a list, found \"z\""),
        (
            "places:\n  - z",
            "s.yaml:2: a place is a mapping with the keys site, window, layers, heads, tokens, neurons; found \"z\""
        ),
        ("places:\n  - {layers: 1}", "s.yaml:2: the place lacks its site"),
        (
            "places: [{site: z, seed: 1}]",
            "s.yaml:1: a place has the unknown key \"seed\"; valid are site, window, layers, heads, tokens, neurons"
        ),
        (
            "places: [{site: z},\n {site: [q, y]}]",
            "s.yaml:2: site y: \"y\" is unknown; valid are embed, resid_pre, resid_mid, resid_post, attn_out, mlp_out, z, q, k, v, pattern, mlp_pre, mlp_act"
        ),
        ("places:\n  - {site: z, window: 0}", "s.yaml:2: window 0: expected 1 to 1000000"),
        ("layers: 1\nplaces:\n  - {site: z, layers: 9}", "s.yaml:3: layers 9: 9 does not exist; the model has 0-4"),
        ("places:\n  - site: z\n    heads: [1, 3]", "s.yaml:3: heads 3: 3 does not exist; the model has 0-2"),
        ("places:\n  - {site: z, tokens: 17}", "s.yaml:2: tokens 17: 17 does not exist; the model has 0-16"),
        ("site: mlp_act\nneurons: [0, 17]", "s.yaml:2: neurons 17: 17 does not exist; the model has 0-16"),
    ])
    func ofTheSweep(_ yaml: String, _ expected: String) { #expect(problem(yaml) == expected) }

    @Test func unknownSitesAndCorruptionsListTheValidOnes() throws {
        let site = try #require(problem("site: [z,\n attn]"))
        #expect(site.hasPrefix("s.yaml:2: site attn: \"attn\" is unknown; valid are embed, "))
        let corruption = try #require(problem("site: z\ncorruption: sepia"))
        #expect(corruption.hasPrefix("s.yaml:2: corruption sepia is unknown; valid are none, grayscale, "))
        let key = try #require(problem("site: z\nbananas: 1"))
        #expect(key.hasPrefix("s.yaml:2: the spec has the unknown key \"bananas\"; valid are model, donor, "))
    }

    @Test(arguments: [
        ("patches: z", "s.yaml:1: patches: expected a list, found \"z\""),
        ("patches:\n  - z", "s.yaml:2: a patch is a mapping with the keys name, direction, parts; found \"z\""),
        ("patches:\n  - parts: []", "s.yaml:2: the patch lacks its name"),
        ("patches:\n  - name: a", "s.yaml:2: the patch lacks its parts"),
        ("patches:\n  - name: a\n    parts: []", "s.yaml:3: parts: expected a list of at least one part, found a list"),
        ("patches:\n  - nam: a", "s.yaml:2: a patch has the unknown key \"nam\"; did you mean \"name\"?"),
        (
            "patches:\n  - name: a\n    direction: up\n    parts: [{site: z, layers: 1}]",
            "s.yaml:3: direction up is unknown; valid are restore, noise, denoise, noising"
        ),
        (
            "patches:\n  - {name: z, parts: [{site: z, layers: 1}]}",
            "s.yaml:2: the patch \"z\" has the name of a site; choose another"
        ),
        (
            "patches:\n  - {name: a, parts: [{site: z, layers: 1}]}\n  - {name: a, parts: [{site: z, layers: 2}]}",
            "s.yaml:3: there are two patches \"a\""
        ),
    ])
    func ofAPatch(_ yaml: String, _ expected: String) { #expect(problem(yaml) == expected) }

    @Test(arguments: [
        ("z", "a part is a mapping with the keys site, layers, heads, tokens, neurons; found \"z\""),
        ("{layers: 1}", "the part lacks its site"),
        ("{site: z}", "the part lacks its layers"),
        ("{site: z, layer: 1}", "a part has the unknown key \"layer\"; did you mean \"layers\"?"),
        ("{site: embed, layers: 0}", "layers: the site embed has none"),
        ("{site: attn_out, layers: 0, heads: 0}", "heads: the site attn_out has none"),
        ("{site: z, layers: 0, neurons: 0}", "neurons: the site z has none"),
        ("{site: z, layers: []}", "layers: the list is empty"),
        ("{site: z, layers: [1, 5]}", "layers 5: 5 does not exist; the model has 0-4"),
        ("{site: z, layers: 1, heads: 0+3}", "heads 0+3: 3 does not exist; the model has 0-2"),
        (
            "{site: z, layers: 1, heads: each}",
            "heads each: a part is one set; write a patch for each, or use the key heads of the spec"
        ),
        ("{site: z, layers: 1, tokens: -1}", "tokens -1: \"\" is not a number; write e.g. 0-11, 3,7 or 0+5"),
        ("{site: mlp_act, layers: 1, neurons: 17}", "neurons 17: 17 does not exist; the model has 0-16"),
    ])
    func ofAPart(_ part: String, _ expected: String) {
        #expect(
            problem("patches:\n- name: a\n  parts:\n  - {site: q, layers: 0}\n  - \(part)") == "s.yaml:5: \(expected)")
    }

    @Test func aPartNamesOneOfTheSites() throws {
        let text = try #require(problem("patches: [{name: a, parts: [{site: attn_out+z, layers: 1}]}]"))
        #expect(text.hasPrefix("s.yaml:1: site attn_out+z is unknown; valid are embed, "))
    }

    /// A file's value is located in the file; a flag's error names the flag.
    @Test func ofFlagsNamesTheFlag() {
        func problem(_ options: SweepOptions) -> String? {
            do {
                _ = try options.settings()
                _ = try options.spec(for: config)
                return nil
            } catch { return error.description }
        }
        #expect(problem(flags([.layers: "0,9"])) == "--layers 0,9: 9 does not exist; the model has 0-4")
        #expect(problem(flags([.limit: "0"])) == "--limit 0: expected at least 1")
        #expect(problem(flags([.shard: "a"])) == "--shard a: write I/N with I from 0 to N - 1, e.g. 0/4")
    }

    // MARK: Files

    @Test func ofFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("spec-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func problem(_ name: String, _ data: Data?) throws -> String? {
            let file = folder.appendingPathComponent(name)
            try data?.write(to: file)
            do {
                _ = try SweepOptions(file: file.path)
                return nil
            } catch { return error.description.replacing(folder.path, with: "F") }
        }
        #expect(try problem("none", nil) == "the spec F/none cannot be read: there is no such file")
        #expect(try problem(".", nil) == "the spec F/. cannot be read: it is a folder")
        #expect(mkfifo(folder.appendingPathComponent("pipe").path, 0o600) == 0)
        #expect(
            try problem("pipe", nil) == "the spec F/pipe cannot be read: it is a named pipe, not a regular file")
        try FileManager.default.createSymbolicLink(
            atPath: folder.appendingPathComponent("link").path, withDestinationPath: "gone")
        #expect(
            try problem("link", nil)
                == "the spec F/link cannot be read: it is a symbolic link to gone, which does not exist")
        #expect(throws: InputError.special("a device")) { try InputFile.read("/dev/zero", limit: 10) }
        #expect(throws: InputError.special("a device")) { try InputFile.read("/dev/zero", limit: 10, pipes: true) }
        #expect(try problem("utf16", Data([0xFF, 0xFE, 0x61, 0])) == "F/utf16: the file is not UTF-8 text")
        let comment = Data("site: z\n#".utf8)
        let full = comment + Data(repeating: 0x61, count: (1 << 20) - comment.count)
        #expect(try problem("full", full) == nil)
        #expect(try problem("large", full + [0x61]) == "the spec F/large cannot be read: it is larger than 1 MB")
    }

    /// `--spec <(...)`: a pipe that is already open, with more bytes than it can hold
    @Test func openPipesAreRead() throws {
        let pipe = Pipe()
        let text = "#" + String(repeating: "x", count: 300_000) + "\nseed: 7\n"
        // A thread of its own: tests share as many threads as there are cores, and both ends block.
        Thread.detachNewThread {
            try? pipe.fileHandleForWriting.write(contentsOf: Data(text.utf8))
            try? pipe.fileHandleForWriting.close()
        }
        let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        #expect(try SweepOptions(file: path).settings().seed == 7)
    }

    // MARK: Nesting and aliases

    @Test(arguments: ["[", "- ", "{a: ", "? "])
    func deepNestingIsRefused(_ opening: String) {
        let text = problem(String(repeating: opening, count: 5000))
        #expect(text == "s.yaml:1: the file is nested too deep")
    }

    @Test func aliasesStandForValues() throws {
        let spec = try sweep(
            """
            patches:
              - name: a
                parts: &parts
                  - {site: z, layers: &set [1, 2], heads: 0}
                  - {site: k, layers: *set}
              - {name: b, direction: noise, parts: *parts}
            """)
        #expect(spec.patches.count == 2 && spec.patches[0].parts == spec.patches[1].parts)
        #expect(spec.patches[1].parts.map(\.layers) == [[1, 2], [1, 2]])
    }

    /// A star that is not an alias is kept.
    @Test func starsInTextsStay() throws {
        let options = try SweepOptions(yaml: "model: a*b\ndata: '*x'\ncorruption: \"mask:*.png\"\n", name: "s.yaml")
        let settings = try options.settings()
        #expect(settings.model == "a*b" && settings.data == "*x")
        #expect(settings.corruptions.map(\.spec) == ["mask:*.png"])
    }

    @Test(arguments: [
        ("site: z\nlayers: *a", "s.yaml:2: *a is an alias without an anchor"),
        ("site: &a z\ndata: &a b", "s.yaml:2: the anchor &a appears twice"),
        ("patches: &a [*a]", "s.yaml:1: a patch is a mapping with the keys name, direction, parts; found a list"),
    ])
    func aliasProblems(_ yaml: String, _ expected: String) { #expect(problem(yaml) == expected) }

    /// Expands to 10^9 values in a few lines, as values and as a key, and to 10^10 parts
    @Test func bombsAreRefused() throws {
        let levels = (1...9).map {
            "&l\($0) [" + Array(repeating: "*l\($0 - 1)", count: 10).joined(separator: ",") + "]"
        }
        let lists = "x: [&l0 [0,0], \(levels.joined(separator: ", "))]\n"
        #expect(problem(lists)?.hasPrefix("s.yaml:1: the spec has the unknown key \"x\"") == true)
        #expect(problem("site: [&l0 [0,0], \(levels.joined(separator: ", "))]")?.hasSuffix("found a list") == true)
        #expect(
            problem("? [&l0 [0,0], \(levels.joined(separator: ", "))]\n: 1")
                == "s.yaml:1: the spec has a key that is not text")
        let part = "{site: z, layers: 0}", parts = Array(repeating: part, count: 10_000).joined(separator: ", ")
        let patches = (0..<10_000).map { "- {name: p\($0), parts: *p}" }.joined(separator: "\n")
        let text = "patches:\n- {name: first, parts: &p [\(parts)]}\n\(patches)\n"
        #expect(text.utf8.count < YAMLReader.maxBytes)
        #expect(problem(text)?.hasSuffix("the spec is too large, counting what its aliases stand for") == true)
    }
}
