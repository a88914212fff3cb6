import Foundation
import TestSupport
import Testing

/// `sweep --control`, from the command line to the commands that read its results.
struct ControlTests {
    let folder: TemporaryFolder
    /// On the demo: six layers leave other random places for windows of 3
    let options = [
        "--window", "1", "--window", "3", "--layers", "1-4", "--limit", "6", "--control", "5", "--seed", "3",
    ]

    init() throws { folder = try TemporaryFolder() }

    /// The sweep's own rows equal those without `--control`; the random places follow them.
    @Test func rows() throws {
        let with = try Table(try sweep(options, out: folder("with")))
        let without = try Table(try sweep(options.filter { $0 != "--control" && $0 != "5" }, out: folder("without")))
        #expect(with.header.contains("control") && with.header.contains("extent"))
        #expect(with.rows.filter { $0["control"] == "0" } == without.rows)
        let controls = with.rows.filter { $0["control"] == "1" }
        #expect(
            controls.count == 6 * 5 && controls.allSatisfy { $0["extent"] == "attn_out 3 layers" && $0["window"] == "" }
        )
        #expect(with["control"].prefix(13) == (Array(repeating: "0", count: 8) + Array(repeating: "1", count: 5))[...])
        // A random place equals the patch of its layers, bit for bit.
        let layers = controls.prefix(5).map { $0["layer"] ?? "" }
        let asked = try Table(
            try sweep(["--limit", "6", "--layers", layers.joined(separator: ",")], out: folder("asked")))
        #expect(asked["logit_patched"] == controls.map { $0["logit_patched"] ?? "" })
    }

    @Test func cutShardedAndResumed() throws {
        let whole = try sweep(options, out: folder("whole"))
        #expect(try sweep(options + ["--memory", "3M"], out: folder("cut")) == whole)
        for shard in 0..<2 { _ = try sweep(options + ["--shard", "\(shard)/2"], out: folder("\(shard)")) }
        let merge = try runVitpatch(["merge", folder("0"), folder("1"), "--out", folder("merged")])
        #expect(merge.code == 0, "\(merge.errors)")
        #expect(try export(folder("merged")) == whole)
        let again = try runVitpatch(["sweep", "--resume", "--out", folder("whole")] + options)
        #expect(again.code == 0 && again.errors.contains("6 of 6 images are done already"), "\(again.errors)")
        try expectFailure(
            ["sweep", "--resume", "--out", folder("whole")] + options + ["--control", "4"],
            naming: ["control is 5 there and 4 now"])
        let printed = try runVitpatch(["sweep", "--print-spec"] + options)
        #expect(printed.output.contains("\ncontrol: 5  #"))
        try folder.write("spec.yaml", Data(printed.output.utf8))
        #expect(try sweep(["--spec", folder("spec.yaml")], out: folder("spec")) == whole)
    }

    @Test func summaryReportAndCompare() throws {
        let result = try runVitpatch(["sweep", "--out", folder("a")] + options)
        #expect(
            result.output.contains("\n  random 3 layers     5  ") && result.output.contains("  takes "),
            "\(result.output)")
        #expect(result.output.contains("\n  all 1 layer         4  "))
        let report = try runVitpatch(["report", folder("a")])
        #expect(report.code == 0, "\(report.errors)")
        #expect(FileManager.default.fileExists(atPath: folder("a/figures/random-places-restore-attn_out.csv")))
        _ = try sweep(["--limit", "6", "--window", "3"], out: folder("b"))
        let compare = try runVitpatch(["compare", folder("a"), folder("b")])
        #expect(
            compare.code == 0 && compare.output.contains("4 patches only in A and 2 only in B are left out"),
            "\(compare.output)")
    }

    @Test func warnings() throws {
        let single = try runVitpatch(["sweep", "--site", "z", "--limit", "1", "--control", "3", "--out", folder("a")])
        #expect(
            single.code == 0 && single.errors.contains("every patch of this sweep is a single place"),
            "\(single.errors)")
        #expect(single.output.contains("\n  all 1 layer 1 head    24  "), "\(single.output)")
        let few = try runVitpatch([
            "sweep", "--window", "5", "--layers", "2", "--limit", "1", "--control", "9", "--out", folder("b"),
        ])
        #expect(
            few.code == 0 && few.errors.contains("the network has only 5 other places of attn_out 5 layers"),
            "\(few.errors)")
        for wrong in ["-1", "1001", "x"] { #expect(try runVitpatch(["sweep", "--control=\(wrong)"]).code == 64) }
    }
}
