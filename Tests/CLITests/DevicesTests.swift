import Foundation
import TestSupport
import Testing

/// PoCL creates one device for each name in POCL_DEVICES.
private let two = ["POCL_DEVICES": "pthread pthread"]

/// Indices of PoCL's devices in the output of `vitpatch devices`.
private func pocl(_ environment: [String: String]) -> [String] {
    guard let text = try? runVitpatch(["devices"], environment: environment).output else { return [] }
    var index = "", found: [String] = []
    for line in text.split(separator: "\n") {
        if let match = line.firstMatch(of: /^.\s(\d+):\s/) { index = String(match.1) }
        if line.contains("Portable Computing Language") { found.append(index) }
    }
    return found
}

/// A sweep on several devices gives the same bytes as on one.
@Suite(.enabled(if: pocl(two).count == 2, "needs PoCL"))
struct DevicesTests {
    let folder: TemporaryFolder
    let small: [String]
    /// `--device` options for one device, and for both
    let one, both: [String]

    init() throws {
        folder = try TemporaryFolder()
        small = ["--model", try folder.model(), "--data", try folder.images(count: 3)]
        let devices = pocl(two)
        one = ["--device", devices[0]]
        both = ["--device", devices.joined(separator: ",")]
    }

    private func sweep(_ options: [String], out: String, environment: [String: String] = [:]) throws -> String {
        let result = try runVitpatch(
            ["sweep", "--out", out] + options, environment: two.merging(environment) { $1 })
        try #require(result.code == 0, "\(options): \(result.errors)")
        return try export(out)
    }

    @Test(arguments: [
        [], ["--site", "resid_mid", "--tokens", "each", "--memory", "350k"],
        ["--corruption", "noise:0.7,2", "--samples", "2", "--direction", "noise", "--memory", "600k", "--logits"],
        ["--corruption", "mask:0.4", "--corruption", "grayscale", "--keep", "clean-correct", "--memory", "600k"],
        ["--keep", "flipped"], ["--limit", "1"],
        ["--patch-with", "mean", "--site", "z", "--site", "mlp_out", "--memory", "600k"],
        ["--patch-with", "resample", "--site", "resid_mid", "--tokens", "each"],
    ])
    func theSameBytes(_ options: [String]) throws {
        let alone = try sweep(small + options + one, out: folder("one"))
        #expect(try sweep(small + options + both, out: folder("both")) == alone)
    }

    @Test func withADonor() throws {
        let options = ["--donor", "demo", "--corruption", "none", "--site", "z", "--limit", "20", "--memory", "8M"]
        #expect(try sweep(options + both, out: folder("both")) == sweep(options + one, out: folder("one")))
    }

    /// On the demo, where `--keep` drops some images while counting others.
    @Test func keptImagesFillTheirWaves() throws {
        let options = ["--limit", "60", "--site", "resid_mid", "--keep", "flipped", "--memory", "4M"]
        let alone = try sweep(options + one, out: folder("one"))
        #expect(Set(try Table(alone)["image"]).count > 10)
        #expect(try sweep(options + both, out: folder("both")) == alone)
    }

    @Test(arguments: [true, false]) func resumed(_ beganOnBoth: Bool) throws {
        let long = ["--site", "resid_mid", "--tokens", "cls,patches", "--limit", "120", "--memory", "8M"]
        let whole = try sweep(long + one, out: folder("whole"))
        let program = try RunningProgram(
            vitpatch, ["sweep", "--out", folder("out")] + long + (beganOnBoth ? both : one), environment: two)
        try waitForAWave(in: folder("out"), of: program)
        program.send(SIGINT)
        let result = try program.wait()
        #expect(result.code == 130, "\(result.errors)")
        let done = Set(try Table(try export(folder("out")))["image"]).count
        #expect(result.errors.contains("Interrupted; \(done) of 120 images "), "\(result.errors)")
        #expect(try sweep(long + (beganOnBoth ? one : both) + ["--resume"], out: folder("out")) == whole)
    }

