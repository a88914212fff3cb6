import Foundation
import TestSupport
import Testing

@testable import ViT

@Suite struct SafeTensorsTests {
    private func open(_ data: Data) throws -> SafeTensors { try SafeTensors(data: data, name: "m.safetensors") }

    private func one(_ dtype: String, _ shape: [Int], _ bytes: Data) throws -> SafeTensors {
        try open(safetensors(["x": TestTensor(dtype: dtype, shape: shape, bytes: bytes)]))
    }

    private func entry(_ name: String, dtype: String = "U8", shape: String, offsets: String) -> String {
        "\"\(name)\": {\"dtype\": \"\(dtype)\", \"shape\": \(shape), \"data_offsets\": \(offsets)}"
    }

    // MARK: Valid files

    @Test func namesShapesTypesAndMetadata() throws {
        let file = try open(
            safetensors(
                [
                    "b": TestTensor([2, 3], [1, 2, 3, 4, 5, 6]), "scalar": TestTensor([], [7]),
                    "none": TestTensor(dtype: "I64", shape: [0, 4], bytes: Data()),
                    "a": TestTensor(dtype: "U8", shape: [3], bytes: Data([9, 8, 7])),
                ], metadata: "{\"format\": \"pt\", \"note\": \"é\"}"))
        #expect(file.names == ["a", "b", "none", "scalar"])
        #expect(file.metadata == ["format": "pt", "note": "é"])
        #expect(file.tensors["b"]?.shape == [2, 3])
        #expect(file.tensors["b"]?.count == 6)
        #expect(file.tensors["none"]?.count == 0)
        #expect(try file.tensor("b", shape: [2, 3]).floats == [1, 2, 3, 4, 5, 6])
        #expect(try file.tensor("scalar", shape: []).floats == [7])
        let raw = try file.bytes("a")
        #expect(raw.dtype == .u8 && raw.shape == [3] && Array(raw.data) == [9, 8, 7])
    }

    @Test func noTensorsAtAll() throws {
        #expect(try open(safetensors(header: "{}", body: Data())).names.isEmpty)
    }

    @Test func headerPaddedWithSpaces() throws {
        let file = try open(
            safetensors(header: "{\(entry("x", shape: "[1]", offsets: "[0, 1]"))}    ", body: Data([5])))
        #expect(Array(try file.bytes("x").data) == [5])
    }

    @Test func sliceOfLargerData() throws {
        let whole = Data([1, 2, 3]) + safetensors(["x": TestTensor([2], [0.5, -2])])
        #expect(try open(whole.dropFirst(3)).tensor("x", shape: [2]).floats == [0.5, -2])
    }

