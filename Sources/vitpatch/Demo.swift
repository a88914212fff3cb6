import CDemo
import Foundation
import Images
import ViT

/// The embedded models and images (made by scripts/demo).
enum Demo {
    static let colour = "colour", gray = "gray"

    static func file(_ path: String) throws -> Data {
        var count = 0
        guard let bytes = vitpatch_demo_file(path, &count) else {
            throw CommandError("the demo file \(path) is not in this program")
        }
        // The bytes live as long as the program.
        return Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: bytes), count: count, deallocator: .none)
    }

    static func model(_ name: String) throws -> Checkpoint {
        try Checkpoint(
            config: file("\(name)/config.json"), weights: file("\(name)/model.safetensors"),
            preprocessor: file("\(name)/preprocessor_config.json"), name: "demo (\(name))")
    }

    static func images() throws -> ImageDataset {
        let file = try SafeTensors(data: file("images.safetensors"), name: "images.safetensors (demo)")
        let (_, shape, pixels) = try file.bytes("images")
        let labels = try file.bytes("labels").data
        func list(_ key: String) throws -> [String] {
            guard let text = file.metadata[key],
                let values = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String]
            else { throw CommandError("\(file.name) has no list \"\(key)\" in its metadata") }
            return values
        }
        guard shape.count == 4 else { throw CommandError("\(file.name): images has shape \(shape)") }
        let values = [UInt8](labels)
        let indices = stride(from: 0, to: values.count - values.count % 8, by: 8).map { Int(values[$0]) }
        return try ImageDataset(
            name: "demo", classNames: try list("classes"), ids: try list("ids"), labels: indices, width: shape[2],
            height: shape[1], pixels: [UInt8](pixels))
    }
}
