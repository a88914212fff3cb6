import Foundation
import TestSupport
import Testing

@testable import ViT

private let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures").path

@Suite struct PyTorchFileTests {
    @Test("types, strides, shared storages", arguments: ["zip.bin", "legacy.bin", "nested.bin"])
    func everyTensor(file: String) throws {
        let found = try PyTorchFile(path: "\(fixtures)/pytorch/\(file)")
        let expected = try SafeTensors(path: "\(fixtures)/pytorch/expected.safetensors")
        #expect(Set(found.views.keys) == Set(expected.names + ["integers"]))
        for name in expected.names {
            let shape = try #require(expected.tensors[name]?.shape)
            let values = try found.tensor(name, shape: shape).floats
            #expect(try values == expected.tensor(name, shape: shape).floats, "\(name)")
        }
        #expect(
            message { _ = try found.tensor("integers", shape: [5]) }?.hasSuffix(
                "tensor integers: expected type F32, F16, BF16 or F64, found LongStorage") == true)
        #expect(
            message { _ = try found.tensor("f32", shape: [5, 3]) }?.hasSuffix("expected shape [5, 3], found [3, 5]")
                == true)
    }

    @Test func shardsOfBothLayoutsAreTheSafetensorsModel() throws {
        let bin = try Checkpoint.load(folder: "\(fixtures)/pytorch/sharded")
        let safetensors = try Checkpoint.load(folder: "\(fixtures)/tiny")
        #expect(bin.unusedTensors == safetensors.unusedTensors && bin.config == safetensors.config)
        #expect(bin.weights.position.floats == safetensors.weights.position.floats)
        for (a, b) in zip(bin.weights.layers, safetensors.weights.layers) {
            #expect(a.qkvWeight.floats == b.qkvWeight.floats && a.fc2Bias.floats == b.fc2Bias.floats)
        }
    }

    @Test func wholeModulesAreRefusedByName() {
        let path = "\(fixtures)/pytorch/module.bin"
        #expect(
            message { _ = try PyTorchFile(path: path) }?.hasPrefix(
                "\(path): not a file of tensors only: it refers to torch.nn.modules.linear.Linear, which is not "
                    + "supported")
                == true)
    }

    @Test func otherFilesAreRefused() throws {
        let folder = try TemporaryFolder(), path = folder.path + "/pytorch_model.bin"
        for text in ["", "hello", "PK\u{3}\u{4} and no more"] {
            try folder.write("pytorch_model.bin", Data(text.utf8))
            #expect(message { _ = try PyTorchFile(path: path) }?.hasPrefix(path) == true)
        }
        try folder.write("pytorch_model.bin", Data("cposix\nsystem\n(S'true'\ntR.".utf8))
        #expect(message { _ = try PyTorchFile(path: path) }?.hasSuffix("not a file that torch.save wrote") == true)
    }

    @Test("damaged files are errors or read, never a trap", arguments: ["zip.bin", "legacy.bin"])
    func mutations(file: String) throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: "\(fixtures)/pytorch/\(file)"))
        let folder = try TemporaryFolder(), path = folder.path + "/m.bin"
        let seed = freshSeed()
        var random = SplitMix64(seed: seed)
        func open(_ data: Data) throws {
            try folder.write("m.bin", data)
            guard let read = try? PyTorchFile(path: path) else { return }
            for (name, shape) in read.shapes { _ = try? read.tensor(name, shape: shape).firstNonFinite }
        }
        for _ in 0..<300 {
            var data = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                data[Int.random(in: 0..<data.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { data = data.prefix(Int.random(in: 0...data.count, using: &random)) }
            try open(data)
        }
        _ = seed
    }

    /// ViT-B/16's weights as torch.save writes them, against safetensors' time and memory (opt-in).
    @Test(.enabled(if: ProcessInfo.processInfo.environment["VITPATCH_PYTORCH_MODEL"] != nil))
    func largeModel() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["VITPATCH_PYTORCH_MODEL"])
        let start = Date()
        _ = try Checkpoint.load(folder: folder)
        print("loaded in \(Date().timeIntervalSince(start)) s")
    }
}

@Suite struct ModelFolderTests {
    private let seed = freshSeed()

    private func write(_ tensors: [String: TestTensor], to folder: TemporaryFolder) throws {
        try folder.write("config.json", TinyModel.config())
        try folder.write("model.safetensors", safetensors(tensors))
    }

