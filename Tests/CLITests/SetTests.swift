import Foundation
import TestSupport
import Testing

/// `sweep --pairs` and `--shapley`, from the command line to the commands that read their results.
struct SetTests {
    let folder: TemporaryFolder
    let options = ["--window", "1", "--layers", "0-3", "--limit", "12", "--pairs", "top:3", "--shapley", "4"]

    init() throws { folder = try TemporaryFolder() }

    /// Sets follow the sweep's own rows, which equal those without sets. A pair equals one patch of both places.
    @Test func rows() throws {
        let with = try Table(try sweep(options, out: folder("with")))
        let without = try Table(try sweep(Array(options.prefix(6)), out: folder("without")))
        #expect(with.rows.filter { $0["control"] == "0" } == without.rows)
        let sets = with.rows.filter { $0["control"] == "2" }
        #expect(
            sets.count > 12 * 3
                && sets.allSatisfy { $0["layer"] == "" && $0["site"]?.contains("attn_out layer") == true })
        let pair = try #require(sets.first?["site"])
        let layers = pair.matches(of: #/layer (\d)/#).map { String($0.1) }
        let asked = try Table(
            try sweep(["--limit", "12", "--layers", layers.joined(separator: "+")], out: folder("asked")))
        #expect(asked["logit_patched"] == sets.filter { $0["site"] == pair }.map { $0["logit_patched"] ?? "" })
    }

    /// Shards choose the same pairs, so they merge; a resumed sweep keeps its choice.
    @Test func shardedAndResumed() throws {
        let whole = try sweep(options, out: folder("whole"))
        for shard in 0..<2 { _ = try sweep(options + ["--shard", "\(shard)/2"], out: folder("\(shard)")) }
        let merge = try runVitpatch(["merge", folder("0"), folder("1"), "--out", folder("merged")])
        #expect(merge.code == 0, "\(merge.errors)")
        #expect(try export(folder("merged")) == whole)
        let again = try runVitpatch(["sweep", "--resume", "--out", folder("whole")] + options)
        #expect(again.code == 0 && again.errors.contains("12 of 12 images are done already"), "\(again.errors)")
        #expect(!again.errors.contains("to find the strongest"))
        try expectFailure(
            ["sweep", "--resume", "--out", folder("whole")] + options.dropLast(4) + [
                "--pairs", "top:4", "--shapley", "4",
            ],
            naming: ["pairs is top:3 there and top:4 now"])
        let printed = try runVitpatch(["sweep", "--print-spec"] + options)
        #expect(printed.output.contains("\npairs: \"top:3\"  #") && printed.output.contains("\nshapley: 4  #"))
        // A folder with results is refused before any place is screened.
        let refused = try runVitpatch(["sweep", "--out", folder("whole")] + options)
        #expect(refused.code == 1 && !refused.errors.contains("to find the strongest"), "\(refused.errors)")
    }

    @Test func summaryAndReport() throws {
        let result = try runVitpatch(["sweep", "--out", folder("a")] + options)
        #expect(
            result.code == 0 && result.errors.contains("--pairs top:3: 4 places on 12 images to find the strongest"))
        #expect(
            result.output.contains("pairs, denoising   together - sum of the two alone, on p; the 3 of 3"),
            "\(result.output)")
        #expect(result.output.contains("Shapley values, denoising   on p, 4 orders; all together"))
        let report = try runVitpatch(["report", folder("a")])
        #expect(report.code == 0, "\(report.errors)")
        let html = try String(contentsOfFile: folder("a/report.html"), encoding: .utf8)
        #expect(html.contains("3 pairs of the 3 strongest places") && html.contains("<figure id=\"shapley-restore\">"))
        let csv = try String(contentsOfFile: folder("a/figures/shapley-restore.csv"), encoding: .utf8)
        #expect(csv.split(separator: "\n").count == 5)
    }

    @Test func whatMakesNoSense() throws {
        for (arguments, message) in [
            (["--pairs", "top:1"], "--pairs top:1: expected none, all or top:K"),
            (["--pairs", "all", "--site", "embed"], "--pairs all: no two places"),
            (["--shapley", "5"], "--shapley 5: expected 0 or an even number"),
            (["--shapley", "4"], "--shapley 4: attn_out layer 0 and attn_out layers 0+1 overlap"),
        ] {
            let result = try runVitpatch(["sweep", "--limit", "2", "--out", folder("no")] + arguments)
            #expect(result.code == 64 && result.errors.contains(message), "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: folder("no")))
        }
    }
}
