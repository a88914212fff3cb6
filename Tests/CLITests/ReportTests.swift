import Foundation
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

    /// From a model's folder to the figures in one command.
    @Test func aSweepWritesItToo() throws {
        _ = try sweep(["--model", model, "--data", data, "--report"], out: folder("out"))
        let own = try String(contentsOfFile: folder("out") + "/report.html", encoding: .utf8)
        let figures = try FileManager.default.contentsOfDirectory(atPath: folder("out") + "/figures")
        #expect(figures.contains { $0.hasSuffix(".svg") })
        #expect(try report().html == own)
    }

    /// The data that the store names, moved, and changed.
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
        #expect(gone.result.errors.contains("Warning: The report has no pictures: \(data): there is no such folder."))
        #expect(try report(["--data", moved]).html == first.html)

        try FileManager.default.removeItem(atPath: moved + "/ash/0.png")
        let changed = try report(["--data", moved])
        #expect(changed.result.code == 1 && changed.result.errors.contains("\(moved) is not what the sweep read"))
    }

    /// A mask is shown as the model reads it, noise in words.
    @Test func corruptionsAsPictures() throws {
        _ = try sweep(
            ["--model", model, "--data", data, "--corruption", "mask:0.5", "--corruption", "noise:1", "--limit", "3"],
            out: folder("out"))
        let html = try report().html
        #expect(html.contains("as the model reads it") && html.contains("Noise is added to the patch embeddings"))
        #expect(pictures(html) == 3 * 2 + 3)
    }
}
