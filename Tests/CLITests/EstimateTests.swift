import Foundation
import TestSupport
import Testing

/// Estimates, and exact passes for the patches they select, from the command line to the export.
struct EstimateTests {
    let folder: TemporaryFolder
    let options = [
        "--site", "z", "--limit", "12", "--estimate", "atp", "--estimate", "ig:2", "--estimate-of", "log_odds",
        "--estimate-of", "p",
    ]
    static let names = ["atp_log_odds", "atp_p", "ig2_log_odds", "ig2_p"]

    init() throws { folder = try TemporaryFolder() }

    /// The exact effects equal those without estimates; the estimates are further columns and correlate with them.
    @Test func columns() throws {
        let with = try Table(try sweep(options, out: folder("with")))
        let without = try Table(try sweep(Array(options.prefix(4)), out: folder("without")))
        #expect(with["p_patched"] == without["p_patched"] && with["logit_patched"] == without["logit_patched"])
        for (estimate, metric) in [("atp_log_odds", "log_odds"), ("atp_p", "p")] {
            let found = try with.floats(estimate).map(Double.init)
            let exact = zip(try with.floats(metric + "_patched"), try with.floats(metric + "_corrupted")).map {
                Double($0 - $1)
            }
            #expect(correlation(found, exact) > 0.7, "\(estimate)")
        }
        #expect(try with.floats("ig2_p").allSatisfy { abs($0) <= 1 })
    }

    /// The selected patches have the largest mean estimates; the others have no exact pass.
    @Test func theLargestGetExactPasses() throws {
        let table = try Table(try sweep(options + ["--exact", "top:3,random:2"], out: folder("a")))
        func place(_ row: [String: String]) -> String { "\(row["layer"] ?? "") \(row["head"] ?? "")" }
        let exact = Set(table.rows.filter { $0["p_patched"] != "" }.map(place))
        #expect(exact.count == 5)
        #expect(table.rows.allSatisfy { ($0["p_patched"] != "") == exact.contains(place($0)) })
        #expect(table.rows.allSatisfy { ($0["pred_patched"] != "") == exact.contains(place($0)) })
        let means = Dictionary(grouping: table.rows, by: place).mapValues { rows in
            abs(rows.compactMap { Double($0["atp_log_odds"] ?? "") }.reduce(0, +))
        }
        let largest = means.keys.sorted { (means[$0] ?? 0) > (means[$1] ?? 0) }.prefix(3)
        #expect(exact.isSuperset(of: largest))
        let summary = try runVitpatch(["summary", folder("a")])
        #expect(summary.code == 0 && summary.output.contains("estimate"), "\(summary.output)\(summary.errors)")
        let none = try Table(try sweep(options + ["--exact", "none"], out: folder("none")))
        #expect(none["atp_p"] == table["atp_p"] && none.rows.allSatisfy { $0["p_patched"] == "" })
        #expect(try runVitpatch(["report", folder("none")]).code == 0)
    }

    @Test func someImagesGetExactPasses() throws {
        let table = try Table(try sweep(options + ["--exact-images", "7"], out: folder("a")))
        let exact = Set(table.rows.filter { $0["p_patched"] != "" }.compactMap { $0["image"] })
        #expect(exact.count == 7 && Set(table["image"]).count == 12)
        let other = try Table(try sweep(options + ["--exact-images", "7", "--seed", "5"], out: folder("b")))
        #expect(Set(other.rows.filter { $0["p_patched"] != "" }.compactMap { $0["image"] }) != exact)
        #expect(try runVitpatch(["report", folder("a")]).code == 0)
    }

    /// A sweep interrupted in its estimates, or in its exact passes, and resumed gives the same bytes; shards merge.
    @Test(arguments: [SIGINT, SIGKILL]) func interruptedAndResumed(_ signal: Int32) throws {
        let long = [
            "--site", "resid_mid", "--tokens", "cls,patches", "--limit", "100", "--memory", "12M", "--estimate", "atp",
            "--exact", "top:2",
        ]
        let whole = try sweep(long, out: folder("whole"))
        let program = try RunningProgram(vitpatch, ["sweep", "--out", folder("out")] + long)
        try waitForAWave(in: folder("out"), of: program)
        program.send(signal)
        _ = try program.wait()
        let resumed = try runVitpatch(["sweep", "--resume", "--out", folder("out")] + long)
        #expect(resumed.code == 0, "\(resumed.errors)")
        #expect(try export(folder("out")) == whole)
    }

    @Test func shards() throws {
        let options = options + ["--exact", "random:4", "--exact-images", "8"]
        let whole = try sweep(options, out: folder("whole"))
        for shard in 0..<2 { _ = try sweep(options + ["--shard", "\(shard)/2"], out: folder("\(shard)")) }
        let merge = try runVitpatch(["merge", folder("0"), folder("1"), "--out", folder("merged")])
        #expect(merge.code == 0, "\(merge.errors)")
        #expect(try export(folder("merged")) == whole)
    }

    @Test func neurons() throws {
        let table = try Table(
            try sweep(
                ["--site", "mlp_act", "--neurons", "each", "--limit", "3", "--estimate", "atp", "--exact", "top:4"],
                out: folder("a")))
        #expect(table.rows.count > 500 && table.rows.count { $0["p_patched"] != "" } == 3 * 4)
        #expect(try runVitpatch(["report", folder("a")]).code == 0)
    }

    @Test func searchAmongTheMostPromising() throws {
        let result = try runVitpatch(["search", "--limit", "16", "--screen", "5", "--max", "2"])
        #expect(result.code == 0 && result.output.contains("of which the 5"), "\(result.output)\(result.errors)")
        try expectUsageError(["search", "--screen", "0"], naming: ["--screen 0: expected at least 1"])
    }

    @Test(arguments: [
        (["--exact", "none"], "--exact none: it goes with --estimate"),
        (["--estimate", "atp", "--exact", "top:3", "--shard", "0/2"], "--shard does not go with it"),
        (["--estimate", "atp", "--exact", "top:3", "--pairs", "all"], "--pairs and --shapley compare exact passes"),
        (["--estimate", "atp", "--exact", "none", "--logits"], "--logits: --exact none leaves no exact passes"),
        (["--estimate", "ig:0"], "ig:N with N from 1 to 1000"),
    ])
    func whatDoesNotGoTogether(_ options: [String], _ sentence: String) throws {
        try expectUsageError(["sweep", "--out", folder("a")] + options, naming: [sentence])
    }
}

private func correlation(_ a: [Double], _ b: [Double]) -> Double {
    func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
    let (ma, mb) = (mean(a), mean(b))
    func sum(_ f: (Int) -> Double) -> Double { a.indices.map(f).reduce(0, +) }
    return sum { (a[$0] - ma) * (b[$0] - mb) }
        / (sum { (a[$0] - ma) * (a[$0] - ma) } * sum { (b[$0] - mb) * (b[$0] - mb) }).squareRoot()
}
