import Foundation
import Testing

@testable import Formats

@Suite struct CSVTests {
    private func read(_ text: String) throws -> [[String]] {
        let csv = try CSV(Data(text.utf8))
        return [csv.header] + (0..<csv.count).map { row in csv.header.indices.map { csv[row, $0] } }
    }

    @Test(arguments: [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]), ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]),
        ("a,b\r1,2\r\r3,4", [["a", "b"], ["1", "2"], ["3", "4"]]), ("\u{feff}a\n\n\"\"\nx\n", [["a"], [""], ["x"]]),
        ("\n\na,b\n,\n", [["a", "b"], ["", ""]]), ("a\n\"x,\"\"y\"\"\n\"\n", [["a"], ["x,\"y\"\n"]]),
        ("a,\n1,", [["a", ""], ["1", ""]]), ("ä\nü", [["ä"], ["ü"]]), ("a", [["a"]]),
    ])
    func fields(text: String, rows: [[String]]) throws { #expect(try read(text) == rows) }

    @Test(arguments: [
        ("", "it is empty"), ("\n\n", "it is empty"), ("a,b\n1\n", "line 2: 1 fields, the header has 2"),
        ("a\n\"x\n\n\n", "line 2: a quote is never closed"),
        ("a\n\"x\ny\"z\n", "line 3: text follows a closing quote"),
        ("a\n\n\"1\n2\"\n\n1,2\n", "line 6: 2 fields, the header has 1"),
    ])
    func malformed(text: String, reason: String) {
        #expect(throws: CSV.Malformed(reason: reason)) { try CSV(Data(text.utf8)) }
    }

    /// The two bytes of a character on both sides of a comma are not UTF-8.
    @Test func everyFieldIsUTF8() {
        let bytes = Data("a,b\n".utf8) + [0xc3] + Data(",".utf8) + [0xa4]
        #expect(throws: CSV.Malformed(reason: "line 2: the text is not UTF-8")) { try CSV(bytes) }
    }

    @Test func columnsAndLines() throws {
        let csv = try CSV(Data("a,b\n\n1,\"2\n\"\n3,\n".utf8))
        #expect(csv.column("b") == 1 && csv.column("c") == nil)
        #expect(Array(csv.values(1)) == ["2\n", ""] && csv.isEmpty(1, 1) && !csv.isEmpty(0, 1))
        #expect(csv.line(0) == 3 && csv.line(1) == 5)
        #expect(Array(CSV(header: "x", values: ["a", "", "bc"]).values(0)) == ["a", "", "bc"])
    }
}
