import Foundation
import TestSupport
import Testing
@testable import Images

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
