import Foundation
import TestSupport
import Testing
@testable import Images

@Suite struct CIFARTests {
    /// Binary records: `labels` bytes, then [3, 32, 32]
    private func expectRecords(_ data: ImageDataset, _ records: [UInt8], labelBytes: Int) throws {
        let size = labelBytes + 3072
        #expect(data.count == records.count / size)
        for i in 0..<data.count {
            let record = Array(records[i * size..<(i + 1) * size])
            #expect(data.classIndex(i) == Int(record[labelBytes - 1]))
            let image = try data.load(i)
            #expect(image.width == 32 && image.height == 32)
            for (c, y, x) in [(0, 0, 0), (1, 0, 31), (2, 31, 0), (0, 17, 5), (2, 31, 31)] {
                #expect(image.pixels[(y * 32 + x) * 3 + c] == record[labelBytes + c * 1024 + y * 32 + x])
            }
        }
    }

    @Test func binary10() throws {
        let folder = try TemporaryFolder()
        let records = try fixture("cifar/10/expected.raw")
        try folder.write("data_batch_2.bin", Array(records[..<3073]))
        try folder.write("data_batch_1.bin", records)
        let training = try ImageDataset(path: folder.path)
        #expect(
            ids(training) == [
                "data_batch_1.bin:0", "data_batch_1.bin:1", "data_batch_1.bin:2", "data_batch_2.bin:0",
            ])
        #expect(training.classNames.first == "airplane")
        try expectRecords(training, records + records[..<3073], labelBytes: 1)

        // The test batch takes precedence, and names come from the folder.
        try folder.write("test_batch.bin", Array(records[3073...]))
        try folder.write("batches.meta.txt", Array("a\nb\r\nc\nd\ne\nf\ng\nh\ni\nj\n\n".utf8))
        let test = try ImageDataset(path: folder.path)
        #expect(ids(test) == ["test_batch.bin:0", "test_batch.bin:1"])
        #expect(test.classNames == "abcdefghij".map(String.init))
        try expectRecords(test, Array(records[3073...]), labelBytes: 1)
    }

    @Test func binary100() throws {
        let folder = try TemporaryFolder()
        let records = try fixture("cifar/100/expected.raw")
        try folder.write("train.bin", records)
        #expect(
            message { _ = try ImageDataset(path: folder.path) }?.contains(
                "fine_label_names.txt: it cannot be read") == true)
        try folder.write("fine_label_names.txt", Array((0..<100).map { "n\($0)\n" }.joined().utf8))
        let data = try ImageDataset(path: folder.path)
        #expect(data.classNames.count == 100)
        try expectRecords(data, records, labelBytes: 2)
    }

    @Test func python() throws {
        let ten = try ImageDataset(path: fixtures.path + "/cifar/10")
        #expect(ids(ten) == ["test_batch:0", "test_batch:1", "test_batch:2"])
        try expectRecords(ten, fixture("cifar/10/expected.raw"), labelBytes: 1)
        let hundred = try ImageDataset(path: fixtures.path + "/cifar/100")
        #expect(hundred.classNames[99] == "class99")
        try expectRecords(hundred, fixture("cifar/100/expected.raw"), labelBytes: 2)
    }

    @Test("the python version, pickled by every protocol", arguments: 0...5)
    func protocols(number: Int) throws {
        let data = try ImageDataset(path: fixtures.path + "/cifar/protocol-\(number)")
        let expected = try ImageDataset(path: fixtures.path + "/cifar/10")
        #expect(data.count == 2 && (0..<2).map(data.classIndex) == (0..<2).map(expected.classIndex))
        for i in 0..<2 { #expect(try data.load(i) == expected.load(i)) }
    }

    @Test func theFolderAboveIsEnough() throws {
        let folder = try TemporaryFolder()
        try folder.write("cifar-10-batches-py/test_batch", try fixture("cifar/10/test_batch"))
        try folder.write("cifar-10-python.tar.gz", [])
        #expect(try ImageDataset(path: folder.path).count == 3)
    }

    @Test func damage() throws {
        let folder = try TemporaryFolder()
        var records = try fixture("cifar/10/expected.raw")
        try folder.write("test_batch.bin", Array(records.dropLast()))
        #expect(
            message { _ = try ImageDataset(path: folder.path) }?.contains(
                "9218 bytes, expected a multiple of 3073") == true)
        try folder.write("test_batch.bin", [])
        #expect(message { _ = try ImageDataset(path: folder.path) } != nil)
        records[3073] = 10
        try folder.write("test_batch.bin", records)
        #expect(
            message { _ = try ImageDataset(path: folder.path) }?.contains(
                "record 1 has label 10, expected less than 10") == true)
        records[3073] = 1
        try folder.write("test_batch.bin", records)
        let data = try ImageDataset(path: folder.path)
        try folder.write("test_batch.bin", Array(records[..<4000]))
        #expect(message { _ = try data.load(2) }?.contains("test_batch.bin: it cannot be read") == true)
    }

    @Test("damaged pickles are errors or read, never a trap")
    func pickles() throws {
        var random = SplitMix64.fresh()
        for file in ["cifar/10/test_batch", "cifar/100/train", "cifar/100/meta"] {
            let bytes = try fixture(file)
            // The structure is at both ends; the middle is pixels.
            let interesting = bytes.indices.filter { $0 < 400 || $0 > bytes.count - 100 }
            for at in interesting {
                #expect(throws: ImageError.self) { try CIFARBatch(Array(bytes[..<at]), path: file) }
                var broken = bytes
                broken[at] = .random(in: 0...255, using: &random)
                if let pickle = try? CIFARBatch(broken, path: file) {
                    _ = try? pickle.integers("labels")
                    _ = try? pickle.strings("fine_label_names")
                    if case .range(let range)? = try? pickle.byteArray("data", columns: 3072) {
                        #expect(range.upperBound <= broken.count && range.count % 3072 == 0, "seed \(random.seed)")
                    }
                }
            }
        }
        // Deep nesting
        let deep = [UInt8](repeating: 0x5D, count: 100_000) + Array(".".utf8)
        #expect(throws: ImageError.self) { try CIFARBatch(deep, path: "deep") }
        let tuples = Array("N".utf8) + [UInt8](repeating: 0x85, count: 100_000) + Array(".".utf8)
        #expect(throws: ImageError.self) { try CIFARBatch(tuples, path: "tuples") }
        // A call is recorded, not made
        #expect(throws: ImageError.self) {
            try CIFARBatch(Array("cos\nsystem\nU\u{4}true\u{85}R.".utf8), path: "call")
        }
    }
}
