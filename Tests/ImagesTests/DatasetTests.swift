import Foundation
import TestSupport
import Testing

@testable import Images

private func ids(_ data: ImageDataset) -> [String] { (0..<data.count).map(data.id) }

@Suite struct FolderTests {
    @Test func orderAndNames() throws {
        let folder = try TemporaryFolder()
        let png = try fixture("source.png"), jpeg = try fixture("decode/420.jpg")
        // Code points: "B" < "a" < "z" < "é" (U+00E9) < "한"; "10" < "9"; "A.png" < "a.png"
        try folder.write("zebra/10.png", png)
        try folder.write("zebra/9.png", png)
        try folder.write("zebra/a.JPeG", jpeg)
        try folder.write("zebra/A.jpg", jpeg)
        try folder.write("Bär/é.png", png)
        try folder.write("Bär/z.png", png)
        try folder.write("한/x.PNG", png)
        try folder.write("ant/only.jpeg", jpeg)
        // Files that are not images of a class
        try folder.write("zebra/.hidden.png", png)
        try folder.write("zebra/notes.txt", [])
        try folder.write("zebra/deeper.png/inside.png", png)
        try folder.write(".git/x.png", png)
        try folder.write("README.png", png)

        let data = try ImageDataset(path: folder.path)
        #expect(data.classNames == ["Bär", "ant", "zebra", "한"])
        #expect(
            ids(data) == [
                "Bär/z.png", "ant/only.jpeg", "zebra/10.png", "한/x.PNG", "Bär/é.png", "zebra/9.png", "zebra/A.jpg",
                "zebra/a.JPeG", "zebra/deeper.png/inside.png",
            ])
        #expect((0..<data.count).map(data.classIndex) == [0, 1, 2, 3, 0, 2, 2, 2, 2])
        #expect(try data.load(0) == source())
        #expect(try data.load(1) == ppm("decode/420.ppm"))
        let lines = data.fingerprintInput.split(separator: "\n")
        #expect(lines.count == 4 + 9)
        #expect(lines[4] == "Bär/z.png\t0\t\(png.count)")
        #expect(try ids(ImageDataset(path: folder.path + "/")) == ids(data))
    }

    @Test func linksAreFollowed() throws {
        let folder = try TemporaryFolder(), elsewhere = try TemporaryFolder()
        try elsewhere.write("real/picture", try fixture("source.png"))
        try folder.write("a/1.png", try fixture("source.png"))
        let files = FileManager.default
        try files.createSymbolicLink(
            atPath: folder.path + "/a/0.png", withDestinationPath: elsewhere.path + "/real/picture")
        let data = try ImageDataset(path: folder.path)
        #expect(ids(data) == ["a/0.png", "a/1.png"])
        #expect(try data.load(0) == source())

        try files.createSymbolicLink(atPath: folder.path + "/a/2.png", withDestinationPath: "/nowhere")
        #expect(
            message { _ = try ImageDataset(path: folder.path) }?.contains(
                "a/2.png: it cannot be read: No such file") == true)
    }

    @Test func namesThatSwiftComparesEqualStayApart() throws {
        let folder = try TemporaryFolder()
        try folder.write("e\u{301}/1.png", try fixture("source.png"))  // decomposed
        try folder.write("\u{E9}/1.png", try fixture("source.png"))
        let data = try ImageDataset(path: folder.path)
        // Some file systems keep only one of the spellings.
        if data.count == 2 {
            #expect(data.classNames.map { Array($0.utf8) } == [Array("e\u{301}".utf8), Array("\u{E9}".utf8)])
            let labels = try data.labelIndices(modelLabels: ["\u{E9}", "e\u{301}"])
            #expect(labels.map == [1, 0])
        }
    }

    @Test func errorsNameWhatIsWrong() throws {
        let folder = try TemporaryFolder()
        #expect(
            message { _ = try ImageDataset(path: folder.path + "/no") }?
                .contains("/no: there is no such file or folder")
                == true)
        #expect(message { _ = try ImageDataset(path: folder.path) }?.contains("neither class subfolders") == true)
        try folder.write("a/1.png", Array("not a picture".utf8))
        #expect(message { _ = try ImageDataset(path: folder.path + "/a/1.png") }?.contains("it is a file") == true)
        let data = try ImageDataset(path: folder.path)
        #expect(
            message { _ = try data.load(0) }
                == "\(folder.path)/a/1.png cannot be decoded: it is not a PNG, JPEG, WebP, GIF, BMP or TIFF file.")
        try folder.write("a/1.png", [])
        #expect(message { _ = try data.load(0) } == "\(folder.path)/a/1.png cannot be decoded: it is empty.")
        try FileManager.default.removeItem(atPath: folder.path + "/a/1.png")
        #expect(message { _ = try data.load(0) }?.contains("a/1.png: it cannot be read: No such file") == true)
        try folder.write("b/x.txt", [])
        try folder.write("a/1.png", [])
        #expect(
            message { _ = try ImageDataset(path: folder.path) }
                == "\(folder.path)/b: the class folder holds no image (.png, .jpg, .jpeg, .webp, .gif, .bmp, .tif, .tiff)."
        )
    }

    @Test func imagesMayLieDeeper() throws {
        let folder = try TemporaryFolder(), png = try fixture("source.png")
        for name in ["b/images/2.png", "b/1.png", "a/images/x/3.png", "a/notes.txt", "top.png"] {
            try folder.write(name, png)
        }
        let data = try ImageDataset(path: folder.path)
        #expect(ids(data) == ["a/images/x/3.png", "b/1.png", "b/images/2.png"])
        #expect(
            data.notes == [
                "Left out 1 file of \(folder.path) without an image extension.",
                "Left out 1 file of \(folder.path) outside the class folders.",
            ])
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/b/loop", withDestinationPath: folder.path + "/b")
        #expect(message { _ = try ImageDataset(path: folder.path) }?.contains("32 folders deep") == true)
    }

    @Test func aFolderOfImagesHasNoLabels() throws {
        let folder = try TemporaryFolder(), png = try fixture("source.png")
        for name in ["2.png", "1.PNG", "notes.txt"] { try folder.write(name, png) }
        let data = try ImageDataset(path: folder.path)
        #expect(ids(data) == ["1.PNG", "2.png"] && data.classNames.isEmpty && !data.isLabelled)
        #expect(data.classIndex(0) == nil && data.notes.count == 1)
        #expect(try data.labelIndices(modelLabels: ["a"]).map.isEmpty)
        #expect(try data.load(1) == source())
    }

    @Test func csv() throws {
        let folder = try TemporaryFolder(), png = try fixture("source.png"), path = folder.path + "/data.csv"
        for name in ["x/2.png", "1.png", "other.png"] { try folder.write(name, png) }
        func open(_ text: String) throws -> ImageDataset {
            try folder.write("data.csv", Array(text.utf8))
            return try ImageDataset(path: path)
        }
        let data = try open(
            "label,image,corrupted,kind\r\ndog,x/2.png,other.png,k\r\ncat,1.png,x/2.png,\r\n,\(folder.path)/other.png,1.png,\"a\"\"b\"\r\n"
        )
        #expect(ids(data) == ["x/2.png", "1.png", "\(folder.path)/other.png"] && data.classNames == ["cat", "dog"])
        #expect((0..<3).map(data.classIndex) == [1, 0, nil] && !data.isLabelled)
        #expect(
            data.columns.mapValues(Array.init) == [
                "corrupted": ["other.png", "x/2.png", "1.png"], "kind": ["k", "", "a\"b"],
            ])
        for i in 0..<3 { #expect(try data.load(i) == source()) }
        let pair = try Corruptor(
            Corruption(spec: "pair"), dataset: data, preprocessor: Preprocessor(config: nil, imageSize: 4),
            patchSize: 2,
            seed: 0)
        #expect(try pair.corruptedPixels(image: source(), index: 0, id: "", sample: 0) == source())
        #expect(try open("file_name\n1.png\n").count == 1)
        for (text, part) in [
            ("", "it is empty"), ("a,b\n", "it lacks the column image (or file_name); it has a,b"),
            ("image\n", "it lists no image"),
            ("image\n1.png\n1.png\n", "the image 1.png appears twice (line 3)"),
            ("image,label\n1.png\n", "line 2: 1 fields, the header has 2"),
            ("image\n\"1.png", "line 2: a quote is never closed"),
            ("image\nno.png\n", "no.png: it cannot be read"),
            ("image,a,a\n1.png,1,2\n", "a appears twice"),
        ] {
            let text = message { _ = try open(text) }
            #expect(text?.contains(part) == true, "\(text ?? "")")
        }
        #expect(
            message {
                _ = try Corruptor(
                    Corruption(spec: "pair"), dataset: open("image\n1.png\n"),
                    preprocessor: Preprocessor(config: nil, imageSize: 4), patchSize: 2, seed: 0)
            }?.contains("needs a folder, as in 'pair:DIR'") == true)
    }

    @Test func pipesAreNeverOpened() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/a", withIntermediateDirectories: true)
        #expect(mkfifo(folder.path + "/a/1.png", 0o600) == 0 && mkfifo(folder.path + "/data.csv", 0o600) == 0)
        for path in [folder.path, folder.path + "/data.csv"] {
            #expect(message { _ = try ImageDataset(path: path) }?.contains("it is not a regular file") == true)
        }
    }
}

