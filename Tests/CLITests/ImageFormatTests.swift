import Foundation
import TestSupport
import Testing

/// Image formats, EXIF, unreadable images, and one data set in several layouts.
struct ImageFormatTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func images(_ path: String) throws -> Data {
        try Data(contentsOf: fixtures.appendingPathComponent("images/\(path)"))
    }

    private func classify(_ data: String, _ options: String...) throws -> VitpatchResult {
        let result = try runVitpatch(["classify", "--model", folder("model"), "--data", folder(data)] + options)
        try #require(result.code == 0, "\(result.errors)")
        return result
    }

    private func rows(_ result: VitpatchResult) throws -> [String] { try Table(result.output)["logit_0"] }

    @Test func everyFormatIsReadByItsContent() throws {
        _ = try folder.model()
        let files = ["lossless.webp", "palette.gif", "rgb.bmp", "rgb-raw.tiff"]
        for file in files { try folder.write("a/\(file)", images("formats/\(file)")) }
        // The same files under names that end in .png
        for (i, file) in files.enumerated() { try folder.write("b/\(i).png", images("formats/\(file)")) }
        let named = try rows(classify("a")), renamed = try rows(classify("b"))
        #expect(named.count == 4 && Set(named) == Set(renamed))
    }

    @Test func orientationIsAppliedWhereAskedForAndRecorded() throws {
        _ = try folder.model()
        try folder.write("data/6.jpg", images("formats/exif/6.jpg"))
        let plain = try rows(classify("data"))
        #expect(try rows(classify("data", "--exif", "ignore")) == plain)
        #expect(try rows(classify("data", "--exif", "apply")) != plain)
        let wrong = try runVitpatch(["classify", "--exif", "turn"])
        #expect(wrong.code == 64 && wrong.errors.contains("--exif turn is unknown; valid are ignore, apply"))
        let sweep = [
            "sweep", "--model", folder("model"), "--data", folder("data"), "--target", "clean", "--site", "embed",
            "--exif", "apply", "--out", folder("out"),
        ]
        #expect(try runVitpatch(sweep).code == 0)
        let resumed = try runVitpatch(sweep.map { $0 == "apply" ? "ignore" : $0 } + ["--resume"])
        #expect(resumed.code == 1 && resumed.errors.contains("exif"), "\(resumed.errors)")
    }

    @Test func wideGrayIsSaidOnce() throws {
        _ = try folder.model()
        for i in 0..<3 { try folder.write("data/\(i).tiff", images("formats/gray16.tiff")) }
        let errors = try classify("data").errors
        #expect(errors.components(separatedBy: "values above 255 are taken as 255").count == 2, "\(errors)")
    }

    @Test func meansAndSearchLeaveOutWhatCannotBeRead() throws {
        _ = try folder.model()
        let data = try folder.images(count: 3)
        try folder.write("data/\(tinyClasses[0])/1.png", Data("broken".utf8))
        let input = ["--model", folder("model"), "--data", data]
        for options in [["--corruption", "mean"], ["--ablate", "mean", "--corruption", "none"]] {
            let sweep = ["sweep"] + input + ["--site", "mlp_out", "--out", folder("out"), "--overwrite"] + options
            #expect(try runVitpatch(sweep).code == 1)
            let run = try runVitpatch(sweep + ["--skip-unreadable"])
            #expect(
                run.code == 0 && run.errors.contains("1 images could not be read and were left out"), "\(run.errors)")
            #expect(run.output.contains("left out      1 images that could not be read"), "\(run.output)")
            #expect(Set(try Table(export(folder("out")))["image"]).count == 14)
        }
        let search = ["search"] + input + ["--max", "1", "--format", "json"]
        // The image is held out, and is read even where the search takes no step.
        try expectFailure(search, naming: ["\(tinyClasses[0])/1.png cannot be decoded"])
        let found = try runVitpatch(search + ["--skip-unreadable"])
        // On random images the corruption may have no effect, which is another error.
        #expect(found.errors.contains("left out: "), "\(found.errors)")
        if found.code == 0 {
            #expect(found.errors.contains("1 images could not be read and were left out"), "\(found.errors)")
            #expect(found.output.contains("\"skipped\""))
        }
    }

    @Test func theSummaryShowsHowClassesWereMatched() throws {
        _ = try folder.model()
        let data = try folder.images(classes: tinyClasses.map { $0.uppercased() })
        let run = try runVitpatch([
            "sweep", "--model", folder("model"), "--data", data, "--site", "embed", "--out", folder("out"),
        ])
        #expect(run.output.contains("classes       'ASH' is 0 'ash'"), "\(run.output)")
        #expect(!run.output.contains("layer-stage evaluations"))
    }

    @Test func furtherColumnsOfACSVFileAreGroups() throws {
        _ = try folder.model()
        _ = try folder.images()
        let lines = tinyClasses.flatMap { name in
            (0..<2).map { "data/\(name)/\($0).png,\(name),\($0 == 0 ? "day" : "night")" }
        }
        try folder.write("data.csv", Data(("image,label,light\n" + lines.joined(separator: "\n") + "\n").utf8))
        let run = try runVitpatch([
            "sweep", "--model", folder("model"), "--data", folder("data.csv"), "--site", "embed", "--out",
            folder("out"), "--verbose",
        ])
        #expect(run.code == 0 && run.output.contains("by light"), "\(run.output) \(run.errors)")
        #expect(run.output.contains("layer-stage evaluations"))
    }

    @Test("CIFAR-10 as binary and python files, as class folders and as a CSV file gives the same export")
    func fourLayoutsOfOneDataSet() throws {
        _ = try folder.model()
        let records = Array(try images("cifar/10/expected.raw"))
        let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
        try folder.write("binary/test_batch.bin", Data(records))
        try folder.write("python/test_batch", images("cifar/10/test_batch"))
        var csv = "image,label\n", classes: Set<String> = []
        for i in 0..<3 {
            let record = Array(records[i * 3073..<(i + 1) * 3073]), name = names[Int(record[0])]
            let rgb = (0..<1024).flatMap { pixel in (0..<3).map { record[1 + $0 * 1024 + pixel] } }
            try folder.write("folders/\(name)/\(i).png", png(side: 32, rgb))
            csv += "folders/\(name)/\(i).png,\(name)\n"
            classes.insert(name)
        }
        try folder.write("data.csv", Data(csv.utf8))
        func map(_ file: String, _ folders: [String]) throws -> String {
            let lines = folders.map { "\($0),\($0 == "cat" ? 1 : $0 == "truck" ? 2 : 0)\n" }
            return try folder.write(file, Data(("folder,label\n" + lines.joined()).utf8))
        }
        let all = try map("all.csv", names), some = try map("some.csv", classes.sorted())
        var exports: [[[String]]] = []
        for (data, map) in [("binary", all), ("python", all), ("folders", some), ("data.csv", some)] {
            let text = try sweep(
                [
                    "--model", folder("model"), "--data", folder(data), "--class-map", map, "--site", "z", "--site",
                    "mlp_out",
                ], out: folder("out-\(data)"))
            let table = try Table(text)
            exports.append(
                table.rows.map { row in table.header.filter { $0 != "image" }.map { row[$0] ?? "" } }
                    .sorted { $0.joined(separator: ",") < $1.joined(separator: ",") })
        }
        #expect(exports[0].count > 20)
        for other in exports.dropFirst() { #expect(other == exports[0]) }
    }
}
