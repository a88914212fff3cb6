import Foundation
import TestSupport
import Testing

@testable import Results

@Suite struct NPZTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func store(_ random: inout SplitMix64) throws -> ResultsStore {
        var manifest = testManifest(patches: 3, corruptions: ["grayscale", "noise:0.5"])
        (manifest.patches[2].control, manifest.patches[2].extent) = (true, "attn_out 3 layers")
        let store = try ResultsStore.create(folder: folder.path, manifest: manifest)
        for index in 0..<4 {
            for corruption in 0..<2 {
                let kept = index != 1
                // One image lacks a patch, as after an interruption.
                let patches = index == 3 ? 0..<2 : 0..<3
                try store.append(
                    images: [
                        randomImage(
                            index, corruption: corruption, id: ["a", "", "ünï/é👀", "b"][index], kept: kept, &random)
                    ],
                    effects: kept ? randomEffects(index, corruption: corruption, patches: patches, &random) : [])
            }
        }
        return store
    }

    private func bytes(_ store: ResultsStore, large: UInt64 = 0xFFFF_FFFF) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try store.exportNPZ(large: large) { bytes += $0 }
        return bytes
    }

    /// The arrays hold the same values as the CSV.
    @Test func sameNumbersAsTheCSV() throws {
        var random = SplitMix64.fresh()
        let store = try store(&random)
        let arrays = try readZip(bytes(store)).mapValues { try Array1(npy: $0) }
        let lines = try store.exported().split(separator: "\n").dropFirst()
            .map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        #expect(lines.count == 16)
        let columns = ResultsStore.exportColumns + ResultsStore.furtherColumns
        func column(_ name: String) throws -> Int { try #require(columns.firstIndex(of: name)) }
        func array(_ name: String) throws -> Array1 { try #require(arrays[name + ".npy"], "\(name)") }
        let rows = try array("image").text.indices.map {
            ($0, try array("image").text[$0], try array("corruption").text[$0])
        }
        #expect(rows.map(\.1) == ["a", "a", "ünï/é👀", "ünï/é👀", "b", "b"])
        var seen = 0
        for (row, id, corruption) in rows {
            for patch in 0..<3 {
                let line = lines.first {
                    $0[0] == id && $0[4] == corruption && $0[7] == "\(patch)"
                }
                for name in ["p", "logit", "logit_diff", "kl", "log_odds"] {
                    let value = try array(name + "_patched").floats[row * 3 + patch]
                    let wanted = try line.flatMap { Float($0[try column(name + "_patched")]) } ?? .nan
                    #expect(value == wanted || value.isNaN && wanted.isNaN, "seed \(random.seed)")
                    for pass in ["clean", "corrupted"] where name != "kl" {
                        if let line {
                            #expect(
                                try array("\(name)_\(pass)").floats[row] == Float(line[try column("\(name)_\(pass)")]))
                        }
                    }
                }
                #expect(
                    try array("pred_patched").ints[row * 3 + patch]
                        == (line.flatMap { Int($0[try column("pred_patched")]) } ?? -1))
                guard let line else { continue }
                seen += 1
                for name in ["label", "target", "foil", "pred_clean", "pred_corrupted"] {
                    #expect(try array(name).ints[row] == Int(line[try column(name)]))
                }
            }
        }
        #expect(seen == 16)
        #expect(try array("p_patched").shape == "(6, 3)" && array("label").shape == "(6,)")
        #expect(try array("layer").text == ["0", "1", "2"] && array("head").text == ["", "", ""])
        #expect(try array("class_names").text == ["cat", "dog, \"wild\""])
        #expect(try array("extent").text == ["", "", "attn_out 3 layers"] && array("control").ints == [0, 0, 1])
        #expect(arrays.count == 6 + 2 + 5 + 9 + 7 + 4)
        #expect(try array("patch_with").text == ["clean"] && array("donor").text == [""])
    }

    /// 64-bit fields hold the same values where they are used, and equal results give equal files.
    @Test func zip64() throws {
        var random = SplitMix64.fresh()
        let store = try store(&random)
        let small = try bytes(store), large = try bytes(store, large: 1)
        #expect(try small != large && small == bytes(store))
        #expect(try readZip(large) == readZip(small))
        #expect(try readZip(large).count == 33)
        try store.exportNPZ(to: folder.path + "/x.npz")
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: folder.path + "/x.npz"))) == small)
    }

    @Test func anEmptyStore() throws {
        let store = try ResultsStore.create(folder: folder.path, manifest: testManifest(patches: 1))
        let arrays = try readZip(bytes(store)).mapValues { try Array1(npy: $0) }
        #expect(arrays["p_patched.npy"]?.shape == "(0, 1)" && arrays["image.npy"]?.text == [])
    }

    @Test func headersFillBlocks() {
        for shape in [[0], [1], [123_456_789], [10, 20], [Int.max, Int.max]] {
            let header = NPY.header("<f4", shape)
            #expect(header.count % 64 == 0 && header.last == 0x0A)
            #expect(Int(header[8]) + Int(header[9]) << 8 == header.count - 10)
        }
        #expect(NPY.text("a", width: 2) == [0x61, 0, 0, 0, 0, 0, 0, 0] && NPY.text("", width: 0) == [0, 0, 0, 0])
    }
}

