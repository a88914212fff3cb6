import Foundation
import TestSupport
import Testing

/// The rows of a sweep.
struct SweepTests {
    let folder: TemporaryFolder
    /// On the fixture `tiny`, three images of each class
    let small: [String]

    init() throws {
        folder = try TemporaryFolder()
        small = ["--model", try folder.model(), "--data", try folder.images(count: 3)]
    }

    @Test func rowsAndColumns() throws {
        let csv = try sweep(
            small + [
                "--site", "attn_out", "--site", "z", "--site", "attn_out+mlp_out", "--site", "embed",
                "--tokens", "cls,patches,0+5", "--layers", "0-1,0+2", "--limit", "7",
            ], out: folder("out"))
        #expect(
            csv.hasPrefix(
                """
                image,label,target,foil,corruption,direction,site,layer,head,token,window,p_clean,p_corrupted,p_patched,\
                logit_clean,logit_corrupted,logit_patched,logit_diff_clean,logit_diff_corrupted,logit_diff_patched,\
                kl_patched,pred_clean,pred_corrupted,pred_patched
                """))
        let table = try Table(csv)
        // The data's order: the first image of every class, then the second of every class.
        let ids = ["ash/0.png", "birch/0.png", "cedar/0.png", "dogwood/0.png", "elm/0.png", "ash/1.png", "birch/1.png"]
        let patches = table.rows.count / 7
        #expect(table["image"] == ids.flatMap { Array(repeating: $0, count: patches) })
        #expect(table["label"] == [0, 1, 2, 3, 4, 0, 1].flatMap { Array(repeating: "\($0)", count: patches) })
        #expect(Set(table["corruption"]) == ["grayscale"] && Set(table["direction"]) == ["restore"])

