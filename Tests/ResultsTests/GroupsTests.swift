import Foundation
import Results
import Testing

@Suite struct GroupsTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func read(_ text: String, ids: [String]) throws -> (groups: [ImageGroups], unknown: Int) {
        try read(Data(text.utf8), ids: ids)
    }

    private func read(_ data: Data, ids: [String]) throws -> (groups: [ImageGroups], unknown: Int) {
        let path = folder.path + "/groups.csv"
        try data.write(to: URL(fileURLWithPath: path))
        return try ImageGroups.read(path: path, ids: ids)
    }

    @Test func quotedFieldsOfRFC4180() throws {
        let text =
            "\u{FEFF}image,sex,\"skin, tone\"\r\n"
            + "\"a,1.png\",f,\"a \"\"b\"\" c\"\r\n\r\n"
            + "b.png,,\"two\r\nlines\"\n"
            + "x.png,m,1\r"
            + "\"c\"\"d.png\",\"\",ü"
        let (groups, unknown) = try read(text, ids: ["b.png", "a,1.png", "none.png", "c\"d.png"])
        #expect(unknown == 1)
        #expect(
            groups == [
                ImageGroups(column: "sex", values: [1: "f"]),
                ImageGroups(column: "skin, tone", values: [1: "a \"b\" c", 0: "two\r\nlines", 3: "ü"]),
            ])
    }

    /// Any fields round-trip, quoted where necessary and sometimes where not.
    @Test func randomTablesRoundTrip() throws {
        var random = SeededRandom()
        let alphabet: [Character] = ["a", "ü", ",", "\"", "\n", "\r", " ", "7"]
        func word() -> String {
            String(
                (0..<Int.random(in: 0...5, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
        }
        for _ in 0..<50 {
            let ids = (0..<10).map { "\($0)" + word() }, values = ids.map { _ in [word(), word()] }
            let text = ([["image", "one", "two"]] + zip(ids, values).map { [$0] + $1 }).map { fields in
                fields.map { field in
                    // By bytes, because \r\n is one Character.
                    let must = field.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
                    guard must || Bool.random(using: &random) else { return field }
                    return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
                }.joined(separator: ",")
            }.joined(separator: Bool.random(using: &random) ? "\n" : "\r\n")
            let groups = try read(text, ids: ids).groups
            for column in 0..<2 {
                for image in ids.indices {
                    let expected = values[image][column]
                    #expect(groups[column][image] == (expected.isEmpty ? nil : expected), "seed \(random.seed)")
                }
            }
        }
    }

    @Test(arguments: [
        ("", "it is empty"), ("id,sex\na,f", "image,<column>"), ("image\na", "image,<column>"),
        ("image,a,a\nx,1,2", "non-empty and unique"),
        ("image,\na,f", "non-empty and unique"), ("image,sex\na", "line 2: 1 fields"),
        ("image,sex\n\na,f\nb,f,g", "line 4: 3 fields"),
        ("image,sex\n\"a\nb\",f\na,f,f", "line 4"), ("image,sex\na,f\na,m", "line 3: the image a appears twice"),
        ("image,sex\na,\"f", "line 2: a quote is never closed"), ("image,sex\n\"a\"b,f", "line 2: text follows"),
        ("image,sex\nz,f", "none of its 1 images"), ("image,sex\n", "none of its 0 images"),
    ])
    func badFilesAreNamedWithTheirLine(_ text: String, _ message: String) throws {
        #expect(
            performing: { try read(text, ids: ["a", "b"]) },
            throws: {
                let text = "\($0)"
                return text.contains(message) && text.contains("groups.csv") && !text.contains("\n")
            })
    }

    @Test func bytesThatAreNoTextAndFilesThatAreNotThere() throws {
        #expect(
            performing: { try read(Data("image,a\na,".utf8) + [0xFF, 0xFE], ids: ["a"]) },
            throws: {
                "\($0)".contains("line 2: the text is not UTF-8")
            })
        #expect(
            performing: { try ImageGroups.read(path: folder.path + "/none.csv", ids: []) },
            throws: {
                "\($0)".contains("there is no such file")
            })
    }

    @Test func onlyRegularFilesAreRead() throws {
        let path = folder.path + "/fifo.csv"
        #expect(mkfifo(path, 0o600) == 0)
        #expect(
            performing: { try ImageGroups.read(path: path, ids: ["a"]) },
            throws: { "\($0)" == "cannot read \(path): it is a named pipe, not a regular file" })
    }

    /// Four times the columns and four times the images take about 16 times as long, not 64.
    @Test func manyColumnsTakeLinearTime() throws {
        func seconds(_ size: Int) throws -> Double {
            let header = "image," + (0..<size).map { "column\($0)" }.joined(separator: ",") + "\n"
            let row = (0..<size).map { "\($0 % 10)" }.joined(separator: ",")
            let ids = (0..<size / 10).map { "image\($0)" }
            let text = header + ids.map { "\($0),\(row)\n" }.joined()
            let start = ContinuousClock.now
            #expect(try read(text, ids: ids).groups.count == size)
            return Double((ContinuousClock.now - start) / .milliseconds(1)) / 1000
        }
        // The fastest of three: other load only adds time.
        func fastest(_ size: Int) throws -> Double { try (0..<3).map { _ in try seconds(size) }.min() ?? 0 }
        let (small, large) = (try fastest(400), try fastest(1600))
        #expect(large < 16 * 4 * max(small, 0.05), "\(small) s and \(large) s")
    }

    @Test func theStoreKeepsThem() throws {
        var random = SeededRandom()
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 1))
        #expect(try store.groups() == [])
        let groups = [
            ImageGroups(column: "z", values: [3: "x", 1: "it's \"y\""]), ImageGroups(column: "a", values: [1: "1"]),
        ]
        try store.setGroups([ImageGroups(column: "old", values: [0: "old"])])
        try store.setGroups(groups)
        #expect(try store.groups() == groups)
        try store.append(images: [randomImage(4, &random), randomImage(11, &random)], effects: [])
        #expect(try store.classGroups() == ImageGroups(column: "class", values: [4: "4", 11: "dog, \"wild\""]))
        try store.close()
        #expect(try ResultsStore.open(folder: folder.path).groups() == groups)
    }
}
