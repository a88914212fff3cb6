import Foundation
import TestSupport
import Testing

/// Missing or broken models and data: exit code 1 and one sentence that names the file or tensor.
struct BadInputTests {
    let folder: TemporaryFolder
    let model, data: String

    init() throws {
        folder = try TemporaryFolder()
        model = try folder.model()
        data = try folder.images(count: 1)
    }

    private func expect(_ words: String..., options: [String] = [], sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        for command in ["sweep", "classify"] {
            try expectFailure(
                [command, "--model", model, "--data", data] + (command == "sweep" ? ["--out", folder("out")] : [])
                    + options,
                naming: words, sourceLocation: sourceLocation)
        }
        // A sweep that cannot start leaves nothing behind.
        #expect(!FileManager.default.fileExists(atPath: folder("out")), sourceLocation: sourceLocation)
    }

    @Test func aMissingModelFolder() throws {
        try FileManager.default.removeItem(atPath: model)
        try expect(model, "no such folder")
    }

    @Test(arguments: ["config.json", "model.safetensors"])
    func aMissingFile(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(model)/\(name)")
        try expect(name)
    }

    @Test(arguments: ["", "{", "[1]", "\u{0}\u{1}"])
    func aCorruptConfig(_ text: String) throws {
        try folder.write("model/config.json", Data(text.utf8))
        try expect("config.json")
    }

    @Test func anUnknownActivation() throws {
        try folder.edit("model/config.json", "\"gelu\"", "\"sigmoid\"")
        try expect("config.json", "hidden_act", "\"sigmoid\"", "gelu_new")
    }

    @Test func headsThatDoNotDivideTheWidth() throws {
        try folder.edit("model/config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 3")
        try expect("config.json", "num_attention_heads 3")
    }

    @Test func aTensorOfAnotherShape() throws {
        try folder.edit("model/config.json", "\"intermediate_size\": 29", "\"intermediate_size\": 30")
        try expect("model.safetensors", "intermediate.dense", "[30, 14]", "[29, 14]")
    }

