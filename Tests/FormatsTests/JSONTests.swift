import Formats
import Foundation
import Testing

@Suite struct JSONTests {
    private func read(_ text: String) -> JSON? { object(Data("{\"a\": \(text)}".utf8))?["a"] }

    /// Read member by member, which must equal the object read whole.
    private func object(_ data: Data) -> [String: JSON]? {
        let whole = try? JSONReader.read(data) { try $0.value() }.object
        let members = JSONMembers(data).map { members in
            Dictionary(uniqueKeysWithValues: members.names.compactMap { name in members[name].map { (name, $0) } })
        }
        #expect(members == whole)
        return whole
    }

    @Test(arguments: [
        ("null", JSON.null), ("true", .bool(true)), ("false", .bool(false)), ("0", .number(0)),
        ("-0.5e+1", .number(-5)),
        ("12.0", .number(12)), ("1E2", .number(100)), ("[]", .array([])),
        (" [ 1 , [2] ] ", .array([.number(1), .array([.number(2)])])),
        ("{ }", .object([:])), ("{\"b\":{\"c\":1}}", .object(["b": .object(["c": .number(1)])])),
        ("\"x\\u0041\\n\\/\\\\ \\ud83e\\udd89 ü\"", .string("xA\n/\\ 🦉 ü")), ("\"\"", .string("")),
    ])
    func values(text: String, value: JSON) { #expect(read(text) == value) }

    @Test(arguments: [
        "", "nul", "tru", "01", "1.", ".5", "+1", "1e", "NaN", "Infinity", "1e400", "[1,]", "[1 2]", "[", "{\"b\"}",
        "{\"b\":}",
        "{b: 1}", "{\"b\": 1,}", "\"", "\"\n\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"",
        "\"\\ud800\\u0041\"", "1} {",
    ])
    func malformed(text: String) { #expect(read(text) == nil) }

    @Test func mustBeUTF8() {
        #expect(object(Data("{\"a".utf8) + [0xff] + Data("\": 1}".utf8)) == nil)
        #expect(object(Data("{\"\\n".utf8) + [0xff] + Data("\": 1}".utf8)) == nil)
    }

    @Test func ofTwoMembersWithOneNameTheLastCounts() {
        #expect(object(Data("{\"a\": 1, \"a\": 2}".utf8)) == ["a": JSON.number(2)])
    }

    @Test func limits() {
        func nested(_ depth: Int) -> JSON? {
            read(String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
        }
        #expect(
            nested(JSONReader.maxDepth - 1) != nil && nested(JSONReader.maxDepth) == nil && nested(1_000_000) == nil)
        #expect(read("[" + String(repeating: "1,", count: JSONReader.maxValues) + "1]") == nil)
    }

    /// A text of twice the length takes about twice as long (quadratic: four times).
    @Test func takesLinearTime() throws {
        func seconds(_ count: Int) -> Double {
            let text = "{" + (0..<count).map { "\"k\($0)\": [\($0), \"v\", null]" }.joined(separator: ",") + "}"
            let data = Data(text.utf8)
            return (0..<3).map { _ in
                let start = Date()
                #expect(object(data)?.count == count)
                return Date().timeIntervalSince(start)
            }.min() ?? 0
        }
        let short = seconds(20_000), long = seconds(160_000)
        #expect(long < 32 * short + 0.1)
    }
}