@Suite struct MemoryTests {
    @Test func imagesAreSlices() throws {
        var random = SplitMix64.fresh()
        let images = try (0..<3).map { _ in try random.image(width: 4, height: 2) }
        let data = try ImageDataset(
            name: "demo", classNames: ["x", "y"], ids: ["x/0", "y/0", "x/1"], labels: [0, 1, 0], width: 4,
            height: 2,
            pixels: Data(images.flatMap(\.pixels)))
        for i in 0..<3 { #expect(try data.load(i) == images[i], "seed \(random.seed)") }
        #expect(data.fingerprintInput == "x\ny\nx/0\t0\t24\ny/0\t1\t24\nx/1\t0\t24\n")
    }

    @Test func countsMustFit() {
        func make(ids: [String] = ["a"], labels: [Int] = [0], width: Int = 2, bytes: Int = 12) -> String? {
            message {
                _ = try ImageDataset(
                    name: "demo", classNames: ["x"], ids: ids, labels: labels, width: width, height: 2,
                    pixels: [UInt8](repeating: 0, count: bytes))
            }
        }
        #expect(make() == nil)
        #expect(make(bytes: 13) != nil)
        #expect(make(bytes: 24) != nil)
        #expect(make(labels: [1]) != nil)
        #expect(make(labels: [-1]) != nil)
        #expect(make(labels: []) != nil)
        #expect(make(width: 0) != nil)
        #expect(make(width: .max) != nil)
    }
}

@Suite struct CIFARTests {
    /// Binary records: `labels` bytes, then [3, 32, 32]
    private func expectRecords(_ data: ImageDataset, _ records: [UInt8], labelBytes: Int) throws {
        let size = labelBytes + 3072
        #expect(data.count == records.count / size)
        for i in 0..<data.count {
            let record = Array(records[i * size..<(i + 1) * size])
            #expect(data.classIndex(i) == Int(record[labelBytes - 1]))
            let image = try data.load(i)
            #expect(image.width == 32 && image.height == 32)
            for (c, y, x) in [(0, 0, 0), (1, 0, 31), (2, 31, 0), (0, 17, 5), (2, 31, 31)] {
                #expect(image.pixels[(y * 32 + x) * 3 + c] == record[labelBytes + c * 1024 + y * 32 + x])
            }
        }
    }