    /// An error that no device causes: results of both devices are kept.
    @Test func anImageThatCannotBeRead() throws {
        let options = small + ["--site", "resid_pre", "--tokens", "each", "--memory", "350k"]
        let whole = try sweep(options + one, out: folder("whole"))
        let name = "data/elm/2.png", good = try Data(contentsOf: URL(fileURLWithPath: folder(name)))
        try folder.write(name, good.prefix(100))
        try expectFailure(
            ["sweep", "--out", folder("out")] + options + both, naming: [folder(name), "cannot be decoded"],
            environment: two)
        let before = try Table(try export(folder("out")))
        let rows = try Table(whole).rows
        #expect(!before.rows.isEmpty && before.rows.allSatisfy(rows.contains))
        try folder.write(name, good)
        #expect(try sweep(options + both + ["--resume"], out: folder("out")) == whole)
    }

    /// Only the device short of memory runs smaller waves.
    @Test func oneWithLessMemory() throws {
        let options = small + ["--site", "resid_mid", "--tokens", "each"], devices = pocl(two)
        let whole = try sweep(options + one, out: folder("whole"))
        let result = try runVitpatch(
            ["sweep", "--out", folder("out")] + options + both,
            environment: two.merging(["VITPATCH_ALLOCATION_LIMIT": "1G,170k"]) { $1 })
        #expect(result.code == 0)
        let warnings = result.errors.split(separator: "\n").filter { $0.hasPrefix("Warning: ") }
        #expect(warnings.count == 1 && warnings[0].contains("device \(devices[1]) "), "\(result.errors)")
        #expect(try export(folder("out")) == whole)
    }

    /// The other device finishes its wave, and its results are kept.
    @Test func oneWithTooLittleMemory() throws {
        let options = small + ["--site", "resid_mid", "--tokens", "each"], devices = pocl(two)
        let whole = try sweep(options + one, out: folder("whole"))
        var limit = 100_000.0, errors = ""
        repeat {
            let result = try runVitpatch(
                ["sweep", "--overwrite", "--out", folder("out")] + options + both,
                environment: two.merging(["VITPATCH_ALLOCATION_LIMIT": "1G,\(Int(limit))"]) { $1 })
            errors = result.errors
            limit *= 0.9
        } while !errors.contains("the smallest wave") && limit > 10_000
        #expect(errors.contains("Error: device \(devices[1]) "), "\(errors)")
        #expect(try sweep(options + both + ["--resume"], out: folder("out")) == whole)
    }

    @Test func wrongDevices() throws {
        let twice = "\(one[1]),\(one[1])"
        for (command, device, words) in [
            ("sweep", twice, "twice"), ("classify", both[1], "only sweep"), ("bench", both[1], "only sweep"),
        ] {
            let result = try runVitpatch([command, "--device", device], environment: two)
            #expect(result.code == 64 && result.output == "")
            #expect(
                result.errors.hasPrefix("Error: --device \(device): ") && result.errors.contains(words),
                "\(result.errors)")
        }
        for device in ["\(one[1]),99", "\(one[1]),"] {
            try expectUsageError(["sweep", "--device", device], naming: ["no device matches"], environment: two)
        }
        // A string that occurs in both devices' names
        try expectUsageError(["classify", "--device", "pthread"], naming: ["names several devices"], environment: two)
        let kinds = ["POCL_DEVICES": "basic pthread"]
        let result = try runVitpatch(
            ["sweep", "--device", pocl(kinds).joined(separator: ","), "--out", folder("out")], environment: kinds)
        #expect(result.code == 64 && result.errors.contains("not of one kind"), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder("out")))
    }

    @Test func bothAreInTheProfile() throws {
        let options = small + ["--memory", "350k", "--profile", folder("trace.json")]
        let result = try runVitpatch(["sweep", "--out", folder("out")] + options + both, environment: two)
        for index in pocl(two) { #expect(result.errors.contains("Device \(index) ("), "\(result.errors)") }
        let trace = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: folder("trace.json"))))
        let events = try #require((trace as? [String: Any])?["traceEvents"] as? [[String: Any]])
        #expect(Set(events.filter { $0["ph"] as? String == "X" }.compactMap { $0["pid"] as? Int }) == [1, 2, 3])
    }
}
