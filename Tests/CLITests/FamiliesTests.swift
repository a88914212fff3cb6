import Foundation
import TestSupport
import Testing

/// Models of other families, run through the command line.
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
        // Only the three registers after the last layer: the classifier reads CLS and the patches.
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
        #expect(refused.errors.contains("the model has no CLS token; the tokens before its patches are none"))
    }

    // MARK: Class texts, other image sizes

    private func texts(_ model: String) -> String {
        Fixture.directory("families/\(model)").appendingPathComponent("classes.safetensors").path
    }

    @Test(arguments: ["clip-zero-shot", "siglip-zero-shot"])
    func textsAreTheClasses(_ model: String) throws {
        let run = try sweep(model, "--classes", texts(model), "--site", "z", "--layers", "0")
        #expect(run.code == 0, "\(run.errors)")
        let inspected = try runVitpatch(
            ["inspect", Fixture.directory("families/\(model)").path, "--classes", texts(model)])
        #expect(inspected.code == 0, "\(inspected.errors)")
        #expect(inspected.output.contains("compared with texts"))
        #expect(inspected.output.contains("5: ash, birch, cedar, dogwood, elm"))
        // A donor is run with the same texts.
        let donor = try sweep(
            model, "--classes", texts(model), "--site", "z", "--layers", "0", "--donor",
            Fixture.directory("families/\(model)").path)
        #expect(donor.code == 0, "\(donor.errors)")
        #expect(try !Table(export(folder("out")))["p_donor"].contains(""))
        #expect(try sweep(model, "--classes", texts(model), "--site", "z", "--layers", "0").code == 0)
        // Other texts make another sweep.
        var other = try Data(contentsOf: URL(fileURLWithPath: texts(model)))
        other[other.count - 2] ^= 1
        try folder.write("other.safetensors", other)
        let resumed = try runVitpatch([
            "sweep", "--model", Fixture.directory("families/\(model)").path, "--data", folder("data"), "--out",
            folder("out"), "--resume", "--site", "z", "--layers", "0", "--classes", folder("other.safetensors"),
        ])
        #expect(resumed.code == 1 && resumed.errors.contains("model is"), "\(resumed.errors)")
    }

    @Test func errorsOfTextsNameTheCause() throws {
        let missing = try sweep("clip-zero-shot")
        #expect(missing.code == 1, "\(missing.errors)")
        #expect(
            missing.errors.contains(
                "the checkpoint has no classification head; vitpatch reads CLIPForImageClassification and, with --classes FILE, a whole CLIP model"
            ), "\(missing.errors)")
        let other = try sweep("deit", "--classes", texts("clip-zero-shot"))
        #expect(other.code == 1)
        #expect(other.errors.contains("texts for classes are for CLIP and SigLIP;"), "\(other.errors)")
        let head = try sweep("clip", "--classes", texts("clip-zero-shot"))
        #expect(head.code == 1)
        #expect(head.errors.contains("the weights have no visual_projection.weight"), "\(head.errors)")
        let pool = try sweep("siglip", "--classes", texts("siglip-zero-shot"))
        #expect(pool.code == 1)
        #expect(pool.errors.contains("for a SiglipModel with its pooling head"), "\(pool.errors)")
        let width = try sweep("clip-zero-shot", "--classes", texts("siglip-zero-shot"))
        #expect(width.code == 1)
        #expect(width.errors.contains("texts have 16 values, but the model's images have 10"), "\(width.errors)")
        let demo = try runVitpatch(["classify", "--classes", texts("clip-zero-shot")])
        #expect(demo.code == 64 && demo.errors.contains("--classes goes with --model"))
    }

    @Test func anotherImageSizeIsKept() throws {
        let run = try sweep("dinov2", "--image-size", "20", "--site", "resid_post", "--tokens", "each", "--layers", "0")
        #expect(run.code == 0, "\(run.errors)")
        #expect(Set(try Table(export(folder("out")))["token"]).count == 26)
        let arguments = [
            "sweep", "--model", Fixture.directory("families/dinov2").path, "--data", folder("data"), "--out",
            folder("out"), "--resume", "--site", "resid_post", "--layers", "0", "--tokens",
        ]
        let again = try runVitpatch(arguments + ["each", "--image-size", "20"])
        #expect(again.code == 0, "\(again.errors)")
        let other = try runVitpatch(arguments + ["each"])
        #expect(other.code == 1 && other.errors.contains("image-size is 20 there and not set now"), "\(other.errors)")
        let own = try runVitpatch([
            "sweep", "--model", Fixture.directory("families/dinov2").path, "--data", folder("data"), "--out",
            folder("own"), "--site", "resid_post", "--layers", "0", "--tokens", "all",
        ])
        #expect(own.code == 0, "\(own.errors)")
        let compared = try runVitpatch(["compare", folder("out"), folder("own")])
        #expect(compared.errors.contains("image-size is 20 in A and the model's in B"), "\(compared.errors)")
        let report = try runVitpatch(["report", folder("out")])
        #expect(report.code == 0 && !report.errors.contains("pictures"), "\(report.errors)")
        let demo = try runVitpatch(["classify", "--image-size", "20"])
        #expect(demo.code == 64 && demo.errors.contains("--image-size goes with --model"))
        let small = try sweep("dinov2", "--image-size", "3")
        #expect(
            small.code == 1 && small.errors.contains("image_size 3 is smaller than patch_size 4"), "\(small.errors)")
    }

    /// A grid of 3 x 4 patches
    @Test func imagesNeedNotBeSquare() throws {
        let run = try sweep(
            "vit-wide", "--site", "resid_post", "--layers", "0", "--tokens", "each,0:3x3:4", "--corruption", "mask:0.5",
            "--report")
        #expect(run.code == 0, "\(run.errors)")
        let tokens = try Set(Table(export(folder("out")))["token"])
        #expect(tokens.count == 14 && tokens.contains("0:3x3:4"))
        let refused = try sweep("vit-wide", "--site", "resid_post", "--tokens", "0:4x0:3")
        #expect(refused.code == 64 && refused.errors.contains("3 x 4 patch grid"), "\(refused.errors)")
        let inspected = try runVitpatch(["inspect", Fixture.directory("families/vit-wide").path])
        #expect(inspected.output.contains("21 x 13 pixels, patches of 5 x 4: 13 tokens"), "\(inspected.output)")
        let size = try sweep("dinov2", "--image-size", "8x20", "--site", "embed")
        #expect(size.code == 0, "\(size.errors)")
    }
}
