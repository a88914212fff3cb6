import Foundation
import TestSupport
import Testing

@testable import Images

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
