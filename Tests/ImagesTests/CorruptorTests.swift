import Formats
import Foundation
import TestSupport
import Testing

@testable import Images

/// Input size 20 x 20, from source.png or random images
private let preprocessor = try? Preprocessor(config: nil, imageSize: 20)

private func plain() throws -> Preprocessor { try #require(preprocessor) }

/// `count` random images of 9 x 7 pixels
private func memory(_ count: Int, using random: inout SplitMix64) throws -> ImageDataset {
    var bytes: [UInt8] = []
    for _ in 0..<count { bytes += try random.image(width: 9, height: 7).pixels }
    return try ImageDataset(
        name: "memory", classNames: ["a"], ids: (0..<count).map { "image \($0)" },
        labels: Array(repeating: 0, count: count), width: 9, height: 7, pixels: bytes)
}

private func corruptor(
    _ spec: String, _ dataset: ImageDataset? = nil, patchSize: PixelSize = 4, seed: UInt64 = 7
) throws -> Corruptor {
    var random = SplitMix64(seed: 1)
    return try Corruptor(
        Corruption(spec: spec), dataset: dataset ?? memory(1, using: &random), preprocessor: plain(),
        patchSize: patchSize, seed: seed)
}

extension Corruptor {
    /// The corrupted source.png
    fileprivate func corrupted(index: Int = 0, id: String = "source.png", sample: Int = 2) throws -> [Float] {
        let image = try source()
        return try self(image: image, index: index, id: id, sample: sample, clean: plain()(image))
    }
}

/// The 5 x 5 patches that are 0 in all pixels and channels; no other pixel may be 0.
private func zeroed(_ tensor: [Float]) -> Set<Int> {
    var patches: Set<Int> = []
    var zeros = 0
    for patch in 0..<25 {
        let values = (0..<3).flatMap { c in
            (0..<16).map { tensor[c * 400 + (patch / 5 * 4 + $0 / 4) * 20 + patch % 5 * 4 + $0 % 4] }
        }
        if values.allSatisfy({ $0 == 0 }) { patches.insert(patch) }
        zeros += values.count { $0 == 0 }
    }
    #expect(zeros == patches.count * 48)
    return patches
}

@Suite struct CorruptorTests {
    @Test func noneAndNoiseLeaveTheCleanTensor() throws {
        let clean = try plain()(source())
        for spec in ["none", "noise:2"] { #expect(try corruptor(spec).corrupted() == clean) }
        let noise = try Corruption(spec: "noise:2")
        #expect(noise.stage == .device && noise.embeddingNoise == EmbeddingNoise(strength: 2))
    }

    @Test(arguments: [
        ("grayscale", "gray"), ("blur:2.5", "corrupt/blur-2.5"), ("channel:g", "corrupt/channel-g"),
        ("shuffle:2", "corrupt/shuffle-2"), ("shuffle:4", "corrupt/shuffle-4"), ("shuffle:23", "corrupt/shuffle-23"),
    ])
    func sourceCorruptionsComeBeforePreprocessing(spec: String, file: String) throws {
        #expect(try Corruption(spec: spec).stage == .source)
        #expect(try corruptor(spec).corrupted() == plain()(ppm(file + ".ppm")))
    }

    @Test func patchesMustFit() throws {
        #expect(
            message { _ = try corruptor("none", patchSize: 21) }
                == "Patches of 21 x 21 pixels do not fit into an image of 20 x 20.")
        // Pixels beyond the last whole patch belong to no patch.
        let grid = try PatchGrid(imageSize: 5, patchSize: 2)
        let image = [Float](repeating: 1, count: 75)
        let rest = try grid.zeroing(0..<4, in: image)
        #expect(grid.count == 4 && rest.reduce(0, +) == 75 - 48)
        #expect(message { _ = try corruptor("none", patchSize: 0) } != nil)
    }

    @Test(
        "random choices depend on seed, id and sample, and on nothing else",
        arguments: ["shuffle:3", "mask:0.5"])
    func randomChoices(spec: String) throws {
        #expect(try Corruption(spec: spec).isRandom)
        let seven = try corruptor(spec), other = try corruptor(spec, seed: 8)
        let one = try seven.corrupted(sample: 0)
        #expect(try seven.corrupted(sample: 1) != one)
        #expect(try seven.corrupted(id: "b", sample: 0) != one)
        #expect(try other.corrupted(sample: 0) != one)
        var random = SplitMix64.fresh()
        let more = try corruptor(spec, memory(3, using: &random))
        #expect(try more.corrupted(index: 2, sample: 0) == one)
        #expect(try seven.corrupted(sample: 0) == one)
    }

    // MARK: shuffle

    @Test func shufflePermutesCells() throws {
        var random = SplitMix64.fresh()
        for _ in 0..<20 {
            let n = Int.random(in: 2...5, using: &random), side = Int.random(in: 1...4, using: &random)
            let image = try random.image(width: n * side, height: n * (side + 1))
            func cells(_ image: RGBImage) -> [[UInt8]] {
                (0..<n * n).map { cell in
                    (0..<side + 1).flatMap { y in
                        let start = ((cell / n * (side + 1) + y) * image.width + cell % n * side) * 3
                        return image.pixels[start..<start + side * 3]
                    }
                }
            }
            let key = RandomKey(seed: random.seed, imageID: "x", sample: 0, purpose: .shuffle)
            let order = key.permutation(n * n, mayBeIdentity: false)
            let shuffled = cells(image.shuffled(cells: n, order: order)), original = cells(image)
            #expect(shuffled == order.map { original[$0] }, "seed \(random.seed)")
            #expect(order != Array(0..<n * n))
        }
    }

    @Test func theIdentityOrderKeepsAnyImage() throws {
        var random = SplitMix64.fresh()
        for _ in 0..<20 {
            let n = Int.random(in: 2...6, using: &random)
            let image = try random.image(
                width: .random(in: n...13, using: &random), height: .random(in: n...13, using: &random))
            #expect(image.shuffled(cells: n, order: Array(0..<n * n)) == image, "seed \(random.seed)")
        }
    }

    @Test func tooManyCells() {
        #expect(
            message { _ = try corruptor("shuffle:24").corrupted() }
                == "The corruption 'shuffle:24' needs images of at least 24 x 24 pixels, but source.png has 37 x 23.")
    }

    // MARK: mask

    @Test func masksAreExactAndNested() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let clean = try plain()(source())
        for sample in 0..<5 {
            var smaller: Set<Int> = []
            for (spec, count) in [("mask:0", 0), ("mask:0.1", 3), ("mask:0.25", 6), ("mask:0.5", 13), ("mask:1", 25)] {
                let tensor = try corruptor(spec, seed: seed).corrupted(sample: sample)
                let patches = zeroed(tensor)
                #expect(patches.count == count, "seed \(seed)")  // 2.5 and 12.5 patches round up
                #expect(patches.isSuperset(of: smaller), "seed \(seed)")
                #expect(zip(tensor, clean).allSatisfy { $0 == 0 || $0 == $1 })
                smaller = patches
            }
        }
    }

    @Test func givenMask() throws {
        let path = fixtures.appendingPathComponent("corrupt/mask.png").path
        let corrupted = try corruptor("mask:\(path)").corrupted()
        #expect(zeroed(corrupted) == Set(try RandomFixture.load().dark))
        #expect(try !Corruption(spec: "mask:\(path)").isRandom)
    }

    @Test func missingMask() {
        let text = message { _ = try corruptor("mask:/nowhere/mask.png") }
        #expect(text?.contains("/nowhere/mask.png: it cannot be read") == true)
    }

    @Test func maskOfAnotherSize() throws {
        let mask = try corruptor("mask:0.5"), image = try source()
        #expect(
            message { _ = try mask(image: image, index: 0, id: "", sample: 0, clean: [1, 2]) }
                == "A preprocessed image has 2 values, expected 3 x 20 x 20.")
    }

    // MARK: mean

    @Test(arguments: [1, 63, 64, 65, 150])
    func meanEqualsTheNaiveOne(count: Int) throws {
        var random = SplitMix64.fresh()
        let dataset = try memory(count, using: &random)
        var sums = [Double](repeating: 0, count: 1200)
        for i in 0..<count {
            for (j, value) in try plain()(dataset.load(i)).enumerated() { sums[j] += Double(value) }
        }
        var calls: [[Int]] = []
        let mean = try Corruptor(
            Corruption(spec: "mean"), dataset: dataset, preprocessor: plain(), patchSize: 4, seed: 0,
            progress: { calls.append([$0, $1]) })
        let expected = sums.map { Float($0 / Double(count)) }
        #expect(try mean.corrupted() == expected, "seed \(random.seed)")
        #expect(try mean.corrupted(id: "other", sample: 9) == expected)
        #expect(calls.last == [count, count])
    }

    @Test func meanOfNothing() throws {
        let empty = try ImageDataset(
            name: "empty", classNames: ["a"], ids: [], labels: [], width: 2, height: 2, pixels: [UInt8]())
        #expect(message { _ = try corruptor("mean", empty) } == "empty: it has no images to average.")
    }

    @Test func meanNamesTheFirstFileThatCannotBeRead() throws {
        let folder = try TemporaryFolder()
        for i in 0..<9 { try folder.write("a/\(i).png", i == 3 || i == 7 ? [0] : fixture("source.png")) }
        let text = message { _ = try corruptor("mean", ImageDataset(path: folder.path)) }
        #expect(text == "\(folder.path)/a/3.png cannot be decoded: it is not a PNG, JPEG, WebP, GIF, BMP or TIFF file.")
    }

    // MARK: pair

    @Test func partnersBySameNameOrSameStem() throws {
        let data = try TemporaryFolder(), partners = try TemporaryFolder()
        let files = ["decode/444.jpg", "decode/rgb8.png", "decode/gray.jpg", "decode/420.jpg"]
        for (i, name) in ["0.JPG", "1.jpeg", "2.png", "3.png"].enumerated() {
            try data.write("a/\(name)", fixture("source.png"))
            try partners.write("a/\(["0.JPG", "1.png", "2.JPEG", "3.jpg"][i])", fixture(files[i]))
        }
        try partners.write("a/0.png", fixture("gray.ppm"))  // not read: the exact name takes precedence
        let dataset = try ImageDataset(path: data.path)
        let pair = try corruptor("pair:\(partners.path)", dataset)
        for (i, file) in files.enumerated() {
            let expected = try plain()(decodeImage(fixture(file), name: file))
            #expect(try pair.corrupted(index: i) == expected)
        }
        #expect(
            message { _ = try pair.corrupted(index: 4, id: "a/4.png") }
                == "The corruption 'pair:\(partners.path)' has 4 partners, and none for image 4, a/4.png.")
    }

    @Test func partnersOfRecords() throws {
        let folder = try TemporaryFolder()
        for i in 0..<2 { try folder.write("test_batch.bin:\(i).png", fixture("source.png")) }
        let dataset = try ImageDataset(
            name: "cifar", classNames: ["a"], ids: ["test_batch.bin:0", "test_batch.bin:1"], labels: [0, 0], width: 1,
            height: 1, pixels: [UInt8](repeating: 0, count: 6))
        let clean = try plain()(source())
        #expect(try corruptor("pair:\(folder.path)", dataset).corrupted(index: 1) == clean)
    }

    @Test func missingPartners() throws {
        let data = try TemporaryFolder(), partners = try TemporaryFolder()
        for i in 0..<4 { try data.write("a/\(i).png", fixture("source.png")) }
        for i in [0, 2, 3] { try partners.write("a/\(i).jpg", [0]) }
        let dataset = try ImageDataset(path: data.path)
        let spec = "pair:\(partners.path)"
        let sentence =
            "\(partners.path)/a/1.png: there is no such file, nor one with another image extension, to pair with "
            + "\(data.path)/a/1.png"
        #expect(message { _ = try corruptor(spec, dataset) } == sentence + ".")
        try FileManager.default.removeItem(atPath: partners.path + "/a/3.jpg")
        #expect(message { _ = try corruptor(spec, dataset) } == sentence + " (and 1 more).")
        try partners.write("a/1.png", [0])
        try partners.write("a/3.png", [0])
        let pair = try corruptor(spec, dataset)
        let text = message { _ = try pair.corrupted(index: 0) }
        #expect(text?.hasPrefix("\(partners.path)/a/0.jpg cannot be decoded") == true)
        #expect(
            message { _ = try corruptor("pair:/nowhere", dataset) } == "/nowhere: there is no such folder.")
    }
}
