import Foundation
import Testing
import ViT

/// Faulty files of class texts.
struct TextClassesTests {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    /// The message for a file with one tensor of zeros
    private func message(_ metadata: [String: String], _ tensor: String = "embeddings", _ shape: [Int] = [2, 3]) throws
        -> String?
    {
        let count = shape.reduce(1, *)
        let header: [String: Any] = [
            "__metadata__": metadata,
            tensor: ["dtype": "F32", "shape": shape, "data_offsets": [0, 4 * count]],
        ]
        let json = try JSONSerialization.data(withJSONObject: header)
        var data = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
        data += json + Data(count: 4 * count)
        let path = folder.appendingPathComponent("texts.safetensors").path
        try data.write(to: URL(fileURLWithPath: path))
        do {
            let classes = try TextClasses(path: path)
            #expect(classes.names == ["a", "b"])
            return nil
        } catch { return "\(error)".replacingOccurrences(of: path, with: "FILE") }
    }

    @Test func faultsAreNamed() throws {
        let good = ["names": #"["a", "b"]"#, "logit_scale": "10.5", "logit_bias": "-1"]
        #expect(try message(good) == nil)
        #expect(try message(good.filter { $0.key != "logit_bias" }) == nil)
        for names in [nil, "a, b", "[]", "[1, 2]"] {
            #expect(
                try message(good.merging(["names": names ?? ""]) { $1 })
                    == "FILE: its metadata has no names, a JSON list of the classes' names")
        }
        for (key, value) in [("logit_scale", "ten"), ("logit_scale", "inf"), ("logit_bias", "")] {
            #expect(try message(good.merging([key: value]) { $1 }) == "FILE: its metadata has no number \(key)")
        }
        #expect(
            try message(good, "texts")
                == "FILE: tensor embeddings: missing, expected one row for each of 2 names")
        for shape in [[3, 3], [6], [2, 0]] {
            #expect(
                try message(good, "embeddings", shape)
                    == "FILE: tensor embeddings: found \(shape), expected one row for each of 2 names")
        }
    }
}
