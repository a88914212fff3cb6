import Foundation
import TestSupport
import Testing
@testable import ViT

/// Files that are refused with a sentence
extension SafeTensorsTests {
    @Test func emptyFile() {
        #expect(message { _ = try open(Data()) }?.contains("0 bytes, shorter than the 8") == true)
    }

    @Test func emptyFileOnDisk() throws {
        let folder = try TemporaryFolder()
        try folder.write("m.safetensors", Data())
        #expect(message { _ = try SafeTensors(path: folder.path + "/m.safetensors") }?.contains("0 bytes") == true)
    }

    @Test func sevenBytes() {
        #expect(message { _ = try open(Data(count: 7)) }?.contains("7 bytes, shorter than the 8") == true)
    }

    @Test func eightZeroBytes() {
        #expect(message { _ = try open(Data(count: 8)) }?.contains("not a JSON object") == true)
    }

    @Test func truncatedFileAtEveryLength() {
        let data = safetensors(["a": TestTensor([2], [1, 2]), "b": TestTensor([1], [3])])
        for length in 0..<data.count {
            #expect(message { _ = try open(data.prefix(length)) } != nil, "\(length) bytes")
        }
        #expect(message { _ = try open(data) } == nil)
    }

    @Test func bytesAfterTheLastTensor() {
        let data = safetensors(["a": TestTensor([2], [1, 2])]) + Data([0])
        #expect(
            message { _ = try open(data) }
                == "m.safetensors: the tensors take 8 bytes, the file has 9 after its header")
    }

    @Test func headerLengthLargerThanTheFile() {
        let data = safetensors(header: "{}", body: Data(count: 10), length: 13)
        #expect(
            message { _ = try open(data) }
                == "m.safetensors: header length 13 is larger than what follows it in the file, 12 bytes")
    }

    @Test(arguments: [UInt64(100_000_001), UInt64(Int64.max), UInt64.max, UInt64.max - 7])
    func headerLengthOverTheLimit(length: UInt64) {
        let data = safetensors(header: "{}", body: Data(), length: length)
        #expect(
            message { _ = try open(data) }?.contains("header length \(length) is over the format's limit") == true)
    }

    @Test(arguments: [
        "", "{", "[]", "null", "1", "\"x\"", "  {}", "{\"a\": }", "{} {}", "{\"a\": {\"dtype\": \"F32\"",
        "{'a': 1}",
    ])
    func headerIsNotAnObject(header: String) {
        #expect(
            message { _ = try open(safetensors(header: header, body: Data())) }
                == "m.safetensors: the header is not a JSON object in UTF-8")
    }

    @Test func headerIsNotUTF8() {
        let header = Data("{\"".utf8) + Data([0xff, 0xfe]) + Data("\": 1}".utf8)
        #expect(message { _ = try open(littleEndian(UInt64(header.count)) + header) }?.contains("UTF-8") == true)
    }

    @Test(arguments: [500, 100_000])
    func headerNestedDeeply(depth: Int) {
        let header =
            "{\"a\": " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
        #expect(message { _ = try open(safetensors(header: header, body: Data())) } != nil)
    }

    @Test func overlappingOffsets() {
        let header =
            "{\(entry("a", shape: "[4]", offsets: "[0, 4]")), \(entry("b", shape: "[4]", offsets: "[2, 6]"))}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data(count: 6))) }
                == "m.safetensors: tensor b: data_offsets [2, 6] overlaps the one before it, which ends at 4")
    }

    @Test func holeBetweenTensors() {
        let header =
            "{\(entry("a", shape: "[4]", offsets: "[0, 4]")), \(entry("b", shape: "[1]", offsets: "[5, 6]"))}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data(count: 6))) }
                == "m.safetensors: tensor b: data_offsets [5, 6] leaves a hole before it, which ends at 4")
    }

    @Test func firstTensorNotAtTheStart() {
        let header = "{\(entry("a", shape: "[4]", offsets: "[2, 6]"))}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data(count: 6))) }?.contains("hole") == true)
    }

    @Test func sameNameTwice() {
        let header =
            "{\(entry("a", shape: "[4]", offsets: "[0, 4]")), \(entry("a", shape: "[2]", offsets: "[4, 6]"))}"
        #expect(message { _ = try open(safetensors(header: header, body: Data(count: 6))) } != nil)
    }

    @Test func wrongByteLength() {
        let header = "{\(entry("a", dtype: "F32", shape: "[3]", offsets: "[0, 8]"))}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data(count: 8))) }
                == "m.safetensors: tensor a: shape [3] of F32 takes 12 bytes, data_offsets give 8")
    }

    @Test(arguments: [
        "[4294967296, 4294967296]", "[4611686018427387904]", "[9007199254740992, 9007199254740992, 0]",
    ])
    func overflowedShape(shape: String) {
        let header = "{\(entry("a", dtype: "F32", shape: shape, offsets: "[0, 0]"))}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data())) }
                == "m.safetensors: tensor a: shape \(shape) has too many elements")
    }

    @Test(arguments: [
        "[-1]", "[1.5]", "[1e400]", "[18446744073709551616]", "[\"1\"]", "[null]", "[true]", "1", "null", "{}",
    ])
    func badShape(shape: String) {
        let header = "{\(entry("a", shape: shape, offsets: "[0, 1]"))}"
        #expect(message { _ = try open(safetensors(header: header, body: Data(count: 1))) } != nil)
    }

    @Test(arguments: [
        "[1, 0]", "[-1, 0]", "[0]", "[0, 1, 1]", "[0, 1.5]", "[0, 1e300]",
        "[9223372036854775807, 9223372036854775808]",
        "null", "\"0,1\"", "{}",
    ])
    func badOffsets(offsets: String) {
        let header = "{\(entry("a", shape: "[1]", offsets: offsets))}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data(count: 1))) }
                == "m.safetensors: tensor a: data_offsets is not a pair [begin, end] with 0 <= begin <= end")
    }

    @Test(arguments: [Int64.max, 1 << 52])
    func offsetsFarPastTheEnd(end: Int64) {
        let header = "{\(entry("a", shape: "[\(end)]", offsets: "[0, \(end)]"))}"
        #expect(message { _ = try open(safetensors(header: header, body: Data(count: 1))) } != nil)
    }

    @Test(arguments: ["F31", "f32", "", "F4"])
    func badDtype(dtype: String) {
        let header = "{\(entry("a", dtype: dtype, shape: "[1]", offsets: "[0, 4]"))}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data(count: 4))) }
                == "m.safetensors: tensor a: unknown dtype \(dtype)")
    }

    @Test(arguments: [
        "{\"a\": 1}", "{\"a\": {}}", "{\"a\": {\"dtype\": \"U8\"}}",
        "{\"a\": {\"dtype\": \"U8\", \"shape\": [0]}}",
        "{\"a\": {\"dtype\": 3, \"shape\": [0], \"data_offsets\": [0, 0]}}", "{\"__metadata__\": 1}",
        "{\"__metadata__\": {\"a\": 1}}",
    ])
    func incompleteEntries(header: String) {
        #expect(message { _ = try open(safetensors(header: header, body: Data())) } != nil)
    }

    @Test func controlCharactersInANameAreEscaped() {
        let header = "{\"\\u001b[31m\": 1}"
        #expect(
            message { _ = try open(safetensors(header: header, body: Data())) }
                == "m.safetensors: tensor \\u{1B}[31m: its header entry is not an object")
    }

    @Test func longNameIsCut() throws {
        let name = String(repeating: "n", count: 100_000)
        let text = try #require(message { _ = try open(safetensors(header: "{\"\(name)\": 1}", body: Data())) })
        #expect(text.count < 200)
    }

    @Test(arguments: ["/no/such/file", NSTemporaryDirectory(), "/dev/null"])
    func pathsThatAreNotFiles(path: String) {
        #expect(message { _ = try SafeTensors(path: path) }?.hasPrefix(path) == true)
    }
}
