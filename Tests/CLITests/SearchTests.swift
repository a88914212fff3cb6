import Foundation
import Testing

/// `vitpatch search` on the demo.
@Suite(.serialized) struct SearchTests {
    private let columns =
        "step,site,layer,head,token,effect,share,ci_low,ci_high,held_out_effect,held_out_share,held_out_ci_low,"
        + "held_out_ci_high,ranked_share,random_mean,random_min,random_max"

    private func search(_ arguments: [String]) throws -> VitpatchResult {
        try runVitpatch(["search", "--limit", "24", "--gemm", "packed"] + arguments)
    }

    private func rows(_ csv: String) -> [[String: String]] {
        let lines = csv.split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return lines.dropFirst().map { Dictionary(zip(lines[0], $0)) { a, _ in a } }
    }

    private func number(_ row: [String: String], _ column: String) throws -> Double {
        try #require(Double(row[column] ?? ""), "\(column) of \(row)")
    }

    @Test func theCurveRisesToTheShareAskedFor() throws {
        let result = try search(["--format", "csv", "--until", "0.9"])
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.hasPrefix(columns + "\n"))
        let rows = rows(result.output)
        var last = 0.0, heldOut = 0.0
        for (index, row) in rows.enumerated() {
            #expect(row["step"] == "\(index + 1)" && row["site"] == "z")
            let share = try number(row, "share")
            #expect(share > last)
            #expect(heldOut < 0.9, "stops at the first set that reaches it on the images held out")
            #expect(try number(row, "ci_low") <= share && share <= number(row, "ci_high"))
            let random = try ["random_min", "random_mean", "random_max"].map { try number(row, $0) }
            #expect(random == random.sorted())
            last = share
            heldOut = try number(row, "held_out_share")
        }
        let json = try search(["--format", "json", "--until", "0.9"])
        let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(object["stopped"] as? String == (heldOut >= 0.9 ? "share" : "no_gain"))
        // The curve's first place is the best single place: the same patch on the same images.
        let first = try #require(rows.first)
        #expect(first["ranked_share"] == first["held_out_share"])
    }

    /// The first step is the strongest head of a sweep.
    @Test func theFirstStepIsTheSweepsStrongest() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let sweep = try runVitpatch([
            "sweep", "--limit", "24", "--gemm", "packed", "--site", "z", "--out", folder, "--direction", "noise",
        ])
        #expect(sweep.code == 0, "\(sweep.errors)")
        let summary = rows(try runVitpatch(["summary", folder, "--format", "csv"]).output)
        let strongest = try #require(try summary.min { try number($0, "mean_effect") < number($1, "mean_effect") })
        let found = rows(
            try search(["--format", "csv", "--direction", "noise", "--max", "1", "--holdout", "0"]).output)
        #expect(found.count == 1 && found[0]["layer"] == strongest["layer"] && found[0]["head"] == strongest["head"])
        #expect(abs(try number(found[0], "effect") + number(strongest, "mean_effect")) < 1e-9)
        #expect(abs(try number(found[0], "share") - number(strongest, "recovered")) < 1e-9)
        #expect(found[0]["held_out_share"] == "")
    }

    /// With log-odds, the first place is the sweep's strongest by log-odds.
    @Test func goesByTheMetricThatIsAskedFor() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let sweep = try runVitpatch(["sweep", "--site", "z", "--limit", "24", "--out", folder])
        #expect(sweep.code == 0, "\(sweep.errors)")
        var sums: [String: Double] = [:]
        for row in rows(try runVitpatch(["export", folder, "--format", "csv"]).output) {
            sums["\(row["layer"] ?? "") \(row["head"] ?? "")", default: 0] +=
                try number(row, "log_odds_patched") - number(row, "log_odds_corrupted")
        }
        let strongest = try #require(sums.max { $0.value < $1.value })
        let result = try search([
            "--format", "json", "--metric", "log_odds", "--max", "1", "--holdout", "0", "--until", "2",
        ])
        let object = try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let step = try #require((object["steps"] as? [[String: Any]])?.first)
        #expect("\(step["layer"] ?? "") \(step["head"] ?? "")" == strongest.key)
        let searched = try #require(step["searched"] as? [String: Any])
        #expect(abs(try #require(searched["effect"] as? Double) - strongest.value / 24) < 1e-6)
        #expect(object["metric"] as? String == "log_odds" && object["foil"] as? String == "pooled")
    }

    @Test func memoryChangesNothing() throws {
        let arguments = ["--format", "json", "--until", "2", "--max", "3", "--corruption", "noise:1", "--samples", "2"]
        let roomy = try search(arguments)
        #expect(roomy.code == 0, "\(roomy.errors)")
        // Too little memory for all patches of one image at once.
        let scarce = try search(arguments + ["--memory", "3M"])
        #expect(scarce.code == 0, "\(scarce.errors)")
        #expect(scarce.output == roomy.output)
        #expect(try search(arguments + ["--seed", "1"]).output != roomy.output)
    }

    @Test func writesWhatItPrints() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/vitpatch-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let arguments = [
            "--site", "attn_out", "--site", "mlp_out", "--keep", "clean-correct", "--max", "2", "--out", folder,
        ]
        let csv = try search(arguments + ["--format", "csv"])
        #expect(csv.code == 0, "\(csv.errors)")
        #expect(try String(contentsOfFile: folder + "/search.csv", encoding: .utf8) == csv.output)
        let again = try search(arguments)
        #expect(again.code == 1 && again.errors.contains("search.csv") && again.errors.contains("--overwrite"))
        let json = try search(arguments + ["--format", "json", "--overwrite"])
        #expect(try String(contentsOfFile: folder + "/search.json", encoding: .utf8) == json.output)
        let object = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let steps = try #require(object["steps"] as? [[String: Any]])
        #expect(steps.count == rows(csv.output).count)
        #expect((object["searched"] as? Int ?? 0) + (object["held_out"] as? Int ?? 0) <= 24)
        #expect((object["set"] as? [[String: Any]])?.isEmpty == false)
    }

    @Test func theTableFitsATerminal() throws {
        let result = try search(["--until", "9", "--max", "4"])
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains("12 searched on, 12 held out"))
        #expect(result.output.contains("the set: z layer"))
        #expect(result.output.split(separator: "\n").allSatisfy { $0.count <= 110 && !$0.hasSuffix(" ") })
        #expect(result.errors.contains("step 1: z layer"))
    }

    @Test(arguments: [
        ["--metric", "kl"], ["--until", "0"], ["--until", "nan"], ["--max", "0"], ["--holdout", "1"],
        ["--holdout", "-0.5"],
        ["--limit", "0"],
        ["--offset=-1"], ["--site", "y"], ["--layers", "99"], ["--heads", "99"], ["--tokens", "9x9"],
        ["--format", "xml"],
        ["--direction", "both"], ["--corruption", "none"], ["--corruption", "blur:1,2"], ["--target", "x"],
        ["--keep", "x"],
        ["--memory", "lots"], ["--samples", "0"], ["--overwrite"], ["--unknown"],
    ])
    func badOptionsAreUsageErrors(_ arguments: [String]) throws {
        let result = try runVitpatch(["search"] + arguments)
        #expect(result.code == 64, "\(arguments): \(result.errors)")
        #expect(result.errors.contains(arguments[0].prefix { $0 != "=" }) || result.errors.contains(arguments[1]))
        #expect(result.output == "")
    }

    @Test func nothingToBringBackIsOneSentence() throws {
        // No patch is masked: the model sees the same image twice.
        let result = try search(["--corruption", "mask:0"])
        #expect(result.code == 1)
        #expect(result.errors.contains("nothing to bring back"))
    }
}