    @Test func prefixesAreLeftOffOrAdded() throws {
        let tensors = TinyModel.tensors(seed: seed), folder = try TemporaryFolder()
        try write(tensors, to: folder)
        let plain = try Checkpoint.load(folder: folder.path)
        let expected = plain.weights.layers[1].qkvWeight.floats
        #expect(plain.notes.isEmpty)
        let renamed: [(String) -> String] = [
            { "module." + $0 }, { $0.replacing(/^vit\./, with: "") }, { "module." + $0.replacing(/^vit\./, with: "") },
        ]
        for rename in renamed {
            let folder = try TemporaryFolder()
            try write(Dictionary(uniqueKeysWithValues: tensors.map { (rename($0), $1) }), to: folder)
            let checkpoint = try Checkpoint.load(folder: folder.path)
            #expect(!checkpoint.notes.isEmpty && checkpoint.unusedTensors.isEmpty)
            #expect(checkpoint.weights.layers[1].qkvWeight.floats == expected)
        }
        let deit = try TemporaryFolder()
        try write(
            Dictionary(uniqueKeysWithValues: tensors.map { ($0.replacing(/^vit\./, with: "deit."), $1) }), to: deit)
        #expect(
            message { _ = try Checkpoint.load(folder: deit.path) }?.contains(
                "missing; 38 of the 40 tensor names begin with deit.") == true)
    }

    @Test func gitLFSPointersAreNamed() throws {
        let folder = try TemporaryFolder()
        let pointer = Data("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".utf8)
        for file in ["model.safetensors", "pytorch_model.bin"] {
            try folder.write("config.json", TinyModel.config())
            try folder.write(file, pointer)
            #expect(
                message { _ = try Checkpoint.load(folder: folder.path) }
                    == "\(folder.path)/\(file): a Git LFS pointer, not the file itself; run `git lfs pull` in its folder"
            )
            try FileManager.default.removeItem(atPath: "\(folder.path)/\(file)")
        }
    }

    @Test func aDanglingLinkIsNotAnAbsentFile() throws {
        let folder = try TemporaryFolder()
        try write(TinyModel.tensors(seed: seed), to: folder)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/preprocessor_config.json", withDestinationPath: "/no/such/blob")
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) }
                == "\(folder.path)/preprocessor_config.json: a symbolic link to /no/such/blob, which does not exist")
    }

    @Test func huggingFaceCache() throws {
        let cache = try TemporaryFolder()
        let root = "\(cache.path)/models--owner--tiny"
        func find(_ model: String) throws -> ModelFolder {
            try ModelFolder(model, environment: ["HF_HUB_CACHE": cache.path])
        }
        #expect(
            message { _ = try find("owner/tiny") }
                == "owner/tiny: no such folder, and no such model in \(cache.path); `hf download owner/tiny` downloads it there"
        )
        #expect(message { _ = try find("no/such/folder") } == "no/such/folder: no such folder")
        for commit in ["aaa", "bbb"] {
            try FileManager.default.createDirectory(
                atPath: "\(root)/snapshots/\(commit)", withIntermediateDirectories: true)
            if commit == "aaa" { #expect(try find("owner/tiny").folder == "\(root)/snapshots/aaa") }
        }
        #expect(message { _ = try find("owner/tiny") }?.contains("2 snapshots and no branch main") == true)
        try FileManager.default.createDirectory(atPath: "\(root)/refs", withIntermediateDirectories: true)
        try cache.write("models--owner--tiny/refs/main", Data("bbb\n".utf8))
        #expect(try find("owner/tiny").folder == "\(root)/snapshots/bbb")
        #expect(try find("owner/tiny").name == "owner/tiny")
        let direct = try find(root)
        #expect(direct.folder == "\(root)/snapshots/bbb" && direct.name == "owner/tiny" && direct.notes.count == 1)
        #expect(ModelFolder.cache(["HOME": "/h"]) == "/h/.cache/huggingface/hub")
        #expect(ModelFolder.cache(["HOME": "/h", "HF_HOME": "/f"]) == "/f/hub")
    }

    @Test func processorConfigComesFirstWhereItHasAnImageProcessor() throws {
        let folder = try TemporaryFolder()
        try write(TinyModel.tensors(seed: seed), to: folder)
        func preprocessor() throws -> String? { try Checkpoint.load(folder: folder.path).preprocessorName }
        #expect(try preprocessor() == nil)
        try folder.write("preprocessor_config.json", Data("{}".utf8))
        try folder.write("processor_config.json", Data("{\"processor_class\": \"P\"}".utf8))
        #expect(try preprocessor() == "preprocessor_config.json")
        try folder.write("processor_config.json", Data("{\"image_processor\": {}}".utf8))
        #expect(try preprocessor() == "processor_config.json")
    }
}