    @Test func mappedFileGivesTheSame() throws {
        let folder = try TemporaryFolder()
        let seed = freshSeed()
        let data = safetensors(TinyModel.tensors(seed: seed))
        try folder.write("m.safetensors", data)
        let mapped = try SafeTensors(path: folder.path + "/m.safetensors")
        let memory = try open(data)
        #expect(mapped.tensors == memory.tensors)
        for (name, info) in memory.tensors {
            #expect(
                try mapped.tensor(name, shape: info.shape).floats == memory.tensor(name, shape: info.shape).floats,
                "seed \(seed), tensor \(name)")
        }
    }

    // MARK: Conversions

    @Test func everyHalfWidensAsFloat16Does() throws {
        let bits = (0...UInt16.max).map { $0 }
        let bytes = bits.reduce(into: Data()) { $0 += littleEndian($1) }
        let found = try one("F16", [65536], bytes).tensor("x", shape: [65536]).floats
        let wrong = bits.filter { Float(Float16(bitPattern: $0)).bitPattern != found[Int($0)].bitPattern }
        // A signalling NaN stays signalling here, but a float conversion makes it quiet: both are NaN.
        #expect(wrong.allSatisfy { Float16(bitPattern: $0).isNaN && found[Int($0)].isNaN })
        #expect(wrong.allSatisfy { $0 & 0x0200 == 0 })
    }

    @Test(
        arguments: [
            (0x0000, 0.0), (0x0001, 0x1p-24), (0x03ff, 0x1.ff8p-15), (0x8001, -0x1p-24), (0x0400, 0x1p-14),
            (0x3c00, 1),
            (0xc000, -2), (0x3555, 0.333251953125), (0x7bff, 65504), (0x7c00, Float.infinity),
            (0xfc00, -Float.infinity),
        ] as [(UInt16, Float)])
    func knownHalves(bits: UInt16, value: Float) throws {
        #expect(try one("F16", [1], littleEndian(bits)).tensor("x", shape: [1]).floats == [value])
    }

    @Test func halfKeepsTheSignOfZeroAndNaN() throws {
        let values = try one("F16", [2], littleEndian(UInt16(0x8000)) + littleEndian(UInt16(0x7e00)))
            .tensor("x", shape: [2]).floats
        #expect(values[0] == 0 && values[0].sign == .minus)
        #expect(values[1].isNaN)
    }

    @Test func bfloatIsTheUpperHalfOfAFloat() throws {
        let bits: [UInt16] = [0x0000, 0x8000, 0x0001, 0x007f, 0x3f80, 0xbf80, 0x4049, 0x7f7f, 0x7f80, 0xff80]
        let bytes = bits.reduce(into: Data()) { $0 += littleEndian($1) }
        let found = try one("BF16", [2, 5], bytes).tensor("x", shape: [2, 5]).floats
        #expect(found.map(\.bitPattern) == bits.map { UInt32($0) << 16 })
        #expect(found[2] == 0x1p-133 && found[4] == 1 && found[6] == 3.140625 && found[8] == .infinity)
    }

    @Test func doubleRoundsToNearest() throws {
        let values: [Double] = [0.1, -0x1p-140, 1 + 0x1p-24, 1 + 0x1p-24 + 0x1p-50, 1e300]
        let bytes = values.reduce(into: Data()) { $0 += littleEndian($1.bitPattern) }
        let found = try one("F64", [5], bytes).tensor("x", shape: [5]).floats
        #expect(found == [0.1, -0x1p-140, 1, 1 + 0x1p-23, .infinity])
    }

    @Test func floatsStartingAtAnOddByte() throws {
        let seed = freshSeed()
        var random = SplitMix64(seed: seed)
        let values = (0..<33).map { _ in Float.random(in: -9...9, using: &random) }
        let halves = values.map { Float16($0) }
        let file = try open(
            safetensors([
                "a": TestTensor(dtype: "U8", shape: [1], bytes: Data([0])), "b": TestTensor([33], values),
                "c": TestTensor(
                    dtype: "F16", shape: [33],
                    bytes: halves.reduce(into: Data()) { $0 += littleEndian($1.bitPattern) }),
            ]))
        #expect(try file.tensor("b", shape: [33]).floats == values, "seed \(seed)")
        #expect(try file.tensor("c", shape: [33]).floats == halves.map { Float($0) }, "seed \(seed)")
    }

    // MARK: Requests that do not match

    @Test func otherShapeNamesBoth() throws {
        let file = try one("F32", [2, 3], Data(count: 24))
        #expect(
            message { _ = try file.tensor("x", shape: [3, 2]).floats }
                == "m.safetensors: tensor x: expected shape [3, 2], found [2, 3]")
    }

    @Test func absentTensor() throws {
        let file = try one("F32", [1], Data(count: 4))
        #expect(
            message { _ = try file.tensor("y", shape: [1]).floats }
                == "m.safetensors: tensor y: the file does not have it")
    }

    @Test func integersAreNotFloats() throws {
        let file = try one("I64", [1], Data(count: 8))
        #expect(
            message { _ = try file.tensor("x", shape: [1]).floats }
                == "m.safetensors: tensor x: expected type F32, F16, BF16 or F64, found I64")
    }

    // MARK: Malformed files

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

    // MARK: Non-finite values

    @Test func largestAndSmallestFloatsAreFinite() throws {
        let values: [Float] = [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 0]
        #expect(try one("F32", [4], floatBytes(values)).tensor("x", shape: [4]).firstNonFinite == nil)
        #expect(try one("F32", [0], Data()).tensor("x", shape: [0]).firstNonFinite == nil)
    }

    /// 1, -infinity, NaN in every type; the largest Double is not a finite Float.
    @Test(arguments: [
        ("F32", floatBytes([1, -.infinity, .nan])),
        ("F16", [0x3c00, 0xfc00, 0x7e00].reduce(into: Data()) { $0 += littleEndian(UInt16($1)) }),
        ("BF16", [0x3f80, 0xff80, 0x7fc0].reduce(into: Data()) { $0 += littleEndian(UInt16($1)) }),
        ("F64", [1, -Double.greatestFiniteMagnitude, .nan].reduce(into: Data()) { $0 += littleEndian($1.bitPattern) }),
    ])
    func theFirstValueThatIsNotFinite(dtype: String, bytes: Data) throws {
        let found = try #require(try one(dtype, [3], bytes).tensor("x", shape: [3]).firstNonFinite)
        #expect(found == (1, -.infinity))
    }

    // MARK: Random damage

    /// A valid file after any change is read or refused without a trap, and what is read lies within the file.
    @Test func mutationsNeverTrap() {
        let seed = freshSeed()
        var random = SplitMix64(seed: seed)
        let valid = safetensors([
            "a": TestTensor([2, 2], [1, 2, 3, 4]),
            "b": TestTensor(dtype: "F16", shape: [3], bytes: Data(count: 6)),
            "c": TestTensor(dtype: "BF16", shape: [1], bytes: Data(count: 2)),
            "d": TestTensor(dtype: "F64", shape: [1], bytes: Data(count: 8)),
        ])
        let spice = Array("0123456789-.eE[]{}\",: \\u".utf8) + [0, 0x7f, 0x80, 0xff]
        var read = 0
        for _ in 0..<3000 {
            var data = valid
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                guard !data.isEmpty else { break }
                let at = Int.random(in: 0..<data.count, using: &random)
                switch Int.random(in: 0..<5, using: &random) {
                case 0: data[at] = UInt8.random(in: 0...255, using: &random)
                case 1: data[at] = spice.randomElement(using: &random) ?? 0
                case 2: data.remove(at: at)
                case 3: data.insert(spice.randomElement(using: &random) ?? 0, at: at)
                default: data = Data(data.prefix(at))
                }
            }
            guard let file = try? open(data) else { continue }
            read += 1
            for (name, info) in file.tensors {
                _ = try? file.tensor(name, shape: info.shape).floats
                #expect((try? file.bytes(name))?.data.count == info.range.count, "seed \(seed)")
            }
        }
        #expect(read > 0, "seed \(seed)")
    }
}