    @Test func binary10() throws {
        let folder = try TemporaryFolder()
        let records = try fixture("cifar/10/expected.raw")
        try folder.write("data_batch_2.bin", Array(records[..<3073]))
        try folder.write("data_batch_1.bin", records)
        let training = try ImageDataset(path: folder.path)
        #expect(
            ids(training) == [
                "data_batch_1.bin:0", "data_batch_1.bin:1", "data_batch_1.bin:2", "data_batch_2.bin:0",
            ])
        #expect(training.classNames.first == "airplane")
        try expectRecords(training, records + records[..<3073], labelBytes: 1)

        // The test batch takes precedence, and names come from the folder.
        try folder.write("test_batch.bin", Array(records[3073...]))
        try folder.write("batches.meta.txt", Array("a\nb\r\nc\nd\ne\nf\ng\nh\ni\nj\n\n".utf8))
        let test = try ImageDataset(path: folder.path)
        #expect(ids(test) == ["test_batch.bin:0", "test_batch.bin:1"])
        #expect(test.classNames == "abcdefghij".map(String.init))
        try expectRecords(test, Array(records[3073...]), labelBytes: 1)
    }

    @Test func binary100() throws {
        let folder = try TemporaryFolder()
        let records = try fixture("cifar/100/expected.raw")
        try folder.write("train.bin", records)
        #expect(
            message { _ = try ImageDataset(path: folder.path) }?.contains(
                "fine_label_names.txt: it cannot be read") == true)
        try folder.write("fine_label_names.txt", Array((0..<100).map { "n\($0)\n" }.joined().utf8))
        let data = try ImageDataset(path: folder.path)
        #expect(data.classNames.count == 100)
        try expectRecords(data, records, labelBytes: 2)
    }

    @Test func python() throws {
        let ten = try ImageDataset(path: fixtures.path + "/cifar/10")
        #expect(ids(ten) == ["test_batch:0", "test_batch:1", "test_batch:2"])
        try expectRecords(ten, fixture("cifar/10/expected.raw"), labelBytes: 1)
        let hundred = try ImageDataset(path: fixtures.path + "/cifar/100")
        #expect(hundred.classNames[99] == "class99")
        try expectRecords(hundred, fixture("cifar/100/expected.raw"), labelBytes: 2)
    }

    @Test("the python version, pickled by every protocol", arguments: 0...5)
    func protocols(number: Int) throws {
        let data = try ImageDataset(path: fixtures.path + "/cifar/protocol-\(number)")
        let expected = try ImageDataset(path: fixtures.path + "/cifar/10")
        #expect(data.count == 2 && (0..<2).map(data.classIndex) == (0..<2).map(expected.classIndex))
        for i in 0..<2 { #expect(try data.load(i) == expected.load(i)) }
    }

    @Test func theFolderAboveIsEnough() throws {
        let folder = try TemporaryFolder()
        try folder.write("cifar-10-batches-py/test_batch", try fixture("cifar/10/test_batch"))
        try folder.write("cifar-10-python.tar.gz", [])
        #expect(try ImageDataset(path: folder.path).count == 3)
    }

    @Test func damage() throws {
        let folder = try TemporaryFolder()
        var records = try fixture("cifar/10/expected.raw")
        try folder.write("test_batch.bin", Array(records.dropLast()))
        #expect(
            message { _ = try ImageDataset(path: folder.path) }?.contains(
                "9218 bytes, expected a multiple of 3073") == true)
        try folder.write("test_batch.bin", [])
        #expect(message { _ = try ImageDataset(path: folder.path) } != nil)
        records[3073] = 10
        try folder.write("test_batch.bin", records)
        #expect(
            message { _ = try ImageDataset(path: folder.path) }?.contains(
                "record 1 has label 10, expected less than 10") == true)
        records[3073] = 1
        try folder.write("test_batch.bin", records)
        let data = try ImageDataset(path: folder.path)
        try folder.write("test_batch.bin", Array(records[..<4000]))
        #expect(message { _ = try data.load(2) }?.contains("test_batch.bin: it cannot be read") == true)
    }

    @Test("damaged pickles are errors or read, never a trap")
    func pickles() throws {
        var random = SplitMix64.fresh()
        for file in ["cifar/10/test_batch", "cifar/100/train", "cifar/100/meta"] {
            let bytes = try fixture(file)
            // The structure is at both ends; the middle is pixels.
            let interesting = bytes.indices.filter { $0 < 400 || $0 > bytes.count - 100 }
            for at in interesting {
                #expect(throws: ImageError.self) { try CIFARBatch(Array(bytes[..<at]), path: file) }
                var broken = bytes
                broken[at] = .random(in: 0...255, using: &random)
                if let pickle = try? CIFARBatch(broken, path: file) {
                    _ = try? pickle.integers("labels")
                    _ = try? pickle.strings("fine_label_names")
                    if case .range(let range)? = try? pickle.byteArray("data", columns: 3072) {
                        #expect(range.upperBound <= broken.count && range.count % 3072 == 0, "seed \(random.seed)")
                    }
                }
            }
        }
        // Deep nesting
        let deep = [UInt8](repeating: 0x5D, count: 100_000) + Array(".".utf8)
        #expect(throws: ImageError.self) { try CIFARBatch(deep, path: "deep") }
        let tuples = Array("N".utf8) + [UInt8](repeating: 0x85, count: 100_000) + Array(".".utf8)
        #expect(throws: ImageError.self) { try CIFARBatch(tuples, path: "tuples") }
        // A call is recorded, not made
        #expect(throws: ImageError.self) {
            try CIFARBatch(Array("cos\nsystem\nU\u{4}true\u{85}R.".utf8), path: "call")
        }
    }
}