        func name(_ row: [String: String]) -> String {
            ["site", "layer", "head", "token", "window"].map { row[$0] ?? "?" }.joined(separator: " ")
        }
        let names = table.rows.prefix(patches).map(name)
        for image in 0..<7 { #expect(table.rows[image * patches..<(image + 1) * patches].map(name) == names) }
        // 3 token sets: 2 windows of 2 centres and a set; 2 heads of 2 centres and a set; as attn_out; one.
        #expect(names.count == 3 * (5 + 6 + 5 + 1))
        for expected in [
            "attn_out 0  cls 1", "attn_out 1  patches 3", "attn_out 0+2  0+5 ", "z 1 1 cls 1", "z 0+2 0 patches ",
            "attn_out+mlp_out 1  0+5 3", "embed   patches ",
        ] { #expect(names.filter { $0 == expected }.count == 1, "\(expected) among \(names)") }

        for column in table.header[11..<24] {
            for text in table[column] where !column.hasPrefix("pred") {
                // The shortest text that parses to the same number.
                #expect(Float(text)?.description == text)
            }
        }
        for (a, b) in try zip(table.floats("kl_patched"), table.floats("p_patched")) {
            #expect(a > -1e-6 && (0...1).contains(b))
        }
    }

    /// Columns are named clean and corrupted by pass, whatever its role as source or receiver.
    @Test func bothDirections() throws {
        let csv = try sweep(
            small + ["--site", "embed", "--direction", "restore", "--direction", "noise", "--corruption", "channel:r"],
            out: folder("out"))
        let table = try Table(csv)
        #expect(table.rows.count == 30)
        for metric in ["p", "logit", "logit_diff", "pred"] {
            for row in table.rows {
                // With all of the input patched, the patched pass equals the other pass, bit for bit.
                let other = row["direction"] == "restore" ? "clean" : "corrupted"
                #expect(row["\(metric)_patched"] == row["\(metric)_\(other)"])
                if metric == "p" { #expect(row["p_clean"] != row["p_corrupted"]) }
            }
        }
        for (row, kl) in try zip(table.rows, table.floats("kl_patched")) {
            #expect(row["direction"] == "restore" ? kl == 0 : kl > 0)
        }
    }

    /// `--noise-sd data`: one deviation for any subset of images; the noise differs from that with each image's own.
    @Test func theNoiseOfAllDataIsOfAllData() throws {
        let options = small + ["--site", "embed", "--corruption", "noise:1"]
        let two = try Table(try sweep(options + ["--noise-sd", "data", "--limit", "2"], out: folder("two")))
        let four = try Table(try sweep(options + ["--noise-sd", "data", "--limit", "4"], out: folder("four")))
        let own = try Table(try sweep(options + ["--limit", "2"], out: folder("own")))
        #expect(Array(four.rows.prefix(two.rows.count)) == two.rows)
        #expect(own["p_clean"] == two["p_clean"] && own["p_corrupted"] != two["p_corrupted"])
        let again = try runVitpatch(["sweep"] + options + ["--limit", "2", "--resume", "--out", folder("two")])
        #expect(again.code == 1 && again.errors.contains("noise-sd is data there and image now"))
    }

    @Test func theExportSaysWhatIsPutIn() throws {
        let options = small + ["--site", "z", "--layers", "1", "--ablate", "resample"]
        let other = try Table(try sweep(options + ["--partner", "other-class"], out: folder("other")))
        #expect(Set(other["patch_with"]) == ["resample"] && Set(other["donor"]) == [""])
        let any = try Table(try sweep(options, out: folder("any")))
        #expect(any["p_clean"] == other["p_clean"] && any["p_patched"] != other["p_patched"])
    }

    /// The columns of both passes equal logits from `classify`, which prints them all.
    @Test(arguments: [("label", "pooled"), ("clean", "corrupted"), ("label", "clean"), ("clean", "2")])
    func passesAreThoseOfClassify(_ target: String, _ chosen: String) throws {
        let table = try Table(
            try sweep(small + ["--site", "embed", "--target", target, "--foil", chosen], out: folder("out")))
        let passes = try ["none", "grayscale"].map { corruption in
            let result = try runVitpatch(["classify", "--corruption", corruption] + small)
            #expect(result.code == 0)
            return try Table(result.output)
        }
        #expect(passes[0].header == ["image", "label", "prediction", "p_label"] + (0..<5).map { "logit_\($0)" })
        #expect(table["image"] == passes[0]["image"] && table["label"] == passes[1]["label"])
        #expect(table["pred_clean"] == passes[0]["prediction"] && table["pred_corrupted"] == passes[1]["prediction"])
        #expect(table["target"] == (target == "label" ? table["label"] : table["pred_clean"]))
        if target == "label" {
            #expect(table["p_clean"] == passes[0]["p_label"] && table["p_corrupted"] == passes[1]["p_label"])
        }
        for (i, row) in table.rows.enumerated() {
            let logits = try passes.map { pass in
                try (0..<5).map { try #require(Float(pass.rows[i]["logit_\($0)"] ?? "")) }
            }
            let target = try #require(Int(row["target"] ?? "")), foil = try #require(Int(row["foil"] ?? ""))
            func score(_ c: Int) -> Float {
                switch chosen {
                case "pooled": logits[0][c] / 2 + logits[1][c] / 2
                case "clean": logits[0][c]
                default: logits[1][c]
                }
            }
            #expect(foil == Int(chosen) ?? (0..<5).filter { $0 != target }.max { score($0) < score($1) })
            for (pass, name) in ["clean", "corrupted"].enumerated() {
                #expect(row["logit_\(name)"] == "\(logits[pass][target])")
                #expect(row["logit_diff_\(name)"] == "\(logits[pass][target] - logits[pass][foil])")
                let others = (0..<5).filter { $0 != target }.map { exp(Double(logits[pass][$0])) }.reduce(0, +)
                let logOdds = try #require(Double(row["log_odds_\(name)"] ?? ""))
                #expect(abs(logOdds - Double(logits[pass][target]) + log(others)) < 1e-5)
                #expect(row["pred_\(name)"] == (0..<5).max { logits[pass][$0] < logits[pass][$1] }.map { "\($0)" })
            }
        }
    }

    @Test(arguments: [
        [], ["--corruption", "noise:0.7,2", "--samples", "2", "--direction", "noise"],
        ["--corruption", "mask:0.4", "--samples", "3", "--keep", "clean-correct"],
        ["--corruption", "mean", "--site", "z"],
        ["--patch-with", "resample", "--site", "resid_mid", "--tokens", "each"],
    ])
    func theSameBitsHoweverItIsCut(_ options: [String]) throws {
        let sweep = { (name: String, more: [String]) in
            try CLITests.sweep(small + options + more, out: folder(name)).split(separator: "\n")
        }
        let whole = try sweep("whole", [])
        #expect(whole.count > 1)
        // Images in several waves, and waves with only some of an image's patches.
        for memory in ["350k", "600k"] { #expect(try sweep(memory, ["--memory", memory]) == whole, "\(memory)") }
        let shards = try (0..<2).map { try sweep("shard\($0)", ["--shard", "\($0)/2"]) }
        #expect(shards[0] + shards[1].dropFirst() == whole)
        let parts = try [["--limit", "4"], ["--offset", "4"]].map { try sweep("part\($0[0])", $0) }
        #expect(parts[0] + parts[1].dropFirst() == whole)
        #expect(
            try sweep("seed", ["--seed", "7"]) != whole
                || !options.contains { $0.contains("noise") || $0.contains("mask") })
    }

    /// On the demo, where colour matters.
    @Test(arguments: ["clean-correct", "flipped"])
    func keep(_ keep: String) throws {
        let options = ["--limit", "40", "--layers", "0", "--window", "1"]
        let all = try Table(try sweep(options, out: folder("all")))
        let result = try runVitpatch(["sweep", "--keep", keep, "--out", folder("kept"), "--memory", "20M"] + options)
        let kept = try Table(try export(folder("kept")))
        let expected = all.rows.filter {
            $0["pred_clean"] == $0["label"] && (keep == "clean-correct" || $0["pred_corrupted"] != $0["label"])
        }
        #expect(kept.rows == expected)
        #expect((1..<40).contains(expected.count))
        for output in [result.output, try runVitpatch(["summary", folder("kept")]).output] {
            #expect(output.contains("\(expected.count), those that are \(keep) among 40\n"), "\(output)")
        }
    }

    @Test func exportFormats() throws {
        let csv = try sweep(small + ["--site", "embed"], out: folder("out"))
        let toFile = try runVitpatch(["export", folder("out"), "--format", "csv", "--to", folder("a.csv")])
        #expect(toFile.code == 0 && toFile.output == "" && toFile.errors == "")
        #expect(try String(contentsOfFile: folder("a.csv"), encoding: .utf8) == csv)
        let lines = try runVitpatch(["export", folder("out"), "--format", "jsonl"]).output.split(separator: "\n")
        let table = try Table(csv)
        #expect(lines.count == table.rows.count)
        for (line, row) in zip(lines, table.rows) {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(Set(object.keys) == Set(table.header))
            #expect(object["image"] as? String == row["image"] && object["layer"] is NSNull)
            #expect((object["p_patched"] as? NSNumber)?.floatValue == Float(row["p_patched"] ?? ""))
        }
    }

    /// `summary` prints the same as `sweep`.
    @Test func summary() throws {
        let result = try runVitpatch(["sweep", "--out", folder("out")] + small)
        let summary = try runVitpatch(["summary", folder("out")])
        #expect(summary.code == 0 && summary.errors == "" && result.output.hasPrefix(summary.output))
        for words in ["total effect", "accuracy", "denoising attn_out", "window 1", "window 3"] {
            #expect(summary.output.contains(words))
        }
        #expect(summary.output.split(separator: "\n").allSatisfy { $0.count <= 100 })
    }
}
