import Formats
import Foundation
import Testing

@Suite struct PickleTests {
    private func read(_ bytes: [UInt8], functions: Set<String> = []) throws -> Pickle {
        try Pickle(Data(bytes), functions: functions)
    }

    private func refusal(_ bytes: [UInt8]) -> String? {
        do {
            _ = try read(bytes)
            return nil
        } catch let error as Pickle.Malformed {
            return error.reason
        } catch {
            return "\(error)"
        }
    }

    @Test func scalars() throws {
        let cases: [([UInt8], Pickle.Value)] = [
            (Array("N.".utf8), .none), ([0x88, 0x2e], .bool(true)), (Array("I00\n.".utf8), .bool(false)),
            (Array("I-7\n.".utf8), .integer(-7)), (Array("L12L\n.".utf8), .integer(12)),
            (Array("L99999999999999999999L\n.".utf8), .other),
            ([0x4b, 200, 0x2e], .integer(200)), ([0x4d, 1, 2, 0x2e], .integer(513)),
            ([0x4a, 0xff, 0xff, 0xff, 0xff, 0x2e], .integer(-1)),
            ([0x8a, 2, 0x00, 0xff, 0x2e], .integer(-256)), ([0x8a, 0, 0x2e], .integer(0)),
            (Array("F1.5\n.".utf8), .double(1.5)),
            ([0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0x2e], .double(1.5)),
        ]
        for (bytes, value) in cases { #expect(try read(bytes).root == value, "\(bytes)") }
    }

    @Test func textOfProtocol0() throws {
        let escaped = try read(Array(#"S'a\x41\n\\'"#.utf8) + [10, 0x2e])
        #expect(escaped.string(escaped.root) == "aA\n\\")
        let unicode = try read(Array(#"V\u00e9\U0001f989"#.utf8) + [0xe8, 10, 0x2e])
        #expect(unicode.string(unicode.root) == "é🦉è")
        let latin = Array("c_codecs\nencode\n(V".utf8) + [0xff, 0x41, 10] + Array("Vlatin1\ntR.".utf8)
        let bytes = try read(latin, functions: ["_codecs.encode"])
        #expect(bytes.bytes(bytes.root) == Data([0xff, 0x41]))
    }

    @Test func functionsThatAreNotListedAreRefusedByName() {
        #expect(refusal(Array("cos\nsystem\n(S'true'\ntR.".utf8)) == "it refers to os.system, which is not supported")
        #expect(refusal(Array("c\u{1b}[2J\nx\n.".utf8)) == "it refers to \\u{1B}[2J.x, which is not supported")
    }

    @Test func damage() {
        for bytes in [
            "", ".", "N", "0.", "t.", "(", "a.", "]N.", "h\u{1}.", "N(a.", "}(Nu.", "NNR.", "Q.", "P1\n.", "S'x\n.",
        ] {
            let result = Result { try read(Array(bytes.utf8)) }
            if bytes != "]N." { #expect(throws: Pickle.Malformed.self, "\(bytes)") { try result.get() } }
        }
    }

    /// Deeply nested containers: neither parsing nor freeing them recurses.
    @Test func nesting() throws {
        let tuples = Array("N".utf8) + [UInt8](repeating: 0x85, count: 200_000) + Array(".".utf8)
        #expect(try read(tuples).nodes.count == 200_000)
        let many = [UInt8](repeating: 0x5d, count: Pickle.maxNodes + 1) + Array(".".utf8)
        #expect(refusal(many) == "it has more than \(Pickle.maxNodes) containers")
        let values = [UInt8](repeating: 0x4e, count: Pickle.maxValues + 1) + Array(".".utf8)
        #expect(refusal(values) == "it has more than \(Pickle.maxValues) values")
    }

    @Test func theSameTextUnescapedAgainAndAgain() {
        var bytes = Array("c_codecs\nencode\nq\u{1}0X".utf8) + [0, 0, 1, 0] + [UInt8](repeating: 0x41, count: 65536)
        bytes += Array("q\u{2}0U\u{6}latin1q\u{3}0".utf8)
        for _ in 0..<100 { bytes += Array("h\u{1}h\u{2}h\u{3}\u{86}R0".utf8.map { $0 }) }
        #expect(throws: Pickle.Malformed.self) { try read(bytes + Array("N.".utf8), functions: ["_codecs.encode"]) }
    }
}