@Suite struct LabelTests {
    private func data(_ classNames: [String]) throws -> ImageDataset {
        try ImageDataset(
            name: "pictures", classNames: classNames, ids: [], labels: [], width: 1, height: 1, pixels: [UInt8]())
    }

    @Test func byName() throws {
        let labels = try data(["cat", "dog"]).labelIndices(modelLabels: ["bird", "dog", "cat"])
        #expect(labels.map == [2, 1])
        #expect(labels.warning == nil && labels.lines.isEmpty)
    }

    @Test("placeholders alone are matched by order")
    func byOrder() throws {
        let labels = try data(["cat", "dog"]).labelIndices(modelLabels: ["LABEL_0", "LABEL_1"])
        #expect(labels.map == [0, 1] && labels.rule == .order)
        #expect(
            labels.warning
                == "The model's labels are placeholders, so classes are matched by position: 'cat' is 0 'LABEL_0', "
                + "'dog' is 1 'LABEL_1'.")
        #expect(try data(["LABEL_1", "LABEL_0"]).labelIndices(modelLabels: ["LABEL_0", "LABEL_1"]).map == [1, 0])
        #expect(
            message { _ = try data(["cat"]).labelIndices(modelLabels: ["LABEL_0", "LABEL_1"]) }?.contains(
                "their order says nothing") == true)
        let ten = (0..<11).map { "LABEL_\($0)" }
        #expect(
            message { _ = try data((0..<11).map(String.init).sorted()).labelIndices(modelLabels: ten) }?.contains(
                "another order as text") == true)
        #expect(
            try data((0..<11).map { $0 < 10 ? "0\($0)" : "10" }).labelIndices(modelLabels: ten).map == Array(0..<11))
        #expect(
            message { _ = try data(["cat", "dog"]).labelIndices(modelLabels: ["eagle", "fish"]) }?.contains(
                "2 of the 2 classes of pictures are not among") == true)
    }

    @Test("case, underscores, hyphens, Unicode form and further synonyms do not matter")
    func byOneSimilarName() throws {
        let model = ["cat", "owl", "dog"]
        let labels = try data(["Cat", "Dog", "Owl"]).labelIndices(modelLabels: model)
        #expect(labels.map == [0, 2, 1] && labels.rule == .names)
        #expect(labels.lines == ["'Cat' is 0 'cat'", "'Dog' is 2 'dog'", "'Owl' is 1 'owl'"])
        let birds = ["great grey owl, Strix nebulosa", "tench, Tinca tinca", "caf\u{e9}"]
        #expect(
            try data(["Great_Grey-Owl", "cafe\u{301}", "tench"]).labelIndices(modelLabels: birds).map == [0, 2, 1])
        #expect(message { _ = try data(["Cat", "cat"]).labelIndices(modelLabels: model) }?.contains("both") == true)
        #expect(
            message { _ = try data(["CAT"]).labelIndices(modelLabels: ["Cat", "cat"]) }
                == "The class 'CAT' of pictures matches the model's labels 0 and 1.")
    }

    @Test func numbersAreIndices() throws {
        #expect(try data(["2", "0"]).labelIndices(modelLabels: ["a", "b", "c"]).map == [2, 0])
        #expect(message { _ = try data(["3"]).labelIndices(modelLabels: ["a", "b", "c"]) } != nil)
        #expect(try data(["1"]).labelIndices(modelLabels: ["1", "0"]).map == [0])
    }

    @Test func wordNetIdsOfImageNet() throws {
        var labels = (0..<1000).map { "label \($0)" }
        #expect(message { _ = try data(["n01440764"]).labelIndices(modelLabels: labels) } != nil)
        (labels[0], labels[1]) = ("tench, Tinca tinca", "goldfish, Carassius auratus")
        labels[999] = "toilet tissue, toilet paper, bathroom tissue"
        #expect(
            try data(["n01440764", "n01443537", "n15075141"]).labelIndices(modelLabels: labels).map == [0, 1, 999])
        #expect(imageNetSynsets.count == 1000 && imageNetSynsets == imageNetSynsets.sorted())
    }

    @Test func whatIsLeftIsListed() throws {
        let names = (0..<40).map { "class \($0)" }
        let text = message {
            _ = try data(["cat"] + names).labelIndices(modelLabels: ["cat"] + (0..<30).map { "l\($0)" })
        }
        #expect(text?.hasPrefix("40 of the 41 classes of pictures are not among the model's 31 labels: ") == true)
        for name in names { #expect(text?.contains("'\(name)'") == true) }
        #expect(text?.contains("'l18', ... (31 in all). Match them with --class-map FILE") == true)
    }

    @Test func classMap() throws {
        let folder = try TemporaryFolder(), path = folder.path + "/map.csv"
        try folder.write("map.csv", Array("folder,label\nwhite,1\n\"b,c\",bird\n".utf8))
        let map = try ClassMap(path: path), model = ["fish", "cat", "bird"]
        #expect(try data(["b,c", "fish", "white"]).labelIndices(modelLabels: model, classMap: map).map == [2, 0, 1])
        try folder.write("map.csv", Array("folder,label\nwhite,dog\n".utf8))
        #expect(
            message { _ = try data(["white"]).labelIndices(modelLabels: model, classMap: ClassMap(path: path)) }
                == "\(path): 'dog', given for the class 'white', is neither one of the model's labels nor an index from 0 to 2."
        )
        try folder.write("map.csv", Array("folder\nwhite\n".utf8))
        #expect(message { _ = try ClassMap(path: path) } == "\(path): it lacks the columns folder,label.")
    }

    @Test func ambiguousNames() throws {
        let text = message { _ = try data(["crane"]).labelIndices(modelLabels: ["crane", "dog", "crane"]) }
        #expect(text == "The class 'crane' of pictures matches the model's labels 0 and 2.")
        // A duplicate label that no class uses does not matter.
        #expect(try data(["dog"]).labelIndices(modelLabels: ["crane", "dog", "crane"]).map == [1])
    }
}
