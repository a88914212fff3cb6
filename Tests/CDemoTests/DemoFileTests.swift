import CDemo
import Foundation
import Testing

/// If this fails after a change in Demo/, touch Sources/CDemo/demo.S, which embeds the files.
@Test(arguments: [
    "colour/config.json", "colour/model.safetensors", "colour/preprocessor_config.json",
    "gray/config.json", "gray/model.safetensors", "gray/preprocessor_config.json",
    "images.safetensors",
])
func embeddedBytesEqualTheFile(path: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let file = try Data(contentsOf: root.appending(path: "Demo/\(path)"))
    var count = -1
    let bytes = try #require(vitpatch_demo_file(path, &count))
    #expect(!file.isEmpty)
    #expect(Data(bytes: bytes, count: count) == file)
    #expect(Int(bitPattern: bytes) % 64 == 0)
}

@Test(arguments: ["", "colour", "colour/", "config.json", "images.safetensors/", "Images.safetensors"])
func unknownPathsHaveNoBytes(path: String) {
    var count = -1
    #expect(vitpatch_demo_file(path, &count) == nil)
    #expect(count == 0)
}
