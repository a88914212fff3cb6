import Foundation
import TestSupport
import Testing

/// Outputs replace neither stores nor inputs, and a failed output leaves the existing file unchanged.
struct OutputTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func names(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    @Test func exportIsCSVUnlessItIsSaid() throws {
        let csv = try sweep(["--limit", "2"], out: folder("out"))
        let result = try runVitpatch(["export", folder("out")])
        #expect(result.code == 0 && result.output == csv)
    }

    @Test func noOutputReplacesAStore() throws {
        let csv = try sweep(["--limit", "2"], out: folder("out")), store = folder("out/results.sqlite")
        try FileManager.default.createSymbolicLink(atPath: folder("link"), withDestinationPath: store)
        for target in [store, folder("link")] {
            for format in ["csv", "jsonl", "npz"] {
                try expectFailure(["export", folder("out"), "--format", format, "--to", target], naming: [target])
            }
            for out in ["out", "new"] {
                try expectFailure(
                    ["sweep", "--limit", "1", "--overwrite", "--out", folder(out), "--profile", target],
                    naming: [target])
            }
            try expectFailure(["classify", "--limit", "1", "--profile", target], naming: [target])
        }
        // The store that the sweep itself is about to create
        try expectFailure(
            ["sweep", "--limit", "1", "--out", folder("new"), "--profile", folder("new/results.sqlite")],
            naming: ["new/results.sqlite"])
        #expect(try export(folder("out")) == csv && names(folder("out")) == ["results.sqlite"])
        #expect(!FileManager.default.fileExists(atPath: folder("new")))
    }

    @Test func noOutputReplacesAnInput() throws {
        let model = try folder.model(), data = try folder.images()
        let config = try Data(contentsOf: URL(fileURLWithPath: folder("model/config.json")))
        for target in [folder("model/config.json"), folder("data/ash/0.png")] {
            for command in [["sweep", "--out", folder("out")], ["classify"]] {
                try expectFailure(
                    command + ["--model", model, "--data", data, "--profile", target], naming: [target])
            }
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder("model/config.json"))) == config)
    }

    @Test(arguments: ["mask:missing.png", "pair:missing", "shuffle:100"])
    func aCorruptionThatCannotBeMade(corruption: String) throws {
        let csv = try sweep(["--limit", "2"], out: folder("old"))
        for (out, option) in [("old", "--overwrite"), ("new", "--limit=9")] {
            try expectFailure(
                ["sweep", "--limit", "3", "--out", folder(out), option, "--corruption", corruption], naming: [])
        }
        #expect(try export(folder("old")) == csv)
        // No folder was left to block the corrected command.
        #expect(!FileManager.default.fileExists(atPath: folder("new")))
    }

    @Test func anImageThatCannotBeRead() throws {
        let model = try folder.model(), data = try folder.images(count: 1)
        let options = ["--model", model, "--data", data, "--site", "resid_pre"]
        let csv = try sweep(options, out: folder("old"))
        try folder.write("data/ash/0.png", Data("no picture".utf8))
        try expectFailure(["sweep", "--overwrite", "--out", folder("old")] + options, naming: ["ash/0.png"])
        #expect(try export(folder("old")) == csv && names(folder("old")) == ["results.sqlite"])
    }

    @Test func aFolderThatIsRemovedIsMissed() throws {
        let program = try RunningProgram(
            vitpatch,
            ["sweep", "--site", "resid_mid", "--tokens", "cls,patches", "--memory", "8M", "--out", folder("out")])
        try waitForAWave(in: folder("out"), of: program)
        try FileManager.default.removeItem(atPath: folder("out"))
        let result = try program.wait()
        #expect(result.code == 1, "\(result.errors)")
        #expect(
            result.errors
                == "Error: \(folder("out"))/results.sqlite was removed or replaced while it was written, and its results with it\n"
        )
    }

    @Test func aFIFOIsNoStoreAndNoInput() throws {
        try FileManager.default.createDirectory(atPath: folder("e"), withIntermediateDirectories: true)
        for name in ["e/results.sqlite", "groups.csv"] { #expect(mkfifo(folder(name), 0o600) == 0) }
        for command in [["summary"], ["export"], ["report"], ["merge", "--out", folder("out")]] {
            try expectFailure(command + [folder("e")], naming: [folder("e/results.sqlite")])
        }
        for option in ["--overwrite", "--resume"] {
            try expectFailure(["sweep", "--limit", "1", "--out", folder("e"), option], naming: ["e/results.sqlite"])
        }
        try expectFailure(
            ["sweep", "--limit", "1", "--out", folder("out"), "--groups", folder("groups.csv")], naming: ["named pipe"])
    }

    @Test func aFileThatGetsTooLarge() throws {
        let csv = try sweep(["--limit", "8", "--site", "z"], out: folder("out"))
        try folder.write("target.csv", Data("old".utf8))
        let result = try run(
            shell,
            [
                "-c", "ulimit -f 8; exec \"$0\" export \"$1\" --to \"$2\"", vitpatch.path, folder("out"),
                folder("target.csv"),
            ])
        #expect(csv.utf8.count > 8192)
        #expect(result.code == 1 && result.errors.contains("(ulimit -f)"), "\(result.code): \(result.errors)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder("target.csv"))) == Data("old".utf8))
    }

    /// `classify` quotes fields as `export` does.
    @Test func classifyQuotesLineBreaks() throws {
        let model = try folder.model(), data = try folder.images(count: 1)
        let name = "data/ash/a\nb,\"c\".png"
        try folder.write(name, randomPNG(side: 12))
        let result = try runVitpatch(["classify", "--model", model, "--data", data])
        #expect(result.code == 0, "\(result.errors)")
        let table = try Table(result.output)
        #expect(table.rows.count == 6 && table["image"].contains("ash/a\nb,\"c\".png"))
        #expect(result.output.contains("\"ash/a\nb,\"\"c\"\".png\","))
    }
}
