import Foundation
import TestSupport
import Testing

struct ReportTests {
    let folder: TemporaryFolder
    let model: String
    let data: String

    init() throws {
        folder = try TemporaryFolder()
        model = try folder.model()
        data = try folder.images(count: 3)
    }

    private func report(_ arguments: [String] = []) throws -> (result: VitpatchResult, html: String) {
        let result = try runVitpatch(["report", folder("out")] + arguments)
        return (result, (try? String(contentsOfFile: folder("out") + "/report.html", encoding: .utf8)) ?? "")
    }

    private func pictures(_ html: String) -> Int { html.components(separatedBy: "src=\"data:image/png").count - 1 }

    /// From a model's folder to the figures with one command.
    @Test func aSweepWritesItToo() throws {
        _ = try sweep(["--model", model, "--data", data, "--report"], out: folder("out"))
        let own = try String(contentsOfFile: folder("out") + "/report.html", encoding: .utf8)
        let figures = try FileManager.default.contentsOfDirectory(atPath: folder("out") + "/figures")
        #expect(figures.contains { $0.hasSuffix(".svg") })
        #expect(try report().html == own)
    }

    /// Pictures for data that was moved, and for data that was changed.
    @Test func picturesFollowTheData() throws {
        _ = try sweep(["--model", model, "--data", data, "--corruption", "grayscale"], out: folder("out"))
        let first = try report()
        #expect(first.result.code == 0 && !first.result.errors.contains("Warning"), "\(first.result.errors)")
        let count = pictures(first.html)
        #expect(count >= 6 && count % 2 == 0)

        let moved = folder("moved")
        try FileManager.default.moveItem(atPath: data, toPath: moved)
        let gone = try report()
        #expect(gone.result.code == 0 && pictures(gone.html) == 0)
        #expect(
            gone.result.errors.contains(
                "Warning: The report has no pictures: \(data): there is no such file or folder."))
        #expect(try report(["--data", moved]).html == first.html)

        try FileManager.default.removeItem(atPath: moved + "/ash/0.png")
        let changed = try report(["--data", moved])
        #expect(changed.result.code == 1 && changed.result.errors.contains("\(moved) is not what the sweep read"))
    }

    @Test func optionsOfReportAndSummary() throws {
        _ = try sweep(["--model", model, "--data", data, "--site", "z"], out: folder("out"))
        #expect(try report(["--images", "0"]).html.contains("id=\"cells\"") == false)
        let cells = try report(["--images", "2"]).html.components(separatedBy: "id=\"cells\"")
        #expect(cells.count == 2 && cells[1].contains("data:image/png;base64,"))
        #expect(try report(["--images", "101"]).result.code == 64)
        func summary(_ arguments: String...) throws -> VitpatchResult {
            try runVitpatch(["summary", folder("out")] + arguments)
        }
        let list = try summary("--top", "2", "--metric", "log_odds")
        #expect(list.code == 0 && list.output.contains("mean log-odds, patched - corrupted; the strongest 2 of"))
        #expect(try summary("--top", "3", "--format", "csv").output.split(separator: "\n").count == 4)
        for (arguments, message) in [
            (["--site", "q"], "--site q: the sweep has z"), (["--top", "0"], "--top 0: expected at least 1"),
            (["--metric", "x"], "--metric x is unknown; valid are p, log_odds, logit_diff, kl"),
            (["--sort", "x"], "--sort x is unknown; valid are size, effect, positive, place"),
            (["--by", "class", "--top", "2"], "--top does not go with --by"),
        ] {
            let refused = try runVitpatch(["summary", folder("out")] + arguments)
            #expect(refused.code == 64 && refused.errors.contains(message), "\(refused.errors)")
        }
    }

    /// A mask is shown as the model's input, noise in words.
    @Test func corruptionsAsPictures() throws {
        _ = try sweep(
            ["--model", model, "--data", data, "--corruption", "mask:0.5", "--corruption", "noise:1", "--limit", "3"],
            out: folder("out"))
        let html = try report().html
        #expect(html.contains("as the model reads it") && html.contains("Noise is added to the patch embeddings"))
        #expect(pictures(html) == 3 * 2 + 3)
    }
}
