import Foundation
import TestSupport
import Testing

/// Models of other families, through the program.
struct FamiliesTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func sweep(_ model: String, _ options: String...) throws -> VitpatchResult {
        for i in 0..<4 { try folder.write("data/\(i % 2 == 0 ? "ash" : "elm")/\(i).png", randomPNG(side: 12)) }
        return try runVitpatch(
            [
                "sweep", "--model", Fixture.directory("families/\(model)").path, "--data", folder("data"), "--out",
                folder("out"), "--overwrite",
            ] + options)
    }

    @Test func tableOfFamilies() throws {
        let result = try runVitpatch(["inspect", "--families"])
        #expect(result.code == 0 && result.output.contains("Dinov2WithRegistersForImageClassification"))
    }

    @Test func namedTokensAndTheirMaps() throws {
        let run = try sweep(
            "dinov2-registers", "--site", "resid_post", "--tokens", "each", "--report", "--direction", "restore")
        #expect(run.code == 0, "\(run.errors)")
        // The three registers after the last layer, and nothing else: the classifier reads CLS and the patches.
        let summary = try runVitpatch(["summary", folder("out")])
        #expect(summary.output.contains("3 places recover everything or nothing by construction"), "\(summary.output)")
        let html = try String(contentsOfFile: folder("out/report.html"), encoding: .utf8)
        #expect(html.contains("Effect on p by image patch"))
        let named = try sweep("dinov2-registers", "--site", "z", "--tokens", "cls,registers,patches")
        #expect(named.code == 0, "\(named.errors)")
        #expect(Set(try Table(export(folder("out")))["token"]) == ["cls", "registers", "patches"])
    }

    @Test func absentTokensAreRefused() throws {
        let refused = try sweep("siglip", "--site", "z", "--tokens", "cls")
        #expect(refused.code == 64)
        #expect(refused.errors.contains("the model has no CLS token; in front of its patches stand no tokens"))
    }
}