    @Test(arguments: [Float.nan, .infinity])
    func aWeightThatIsNoNumber(_ value: Float) throws {
        let file = URL(fileURLWithPath: "\(model)/model.safetensors")
        var bytes = try Data(contentsOf: file)
        let headerBytes = Int(bytes[0]) | Int(bytes[1]) << 8
        let header = try #require(
            try JSONSerialization.jsonObject(with: bytes[8..<8 + headerBytes]) as? [String: [String: Any]])
        let name = "vit.encoder.layer.1.output.dense.weight"
        let offsets = try #require(header[name]?["data_offsets"] as? [Int])
        let place = 8 + headerBytes + offsets[0] + 12
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.replaceSubrange(place..<place + 4, with: $0) }
        try bytes.write(to: file)
        try expect("model.safetensors", name, "index 3")
    }

    @Test(arguments: [0, 4, 8, 500, 20_000])
    func aTruncatedFile(_ count: Int) throws {
        let file = URL(fileURLWithPath: "\(model)/model.safetensors")
        try Data(contentsOf: file).prefix(count).write(to: file)
        try expect("model.safetensors")
    }

    @Test func onlyColourImagesAreRead() throws {
        try folder.edit("model/config.json", "\"num_channels\": 3", "\"num_channels\": 1")
        try expect("config.json", "num_channels is 1, expected 3")
    }

    /// A broken link, as in a damaged cache of the Hugging Face Hub
    @Test func aPreprocessorThatIsALinkToNothing() throws {
        let path = "\(model)/preprocessor_config.json"
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "../blobs/gone")
        try expect("preprocessor_config.json", "symbolic link to ../blobs/gone, which does not exist")
    }

    @Test func withoutAPreprocessorTheDefaultsAreSaid() throws {
        try FileManager.default.removeItem(atPath: "\(model)/preprocessor_config.json")
        for command in [["classify"], ["sweep", "--out", folder("out")]] {
            let result = try runVitpatch(command + ["--model", model, "--data", data])
            #expect(result.code == 0)
            #expect(
                result.errors.contains(
                    "Warning: model has no preprocessor_config.json, so images are resized to 12 x 12 pixels")
                    && result.errors.contains("mean 0.5"), "\(result.errors)")
        }
    }

    /// Named pipes, sockets and devices are refused without opening them, so nothing waits for a writer.
    @Test func specialFilesAreNotOpened() throws {
        try FileManager.default.createDirectory(atPath: folder("pipes"), withIntermediateDirectories: true)
        for name in ["pipes/results.sqlite", "pipe"] { #expect(mkfifo(folder(name), 0o600) == 0) }
        let options = ["--model", model, "--data", data, "--out", folder("out")]
        for command in [
            ["summary", folder("pipes")], ["export", folder("pipes"), "--format", "csv"], ["report", folder("pipes")],
            ["compare", folder("pipes"), folder("pipes")], ["merge", folder("pipes"), "--out", folder("out")],
            ["sweep", "--groups", folder("pipe")] + options, ["sweep", "--spec", folder("pipe")] + options,
            ["bench", "--compare", folder("pipe")],
        ] {
            try expectFailure(command, naming: ["it is a named pipe, not a regular file"])
        }
        try expectFailure(["sweep", "--groups", "/dev/zero"] + options, naming: ["/dev/zero", "it is a device"])
        #expect(!FileManager.default.fileExists(atPath: folder("out")))
    }

    @Test(arguments: [
        ("5", ["summary", "x"], "the limit of open files is 5"), ("5", ["sweep"], "the limit of open files is 5"),
        ("8", ["sweep", "--out", "/tmp/vitpatch-never"], "the limit of a file's size is 8 KiB"),
        ("8", ["classify"], "the limit of a file's size is 8 KiB"),
    ])
    func littleIsAllowed(_ limit: String, _ arguments: [String], _ words: String) throws {
        let option = words.contains("open files") ? "-n" : "-f"
        let result = try run(
            URL(fileURLWithPath: "/bin/bash"),
            ["-c", "ulimit \(option) \(limit); exec \"$@\"", "bash", vitpatch.path] + arguments)
        #expect(result.code == 1 && result.output == "")
        #expect(result.errors.hasPrefix("Error: \(words)"), "\(result.errors)")
    }

    @Test func aBrokenPreprocessor() throws {
        try folder.write("model/preprocessor_config.json", Data(#"{"size": "x"}"#.utf8))
        try expect("preprocessor_config.json", "size")
    }

    @Test func dataThatIsMissingOrEmpty() throws {
        try FileManager.default.removeItem(atPath: data)
        try expect(data, "no such file or folder")
        try folder.write("data/readme.txt", Data("x".utf8))
        try expect(data, "neither class subfolders")
        try folder.write("data/ash/readme.txt", Data("x".utf8))
        try expect("\(data)/ash", "holds no image")
    }

    @Test func classNamesThatDoNotMatch() throws {
        try FileManager.default.moveItem(atPath: "\(data)/ash", toPath: "\(data)/oak")
        try expect("not among the model's 5 labels: 'oak'", "'ash', 'birch', 'cedar', 'dogwood', 'elm'")
        try FileManager.default.removeItem(atPath: data)
        _ = try folder.images(classes: ["x", "y", "z"], count: 1)
        try expect("'x', 'y', 'z'", "'ash', 'birch', 'cedar', 'dogwood', 'elm'")
    }

    /// If the model's labels are placeholders, classes are matched by position, with a warning.
    @Test func otherClassNames() throws {
        let other = try folder.images("other", classes: ["p", "q", "r", "s", "t"], count: 1)
        try expectFailure(["classify", "--model", model, "--data", other], naming: ["'p', 'q', 'r', 's', 't'"])
        for (i, name) in tinyClasses.enumerated() {
            try folder.edit("model/config.json", "\"\(name)\"", "\"LABEL_\(i)\"")
        }
        let result = try runVitpatch(["classify", "--model", model, "--data", other])
        #expect(result.code == 0)
        #expect(result.errors.hasPrefix("Warning: ") && result.errors.contains("'p' is 0 'LABEL_0', 'q' is 1"))
        #expect(try Table(result.output)["label"] == ["0", "1", "2", "3", "4"])
    }

    @Test(arguments: ["png", "jpg"])
    func aCorruptImage(_ ending: String) throws {
        let whole =
            ending == "png"
            ? randomPNG(side: 12) : try Data(contentsOf: fixtures.appendingPathComponent("images/decode/444.jpg"))
        let name = "ash/broken.\(ending)"
        for bytes in [Data(), Data("junk".utf8), whole.prefix(whole.count / 2)] {
            let file = try folder.write("data/\(name)", bytes)
            let sweep = ["sweep", "--model", model, "--data", data, "--out", folder("out"), "--overwrite"]
            try expectFailure(sweep, naming: [file, "cannot be decoded"])
        }
    }

    @Test func anOffsetBeyondTheData() throws {
        for command in ["sweep", "classify", "search"] {
            try expectUsageError(
                [command, "--model", model, "--data", data, "--offset", "5"], naming: ["--offset 5", "5 images"])
        }
    }

    @Test func tooLittleMemory() throws {
        try expect("the memory allowed leaves 0 MiB", options: ["--memory", "1k"])
    }

    @Test func aMissingPartner() throws {
        _ = try folder.images("pairs", classes: ["ash", "birch", "cedar", "dogwood"], count: 1)
        for (pairs, missing) in [("nosuch", "nosuch"), ("pairs", "pairs/elm/0.png")] {
            let corruption = ["--corruption", "pair:\(folder(pairs))", "--model", model, "--data", data]
            try expectFailure(["classify"] + corruption, naming: [folder(missing)])
            try expectFailure(["sweep", "--out", folder(pairs + "-out")] + corruption, naming: [folder(missing)])
        }
    }

    @Test func aDonorThatDoesNotFit() throws {
        let other = try folder.model("relu", name: "other")
        try expectFailure(
            ["sweep", "--model", model, "--data", data, "--donor", other, "--out", folder("out")], naming: ["donor"])
    }

    /// Its activations can be used; its probabilities are over other classes.
    @Test func aDonorOfOtherClasses() throws {
        let other = try folder.model(name: "other")
        try folder.edit("other/config.json", "\"ash\"", "\"oak\"")
        let result = try runVitpatch(
            ["sweep", "--model", model, "--data", data, "--donor", other, "--out", folder("out")])
        #expect(result.code == 0)
        #expect(result.errors.contains("class 0 is oak there and ash here, so p_donor stays empty"), "\(result.errors)")
        #expect(try Set(Table(export(folder("out")))["p_donor"]) == [""])
        // With the same names in the same order, the donor's probabilities are stored: here those of the clean pass.
        let same = try runVitpatch(
            [
                "sweep", "--model", model, "--data", data, "--donor", folder.model(name: "same"), "--out",
                folder("same-out"),
            ])
        #expect(same.code == 0 && !same.errors.contains("p_donor"), "\(same.errors)")
        let table = try Table(export(folder("same-out")))
        #expect(try table.floats("p_donor") == table.floats("p_clean"))
    }

    /// Names from files are printed on one line, and control characters in them are escaped.
    @Test func foreignNamesAreEscaped() throws {
        let bad = try folder.images("bad\u{1B}[31m\nname", classes: ["x\u{1B}]0;title\u{7}", "y"], count: 1)
        let result = try runVitpatch(["classify", "--model", model, "--data", bad])
        #expect(result.code == 1 && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
        #expect(result.errors.contains("\\u{1B}]0;title\\u{7}") && !result.errors.contains("\u{1B}"))
    }

    /// `classify` quotes fields as `export` does.
    @Test func imageNamesInCSV() throws {
        let odd = try folder.images("odd", count: 0)
        for name in tinyClasses { try folder.write("odd/\(name)/a,\"b\"\r\n.png", randomPNG(side: 12)) }
        let result = try runVitpatch(["classify", "--model", model, "--data", odd])
        #expect(result.code == 0, "\(result.errors)")
        #expect(try Table(result.output)["image"] == tinyClasses.map { "\($0)/a,\"b\"\r\n.png" })
    }

    @Test func compareNamesOtherData() throws {
        _ = try sweep(["--model", model, "--data", data, "--layers", "0"], out: folder("a"))
        try FileManager.default.removeItem(atPath: folder("data/ash/0.png"))
        try folder.write("data/ash/0.png", randomPNG(side: 20))
        _ = try sweep(
            ["--model", model, "--data", data, "--layers", "0", "--patch-with", "zero"], out: folder("b"))
        try expectFailure(["compare", folder("a"), folder("b")], naming: ["different data", "--force"])
        let forced = try runVitpatch(["compare", folder("a"), folder("b"), "--force"])
        #expect(forced.code == 0)
        for words in ["different data", "patch-with is clean in A and zero in B"] {
            #expect(forced.errors.contains("Warning: ") && forced.errors.contains(words), "\(forced.errors)")
        }
    }

    @Test func resultsThatCannotBeWrittenOrRead() throws {
        let options = ["--model", model, "--data", data]
        try expectFailure(["sweep", "--out", "/proc/nosuch"] + options, naming: ["/proc/nosuch"])
        _ = try sweep(options, out: folder("out"))
        try expectFailure(
            ["sweep", "--out", folder("out")] + options, naming: [folder("out"), "--resume", "--overwrite"])
        try expectFailure(
            ["sweep", "--out", folder("out"), "--resume", "--seed", "3"] + options,
            naming: [folder("out"), "seed is 0 there"])
        try expectFailure(["sweep", "--out", folder("nosuch"), "--resume"] + options, naming: [folder("nosuch")])
        try expectFailure(
            ["export", folder("out"), "--format", "csv", "--to", folder("nosuch/x.csv")],
            naming: [folder("nosuch/x.csv")])
        for command in [["export", "--format", "csv"], ["summary"]] {
            try expectFailure(command + [folder("nosuch")], naming: [folder("nosuch")])
            try folder.write("foreign/results.sqlite", Data("junk".utf8))
            try expectFailure(command + [folder("foreign")], naming: [folder("foreign")])
        }
        try expectFailure(
            ["sweep", "--out", folder("foreign"), "--overwrite"] + options, naming: ["not a vitpatch results store"])
    }
}
