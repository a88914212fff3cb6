import Foundation
import Testing

/// CSV files, class maps, images without labels, images that cannot be read.
struct InputTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func classify(_ options: String...) throws -> VitpatchResult {
        try runVitpatch(["classify", "--model", folder("model")] + options)
    }

    @Test func csvAndImagesWithoutLabels() throws {
        _ = try folder.model()
        for i in 0..<3 { try folder.write("data/\(i).png", randomPNG(side: 12)) }
        let flat = try classify("--data", folder("data"))
        #expect(flat.code == 0 && !flat.errors.contains("accuracy"), "\(flat.errors)")
        #expect(try Table(flat.output)["label"] == ["", "", ""])
        try folder.write("data.csv", Data("image,label\ndata/2.png,\(tinyClasses[1])\ndata/0.png,3\n".utf8))
        let csv = try classify("--data", folder("data.csv"))
        #expect(csv.code == 0, "\(csv.errors)")
        #expect(try Table(csv.output)["image"] == ["data/2.png", "data/0.png"])
        #expect(try Table(csv.output)["label"] == ["1", "3"])
        let sweep = ["sweep", "--model", folder("model"), "--data", folder("data"), "--out", folder("out")]
        let refused = try runVitpatch(sweep)
        #expect(refused.code == 64 && refused.errors.contains("has images without labels; --target clean"))
        let run = try runVitpatch(sweep + ["--target", "clean"])
        #expect(run.code == 0, "\(run.errors)")
        #expect(Set(try Table(export(folder("out")))["label"]) == [""])
    }

    @Test func classMap() throws {
        _ = try folder.model()
        for name in ["snow", "coal"] { try folder.write("data/\(name)/1.png", randomPNG(side: 12)) }
        let refused = try classify("--data", folder("data"))
        #expect(refused.code != 0 && refused.errors.contains("'coal', 'snow'"), "\(refused.errors)")
        try folder.write("map.csv", Data("folder,label\nsnow,4\ncoal,\(tinyClasses[2])\n".utf8))
        let mapped = try classify("--data", folder("data"), "--class-map", folder("map.csv"))
        #expect(try Table(mapped.output)["label"] == ["2", "4"])
        #expect(mapped.errors.contains("'coal' is 2 '\(tinyClasses[2])', 'snow' is 4"))
    }

    @Test func imagesThatCannotBeReadAreLeftOutWhereAsked() throws {
        _ = try folder.model()
        for (i, name) in tinyClasses.enumerated() {
            try folder.write("data/\(name)/1.png", i == 1 ? Data("broken".utf8) : randomPNG(side: 12))
        }
        let id = "\(tinyClasses[1])/1.png"
        let sweep = [
            "sweep", "--model", folder("model"), "--data", folder("data"), "--site", "embed", "--out", folder("out"),
        ]
        let stopped = try runVitpatch(sweep)
        #expect(stopped.code == 1 && stopped.errors.contains(id))
        let run = try runVitpatch(sweep + ["--overwrite", "--skip-unreadable"])
        #expect(run.code == 0 && run.errors.contains("left out: ") && run.errors.contains(id), "\(run.errors)")
        #expect(run.errors.contains("1 images could not be read and were left out"))
        let images = try Table(export(folder("out")))["image"]
        #expect(images == tinyClasses.filter { $0 != tinyClasses[1] }.map { "\($0)/1.png" })
        #expect(try Table(classify("--data", folder("data"), "--skip-unreadable").output)["image"] == images)
    }

    @Test func resizingIsRecordedAndDecidesTheBytes() throws {
        _ = try folder.model()
        for name in tinyClasses { try folder.write("data/\(name)/1.png", randomPNG(side: 40)) }
        let pillow = try classify("--data", folder("data"), "--resize", "pillow")
        #expect(try classify("--data", folder("data")).output == pillow.output)
        #expect(try classify("--data", folder("data"), "--resize", "torchvision").code == 0)
        let wrong = try classify("--data", folder("data"), "--resize", "opencv")
        #expect(wrong.code == 64 && wrong.errors.contains("--resize opencv is unknown; valid are pillow, torchvision"))
    }
}
