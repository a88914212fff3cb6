import Foundation
import TestSupport
import Testing

/// The layouts of users' data folders.
struct DataTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func classify(_ data: String, _ options: [String] = []) throws -> Table {
        let result = try runVitpatch(["classify", "--model", try folder.model(), "--data", data] + options)
        try #require(result.code == 0, "\(result.errors)")
        return try Table(result.output)
    }

    @Test func namesAndOrder() throws {
        let jpeg = try Data(contentsOf: fixtures.appendingPathComponent("images/decode/444.jpg"))
        for name in [
            "ash/B.PNG", "ash/a.png", "birch/x,1.png", "cedar/\"q\".png", "cedar/ä.png", "cedar/z.png",
            "dogwood/10.png",
            "dogwood/9.png", "elm/1.png",
        ] { try folder.write("data/\(name)", randomPNG(side: 12)) }
        try folder.write("data/birch/y.JPEG", jpeg)
        try folder.write("data/birch/w.Jpg", jpeg)
        for ignored in ["ash/.hidden.png", "ash/notes.txt", ".git/x.png", "readme.md"] {
            try folder.write("data/\(ignored)", Data("x".utf8))
        }
        let ids = [
            "ash/B.PNG", "birch/w.Jpg", "cedar/\"q\".png", "dogwood/10.png", "elm/1.png",
            "ash/a.png", "birch/x,1.png", "cedar/z.png", "dogwood/9.png", "birch/y.JPEG", "cedar/ä.png",
        ]
        let labels = ["0", "1", "2", "3", "4", "0", "1", "2", "3", "1", "2"]
        let table = try classify(folder("data"))
        #expect(table["image"] == ids)
        #expect(table["label"] == labels)
        let rows = try Table(
            try sweep(
                [
                    "--model", folder("model"), "--data", folder("data") + "/", "--site", "embed", "--offset", "2",
                    "--limit", "5",
                ],
                out: folder("out")))
        #expect(rows["image"] == Array(ids[2..<7]))
    }

    @Test func cifarBinary() throws {
        var bytes = Data(), pixels: [[UInt8]] = []
        for i in 0..<4 {
            pixels.append((0..<3072).map { _ in UInt8.random(in: 0 ... .max) })
            bytes += [UInt8(4 - i)] + pixels[i]
        }
        try folder.write("cifar/test_batch.bin", bytes)
        try folder.write("cifar/batches.meta.txt", Data((tinyClasses.joined(separator: "\n") + "\n\n").utf8))
        let table = try classify(folder("cifar"))
        #expect(table["image"] == (0..<4).map { "test_batch.bin:\($0)" })
        #expect(table["label"] == ["4", "3", "2", "1"])
        // The same pixels as PNG files, channel planes interleaved.
        for i in 0..<4 {
            let rgb = (0..<1024).flatMap { p in (0..<3).map { pixels[i][$0 * 1024 + p] } }
            try folder.write("folders/\(tinyClasses[4 - i])/\(i).png", png(side: 32, rgb))
        }
        let same = try classify(folder("folders"))
        #expect(same["logit_3"] == table["logit_3"].reversed() && Set(table["logit_3"]).count == 4)
    }

    @Test func classifyPrintsTheAccuracy() throws {
        let result = try runVitpatch(["classify", "--limit", "60", "--device", "0"])
        let table = try Table(result.output)
        let correct = table.rows.filter { $0["label"] == $0["prediction"] }.count
        #expect(result.code == 0 && correct >= 54)
        let share = String(format: "%.2f", 100 * Double(correct) / 60)
        #expect(result.errors == "accuracy \(share)% (\(correct) of 60 images)\n")
        for row in table.rows {
            let logits = table.header.dropFirst(4).compactMap { Double(row[$0] ?? "") }
            let label = try #require(Int(row["label"] ?? ""))
            let p = exp(logits[label]) / logits.reduce(0) { $0 + exp($1) }
            #expect(abs(try #require(Double(row["p_label"] ?? "")) - p) < 1e-5)
            #expect(row["prediction"] == logits.indices.max { logits[$0] < logits[$1] }.map { "\($0)" })
        }
        // Waves of another size, and another offset, give the same bits.
        let waves = try runVitpatch(["classify", "--offset", "10", "--limit", "50", "--memory", "8M"])
        #expect(try Table(waves.output).rows == Array(table.rows.dropFirst(10)))
    }
}
