import Foundation
import TestSupport
import Testing

/// Runs on the demo's shapes, as few as possible: the times do not matter here.
struct BenchTests {
    private func bench(_ arguments: [String]) throws -> VitpatchResult {
        try runVitpatch(["bench", "--seconds", "0", "--images", "2"] + arguments)
    }

    /// The groups of results in a `--json` file
    private func groups(_ path: String) throws -> [String] {
        let file = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
        let results = try #require(file as? [String: Any])
        for key in ["version", "device", "driver", "model", "date"] { #expect(results[key] is String, "\(key)") }
        #expect(try #require(results["peakGFLOPS"] as? Double) > 0 && #require(results["peakGBs"] as? Double) > 0)
        let measurements = try #require(results["measurements"] as? [[String: Any]])
        for item in measurements {
            let times = try ["fastest", "median", "slowest"].map { try #require(item[$0] as? Double) }
            #expect(times == times.sorted() && times[0] > 0, "\(item)")
            #expect(try #require(item["runs"] as? Int) >= 3)
            let isCompared = ["layernorm_rows", "attention_online", "gemm packed", "gemm clblast"].contains {
                (item["name"] as? String)?.hasPrefix($0) == true
            }
            #expect((item["naive"] as? Double ?? 0 > 0) || !isCompared, "\(item)")
        }
        return try measurements.map { try #require($0["group"] as? String) }
    }

    @Test func onlyKeepsTheOtherLinesAwayAndCompareSaysWhatChanged() throws {
        let folder = try TemporaryFolder(), all = folder("all.json"), some = folder("some.json")
        let whole = try bench(["--json", all])
        #expect(whole.code == 0 && whole.errors == "", "\(whole.errors)")
        #expect(Set(try groups(all)) == ["kernel", "gemm", "pass", "sweep"])
        #expect(!whole.output.contains("as fast"))

        let part = try bench(["--only", "pass", "--only", "kernel", "--json", some, "--compare", all])
        #expect(part.code == 0 && part.errors == "", "\(part.errors)")
        let lines = try groups(some)
        #expect(Set(lines) == ["pass", "kernel"])
        #expect(part.output.split(separator: "\n").filter { $0.hasSuffix("x as fast") }.count == lines.count)

        let alone = try bench(["--only", "gemm", "--alone", "--compare", all])
        #expect(alone.code == 0 && alone.output.split(separator: "\n").filter { $0.hasSuffix("x as fast") }.count == 4)
        #expect(!alone.output.contains("clblast"))

        let other = try bench(["--only", "gemm", "--compare", some])
        #expect(other.code == 0 && !other.output.contains("as fast"))
        #expect(other.output.split(separator: "\n").filter { $0.hasSuffix("  new") }.count == 8)
    }

    @Test func aComparisonWithSomethingElseIsRefused() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("other.json", Data(#"{"version": "1"}"#.utf8))
        try expectFailure(["bench", "--compare", file], naming: ["--compare", file])
        try expectFailure(["bench", "--compare", folder("none")], naming: ["--compare", folder("none")])
    }
}