private struct Broken: Error { var what: String }

/// An independent ZIP reader: central directory, local headers, checksums (bit by bit).
func readZip(_ bytes: [UInt8]) throws -> [String: [UInt8]] {
    func number(_ at: Int, _ width: Int) throws -> Int {
        guard at >= 0, at + width <= bytes.count else { throw Broken(what: "\(at) is outside") }
        return bytes[at..<at + width].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    func need(_ condition: Bool, _ what: String) throws { if !condition { throw Broken(what: what) } }
    let end = bytes.count - 22
    try need(try number(end, 4) == 0x0605_4B50, "end record")
    var count = try number(end + 10, 2), start = try number(end + 16, 4), size = try number(end + 12, 4)
    if start == 0xFFFF_FFFF {
        try need(try number(end - 20, 4) == 0x0706_4B50, "zip64 locator")
        let record = try number(end - 12, 8)
        try need(try number(record, 4) == 0x0606_4B50 && number(record + 4, 8) == 44, "zip64 record")
        count = try number(record + 32, 8)
        size = try number(record + 40, 8)
        start = try number(record + 48, 8)
        try need(start + size == record, "central directory's size")
    } else {
        try need(start + size == end, "central directory's size")
    }
    var found: [String: [UInt8]] = [:]
    var at = start
    for _ in 0..<count {
        try need(try number(at, 4) == 0x0201_4B50 && number(at + 10, 2) == 0, "central header")
        let crc = try number(at + 16, 4)
        var packed = try number(at + 20, 4), length = try number(at + 24, 4), local = try number(at + 42, 4)
        let name = try number(at + 28, 2), extra = try number(at + 30, 2)
        let text = String(decoding: bytes[at + 46..<at + 46 + name], as: UTF8.self)
        if extra > 0 {
            var field = at + 46 + name
            try need(try number(field, 2) == 1 && number(field + 2, 2) == extra - 4, "zip64 field")
            field += 4
            func next(_ value: inout Int) throws {
                guard value == 0xFFFF_FFFF else { return }
                value = try number(field, 8)
                field += 8
            }
            try next(&length)
            try next(&packed)
            try next(&local)
        }
        try need(packed == length, "stored sizes")
        try need(
            try number(local, 4) == 0x0403_4B50 && number(local + 14, 4) == crc && number(local + 26, 2) == name,
            "local header")
        let localSize = try number(local + 22, 4), localExtra = try number(local + 28, 2)
        if localSize == 0xFFFF_FFFF {
            try need(
                try number(local + 30 + name + 4, 8) == length && number(local + 30 + name + 12, 8) == length,
                "local zip64")
        } else {
            try need(localSize == length && localExtra == 0, "local size")
        }
        let data = local + 30 + name + localExtra
        let content = Array(bytes[data..<data + length])
        var check: UInt32 = 0xFFFF_FFFF
        for byte in content {
            check ^= UInt32(byte)
            for _ in 0..<8 { check = check & 1 == 1 ? check >> 1 ^ 0xEDB8_8320 : check >> 1 }
        }
        try need(Int(~check) == crc, "checksum of \(text)")
        found[text] = content
        at += 46 + name + extra
    }
    return found
}

/// An array file, read by its dtype.
struct Array1 {
    var shape = ""
    var floats: [Float] = []
    var ints: [Int] = []
    var text: [String] = []

    init(npy bytes: [UInt8]) throws {
        let length = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
        let header = String(decoding: bytes[10..<length], as: UTF8.self)
        guard bytes[..<8] == [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0][...], header.contains("'fortran_order': False")
        else {
            throw Broken(what: header)
        }
        shape =
            "(" + (header.components(separatedBy: "'shape': (").last?.components(separatedBy: ")").first ?? "") + ")"
        let type = header.components(separatedBy: "'descr': '<").last?.components(separatedBy: "'").first ?? ""
        let words = stride(from: length, to: bytes.count, by: 4).map { at in
            bytes[at..<at + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        if type == "f4" {
            floats = words.map { Float(bitPattern: $0) }
        } else if type == "i4" {
            ints = words.map { Int(Int32(bitPattern: $0)) }
        } else if let width = Int(type.dropFirst()), width > 0 {
            text = stride(from: 0, to: words.count, by: width).map { at in
                var string = ""
                for word in words[at..<at + width] where word != 0 {
                    if let scalar = Unicode.Scalar(word) { string.unicodeScalars.append(scalar) }
                }
                return string
            }
        } else {
            throw Broken(what: type)
        }
    }
}
