import Foundation
import TestSupport
import Testing

/// `--profile`: the trace file, and the table on standard error.
struct ProfileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: ["packed", "clblast"])
    func aSweep(_ gemm: String) throws {
        let trace = folder("trace.json"), start = Date()
        let result = try runVitpatch([
            "sweep", "--limit", "3", "--site", "resid_mid", "--memory", "4M", "--gemm", gemm, "--profile", trace,
            "--out",
            folder("out"),
        ])
        let wall = Date().timeIntervalSince(start) * 1e6
        #expect(result.code == 0, "\(result.errors)")
        let stages = ["embed", "attention", "mlp", "resid swaps", "classifier", "metrics"]
        for words in stages + ["gemm_packed", "The device was busy"] where words != "gemm_packed" || gemm == "packed" {
            #expect(result.errors.contains(words), "\(result.errors)")
        }
        #expect(result.errors.contains("clblast_sgemm") == (gemm == "clblast"))
        // The results equal those without `--profile`.
        let plain = try sweep(
            ["--limit", "3", "--site", "resid_mid", "--memory", "4M", "--gemm", gemm], out: folder("plain"))
        #expect(try export(folder("out")) == plain)

        let events = try events(trace)
        func track(_ process: Int, _ thread: Int) -> [[String: Any]] {
            events.filter { $0["pid"] as? Int == process && $0["tid"] as? Int == thread && $0["ph"] as? String == "X" }
        }
        let names = Set(track(2, 0).compactMap { $0["name"] as? String })
        #expect(
            names.isSuperset(of: ["embed", "attention 0", "mlp 5", "resid_mid 2", "classifier", "metrics"]), "\(names)")
        let layers = track(2, 0).filter { $0["name"] as? String == "attention 0" }.count
        #expect(layers > 0 && layers == track(2, 0).filter { $0["name"] as? String == "metrics" }.count)
        #expect(track(1, 0).count == layers && track(1, 1).count == layers)
        for (process, thread) in [(2, 0), (2, 1), (1, 0), (1, 1)] {
            let spans = try track(process, thread).map { event in
                (start: try #require(event["ts"] as? Double), length: try #require(event["dur"] as? Double))
            }
            #expect(spans.reduce(0) { $0 + $1.length } < wall)
            for (a, b) in zip(spans, spans.dropFirst()) { #expect(a.start + a.length <= b.start + 0.01) }
            for span in spans { #expect(span.start >= 0 && span.length >= 0 && span.start + span.length < wall) }
        }
    }

    @Test func aClassification() throws {
        let result = try runVitpatch(["classify", "--limit", "3", "--profile", folder("trace.json")])
        #expect(result.code == 0 && result.errors.contains("attention"), "\(result.errors)")
        #expect(try events(folder("trace.json")).contains { $0["name"] as? String == "classifier" })
        #expect(try Table(result.output).rows.count == 3)
    }

    @Test func aFileThatCannotBeWritten() throws {
        try expectFailure(
            ["sweep", "--limit", "1", "--profile", folder("nosuch/trace.json"), "--out", folder("out")],
            naming: [folder("nosuch/trace.json")])
        #expect(!FileManager.default.fileExists(atPath: folder("out")))
    }

    private func events(_ path: String) throws -> [[String: Any]] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        return try #require(object["traceEvents"] as? [[String: Any]])
    }
}
