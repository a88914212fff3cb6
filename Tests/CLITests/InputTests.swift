import Foundation
import TestSupport
import Testing

/// CSV files, class maps, unlabelled images, unreadable images.
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

    // MARK: Foils from a column

    @Test func aColumnNamesTheFoils() throws {
        _ = try folder.model()
        let names = tinyClasses
        for i in 0..<3 { try folder.write("data/\(i).png", randomPNG(side: 12)) }
        func write(_ foils: [String]) throws {
            let rows = foils.enumerated().map { "data/\($0).png,\(names[$0]),\($1)\n" }
            try folder.write("data.csv", Data(("image,label,foil\n" + rows.joined()).utf8))
        }
        let sweep = [
            "sweep", "--model", folder("model"), "--data", folder("data.csv"), "--site", "embed", "--out",
            folder("out"),
        ]
        func foils(_ options: String...) throws -> [String] {
            let run = try runVitpatch(sweep + ["--overwrite"] + options)
            #expect(run.code == 0, "\(run.errors)")
            return try Table(export(folder("out")))["foil"]
        }
        try write(["", "", ""])
        let pooled = try foils()
        try write([names[4], "3", ""])
        #expect(try foils() == ["4", "3", pooled[2]])
        // Other foils make another sweep.
        try write([names[4], "2", ""])
        let resumed = try runVitpatch(sweep + ["--resume"])
        #expect(resumed.code == 1 && resumed.errors.contains("data is"), "\(resumed.errors)")
        // The option takes precedence over the column.
        #expect(try foils("--foil", "pooled") == pooled)
        try write(["", "cow", ""])
        let unknown = try runVitpatch(sweep + ["--overwrite"])
        #expect(
            unknown.code == 1
                && unknown.errors.contains(
                    "row 2 has 'cow' in the column foil, which is neither one of the model's labels"),
            "\(unknown.errors)")
        try write(["", "1", ""])
        let own = try runVitpatch(sweep + ["--overwrite"])
        #expect(own.code == 1 && own.errors.contains("the foil of data/1.png is its label"), "\(own.errors)")
    }

    // MARK: Deleted files

    private func unfinished(_ options: String...) throws -> [String] {
        _ = try folder.model()
        _ = try folder.images(count: 2)
        let sweep = [
            "sweep", "--model", folder("model"), "--data", folder("data"), "--site", "embed", "--out", folder("out"),
            "--corruption", "grayscale",
        ]
        // The last three of ten images are not done, because they cannot be read yet.
        for name in tinyClasses[2...] { try folder.write("data/\(name)/1.png", Data("broken".utf8)) }
        let run = try runVitpatch(sweep + options + ["--skip-unreadable"])
        #expect(run.code == 0, "\(run.errors)")
        for name in tinyClasses[2...] { try folder.write("data/\(name)/1.png", randomPNG(side: 12)) }
        return sweep + options
    }

    @Test func aSweepGoesOnAfterFilesWereDeleted() throws {
        let sweep = try unfinished()
        let before = try Table(export(folder("out"))).rows
        #expect(before.count == 7)
        let manager = FileManager.default
        // Delete one image that is done, of the first round, and one that is not.
        try manager.removeItem(atPath: folder("data/\(tinyClasses[0])/0.png"))
        try manager.removeItem(atPath: folder("data/\(tinyClasses[3])/1.png"))
        let resumed = try runVitpatch(sweep + ["--resume"])
        #expect(resumed.code == 0, "\(resumed.errors)")
        #expect(resumed.errors.contains("left out: \(tinyClasses[3])/1.png is gone since the sweep began"))
        #expect(!resumed.errors.contains("\(tinyClasses[0])/0.png"))
        #expect(resumed.output.contains("left out      1 images that could not be read"), "\(resumed.output)")
        let after = try Table(export(folder("out")))
        #expect(after.rows.count == 9 && Array(after.rows.prefix(7)) == before)
        #expect(!after["image"].contains("\(tinyClasses[3])/1.png"))
        // Restored, the image is done and no longer counted.
        try folder.write("data/\(tinyClasses[3])/1.png", randomPNG(side: 12))
        let again = try runVitpatch(sweep + ["--resume"])
        #expect(again.code == 0 && !again.output.contains("left out"), "\(again.output)\(again.errors)")
        #expect(try Table(export(folder("out"))).rows.count == 10)
        // A new file makes other data.
        try folder.write("data/\(tinyClasses[3])/2.png", randomPNG(side: 12))
        let other = try runVitpatch(sweep + ["--resume"])
        #expect(other.code == 1 && other.errors.contains("data is"), "\(other.errors)")
    }

    @Test func meansOfAllDataNeedAllOfIt() throws {
        let sweep = try unfinished("--patch-with", "mean")
        try FileManager.default.removeItem(atPath: folder("data/\(tinyClasses[3])/1.png"))
        let resumed = try runVitpatch(sweep + ["--resume"])
        #expect(resumed.code == 1, "\(resumed.errors)")
        #expect(
            resumed.errors.contains("are gone since the sweep began, and --patch-with mean is made of all of them"),
            "\(resumed.errors)")
    }

    @Test func filesThatACSVFileListsMayBeMissing() throws {
        _ = try folder.model()
        for i in [0, 2] { try folder.write("data/\(i).png", randomPNG(side: 12)) }
        let rows = (0..<3).map { "data/\($0).png,\(tinyClasses[$0])\n" }.joined()
        try folder.write("data.csv", Data(("image,label\n" + rows).utf8))
        let refused = try classify("--data", folder("data.csv"))
        #expect(refused.code == 1 && refused.errors.contains("data/1.png"), "\(refused.errors)")
        let run = try classify("--data", folder("data.csv"), "--skip-unreadable")
        #expect(run.code == 0 && run.errors.contains("1 images could not be read"), "\(run.errors)")
        #expect(try Table(run.output)["image"] == ["data/0.png", "data/2.png"])
    }

    /// The noise's standard deviation is computed over the readable images.
    @Test func noiseOfAllDataLeavesOutWhatCannotBeRead() throws {
        _ = try folder.model()
        let data = try folder.images(count: 4)
        let sweep = [
            "sweep", "--model", folder("model"), "--site", "embed", "--out", folder("out"), "--overwrite",
            "--corruption", "noise:1", "--noise-sd", "data", "--data",
        ]
        try folder.write("data/\(tinyClasses[0])/1.png", Data("broken".utf8))
        #expect(try runVitpatch(sweep + [data]).code == 1)
        let run = try runVitpatch(sweep + [data, "--skip-unreadable"])
        #expect(run.code == 0 && run.errors.contains("1 images could not be read"), "\(run.errors)")
        let broken = try Table(export(folder("out")))
        try FileManager.default.removeItem(atPath: folder("data/\(tinyClasses[0])/1.png"))
        #expect(try runVitpatch(sweep + [data]).code == 0)
        let whole = try Table(export(folder("out")))
        #expect(broken["image"].sorted() == whole["image"].sorted())
        let pairs = Dictionary(uniqueKeysWithValues: zip(whole["image"], whole["p_corrupted"]))
        #expect(zip(broken["image"], broken["p_corrupted"]).allSatisfy { pairs[$0] == $1 })
    }

    @Test func leftOutImagesAreCountedOnceOverShards() throws {
        _ = try folder.model()
        let data = try folder.images(count: 2)
        try folder.write("data/\(tinyClasses[1])/1.png", Data("broken".utf8))
        for shard in 0..<2 {
            // Means are over all data, so both shards read the broken image.
            let run = try runVitpatch([
                "sweep", "--model", folder("model"), "--data", data, "--site", "mlp_out", "--patch-with", "mean",
                "--shard", "\(shard)/2", "--out", folder("out\(shard)"), "--skip-unreadable",
            ])
            #expect(run.code == 0, "\(run.errors)")
        }
        let merged = try runVitpatch(["merge", folder("out0"), folder("out1"), "--out", folder("merged")])
        #expect(merged.code == 0, "\(merged.errors)")
        let summary = try runVitpatch(["summary", folder("merged")])
        #expect(summary.output.contains("left out      1 images that could not be read"), "\(summary.output)")
    }
}
