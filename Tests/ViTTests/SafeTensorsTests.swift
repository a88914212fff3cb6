import Foundation
import TestSupport
import Testing

@testable import ViT

@Suite struct SafeTensorsTests {
    func open(_ data: Data) throws -> SafeTensors { try SafeTensors(data: data, name: "m.safetensors") }

    func one(_ dtype: String, _ shape: [Int], _ bytes: Data) throws -> SafeTensors {
        try open(safetensors(["x": TestTensor(dtype: dtype, shape: shape, bytes: bytes)]))
    }

    func entry(_ name: String, dtype: String = "U8", shape: String, offsets: String) -> String {
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
