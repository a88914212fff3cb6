import Foundation
import TestSupport
import Testing

@testable import ViT

@Suite struct CheckpointTests {
    private let seed = freshSeed()

    /// Loads the model of `tensors`, with changes to its configuration.
    private func load(
        _ tensors: [String: TestTensor], config: [String: String] = [:]
    ) throws -> Checkpoint {
        try Checkpoint(
            config: TinyModel.config(config), weights: safetensors(tensors), preprocessor: nil, name: "tiny")
    }

    private func floats(_ tensors: [String: TestTensor], _ names: String...) -> [Float] {
        names.flatMap { tensors[$0]?.floats ?? [] }
    }

    private func expectWeights(of checkpoint: Checkpoint, equal tensors: [String: TestTensor]) {
        let weights = checkpoint.weights
        let patch = "vit.embeddings.patch_embeddings.projection"
        #expect(weights.patchWeight.floats == floats(tensors, "\(patch).weight"), "seed \(seed)")
        #expect(weights.patchBias.floats == floats(tensors, "\(patch).bias"), "seed \(seed)")
        #expect(weights.prefix.floats == floats(tensors, "vit.embeddings.cls_token"), "seed \(seed)")
        #expect(weights.position.floats == floats(tensors, "vit.embeddings.position_embeddings"), "seed \(seed)")
        #expect(weights.lnWeight.floats == floats(tensors, "vit.layernorm.weight"), "seed \(seed)")
        #expect(weights.lnBias.floats == floats(tensors, "vit.layernorm.bias"), "seed \(seed)")
        #expect(weights.headWeight.floats == floats(tensors, "classifier.weight"), "seed \(seed)")
        #expect(weights.headBias.floats == floats(tensors, "classifier.bias"), "seed \(seed)")
        #expect(weights.layers.count == TinyModel.layers)
        for (index, layer) in weights.layers.enumerated() {
            let path = "vit.encoder.layer.\(index)"
            let attention = "\(path).attention.attention"
            let expected = [
                ("layernorm_before", layer.ln1Weight, layer.ln1Bias),
                ("layernorm_after", layer.ln2Weight, layer.ln2Bias),
                ("attention.output.dense", layer.projWeight, layer.projBias),
                ("intermediate.dense", layer.fc1Weight, layer.fc1Bias),
                ("output.dense", layer.fc2Weight, layer.fc2Bias),
            ]
            for (module, weight, bias) in expected {
                #expect(weight.floats == floats(tensors, "\(path).\(module).weight"), "seed \(seed), \(path).\(module)")
                #expect(bias.floats == floats(tensors, "\(path).\(module).bias"), "seed \(seed), \(path).\(module)")
            }
            #expect(
                layer.qkvWeight.floats
                    == floats(
                        tensors, "\(attention).query.weight", "\(attention).key.weight",
                        "\(attention).value.weight"),
                "seed \(seed)")
            #expect(
                layer.qkvBias.floats
                    == floats(
                        tensors, "\(attention).query.bias", "\(attention).key.bias", "\(attention).value.bias"),
                "seed \(seed)")
        }
    }

    // MARK: Round trips

    @Test func folderRoundTrip() throws {
        let tensors = TinyModel.tensors(seed: seed)
        let folder = try TemporaryFolder()
        try folder.write("config.json", TinyModel.config())
        try folder.write("model.safetensors", safetensors(tensors))
        try folder.write("preprocessor_config.json", Data("{}".utf8))
        let checkpoint = try Checkpoint.load(folder: folder.path + "/")
        #expect(checkpoint.config.labels == ["cat", "dog", "ship"])
        #expect(checkpoint.preprocessor == Data("{}".utf8))
        #expect(checkpoint.name == folder.path.split(separator: "/").last.map(String.init))
        #expect(checkpoint.unusedTensors.isEmpty)
        expectWeights(of: checkpoint, equal: tensors)
    }

    @Test func folderAndMemoryAgree() throws {
        let (config, weights) = (TinyModel.config(), safetensors(TinyModel.tensors(seed: seed)))
        let folder = try TemporaryFolder()
        try folder.write("config.json", config)
        try folder.write("model.safetensors", weights)
        let loaded = try Checkpoint.load(folder: folder.path)
        let embedded = try Checkpoint(config: config, weights: weights, preprocessor: nil, name: "demo")
        #expect(loaded.sha256 == embedded.sha256)
        #expect(loaded.preprocessor == nil)
        #expect(loaded.weights.position.floats == embedded.weights.position.floats, "seed \(seed)")
    }

    @Test func digestIsThatOfTheConcatenation() throws {
        // sha256sum of "abc", FIPS 180-4's first example
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(sha256Hex([Data("abc".utf8)]) == abc)
        #expect(sha256Hex([Data("a".utf8), Data(), Data("bc".utf8)]) == abc)
        #expect(sha256Hex([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func digestChangesWithAnyByte() throws {
        let tensors = TinyModel.tensors(seed: seed)
        var other = tensors
        other["classifier.bias"]?.bytes[0] ^= 1
        let digests = [
            try load(tensors).sha256, try load(other).sha256,
            try load(tensors, config: ["layer_norm_eps": "1e-6"]).sha256,
        ]
        #expect(Set(digests).count == 3)
    }

    @Test func namesOfTransformers5InMemory() throws {
        let checkpoint = try load(TinyModel.tensors(seed: seed, inMemoryNames: true))
        #expect(checkpoint.unusedTensors.isEmpty)
        let q = TinyModel.tensors(seed: seed, inMemoryNames: true)["vit.layers.1.attention.q_proj.weight"]?.floats
        #expect(Array(checkpoint.weights.layers[1].qkvWeight.floats.prefix(16)) == q, "seed \(seed)")
    }

    @Test func shardedCheckpoint() throws {
        let tensors = TinyModel.tensors(seed: seed)
        let folder = try TemporaryFolder()
        let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        let first = tensors.filter { $0.key.contains("layer.0") }
        let second = tensors.filter { !$0.key.contains("layer.0") }
        let map = tensors.keys.map { "\"\($0)\": \"\(shards[first[$0] != nil ? 0 : 1])\"" }.joined(separator: ",")
        let config = TinyModel.config()
        try folder.write("config.json", config)
        try folder.write("model.safetensors.index.json", Data("{\"metadata\": {}, \"weight_map\": {\(map)}}".utf8))
        try folder.write(shards[0], safetensors(first))
        try folder.write(shards[1], safetensors(second))
        let checkpoint = try Checkpoint.load(folder: folder.path)
        expectWeights(of: checkpoint, equal: tensors)
        #expect(checkpoint.sha256 == sha256Hex([config, safetensors(first), safetensors(second)]))

        try folder.write(
            shards[0], safetensors(first.filter { $0.key != "vit.encoder.layer.0.output.dense.bias" }))
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) }
                == "\(folder.path)/\(shards[0]): tensor vit.encoder.layer.0.output.dense.bias: "
                + "the file does not have it"
        )

        try FileManager.default.removeItem(atPath: folder.path + "/" + shards[0])
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) } == "\(folder.path)/\(shards[0]): no such file"
        )
    }

    @Test(arguments: ["\"../x.safetensors\"", "\"/etc/passwd\"", "\"..\"", "\"\"", "1", "\"a\\u0000b\""])
    func shardsStayInTheFolder(shard: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("config.json", TinyModel.config())
        try folder.write("model.safetensors.index.json", Data("{\"weight_map\": {\"a\": \(shard)}}".utf8))
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) }?.contains(
                "expected a file in the same folder") == true)
    }

    @Test(arguments: ["", "[]", "{}", "{\"weight_map\": []}"])
    func malformedIndex(text: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("config.json", TinyModel.config())
        try folder.write("model.safetensors.index.json", Data(text.utf8))
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) }
                == "\(folder.path)/model.safetensors.index.json: not a JSON object with an object weight_map")
    }

    @Test func biasesAreZeroWithoutQKVBias() throws {
        let tensors = TinyModel.tensors(seed: seed).filter { name, _ in
            !(name.contains("attention.attention") && name.hasSuffix("bias"))
        }
        let checkpoint = try load(tensors, config: ["qkv_bias": "false"])
        for layer in checkpoint.weights.layers { #expect(layer.qkvBias.floats == [Float](repeating: 0, count: 12)) }
        #expect(
            message { _ = try load(tensors) }
                == "tiny/model.safetensors: tensor vit.encoder.layer.0.attention.attention.query.bias: missing")
    }

    @Test func unusedTensorsAreListed() throws {
        var tensors = TinyModel.tensors(seed: seed)
        tensors["vit.pooler.dense.weight"] = TestTensor([1], [.nan])
        #expect(try load(tensors).unusedTensors == ["vit.pooler.dense.weight"])
    }

    @Test func halfWeights() throws {
        var tensors = TinyModel.tensors(seed: seed)
        tensors["classifier.bias"] = TestTensor(dtype: "F16", shape: [3], bytes: Data([0, 0x3c, 1, 0, 0, 0xc0]))
        #expect(try load(tensors).weights.headBias.floats == [1, 0x1p-24, -2])
    }

    // MARK: Faulty tensors

    @Test func everyMissingTensorIsNamed() {
        let tensors = TinyModel.tensors(seed: seed)
        for name in tensors.keys {
            let text = message { _ = try load(tensors.filter { $0.key != name }) }
            #expect(
                text?.hasPrefix("tiny/model.safetensors: tensor \(name): missing") == true, "\(text ?? "no error")"
            )
        }
    }

    @Test func everyTensorOfAnotherShapeIsNamed() {
        let tensors = TinyModel.tensors(seed: seed)
        for (name, tensor) in tensors {
            var changed = tensors
            changed[name] = TestTensor(tensor.shape + [1], tensor.floats)
            let text = message { _ = try load(changed) }
            #expect(
                text?.hasPrefix("tiny/model.safetensors: tensor \(name): expected shape \(tensor.shape)") == true
                    && text?.hasSuffix("found \(tensor.shape + [1])") == true, "\(text ?? "no error")")
        }
    }

    @Test func everyNonFiniteWeightIsNamed() {
        let tensors = TinyModel.tensors(seed: seed)
        for (name, tensor) in tensors {
            for value in [Float.nan, .infinity, -.infinity] {
                var values = tensor.floats
                let index = values.indices.randomElement() ?? 0
                values[index] = value
                var changed = tensors
                changed[name] = TestTensor(tensor.shape, values)
                #expect(
                    message { _ = try load(changed) }
                        == "tiny/model.safetensors: tensor \(name): "
                        + "the value at index \(index) is \(value), not finite"
                )
            }
        }
    }

    @Test func noClassificationHead() {
        let tensors = TinyModel.tensors(seed: seed).filter { !$0.key.hasPrefix("classifier") }
        #expect(message { _ = try load(tensors) }?.contains("has no classification head") == true)
    }

    @Test func positionsOfAnotherResolution() {
        #expect(
            message { _ = try load(TinyModel.tensors(seed: seed), config: ["image_size": "8"]) }
                == "tiny/model.safetensors: tensor vit.embeddings.position_embeddings: expected shape [1, 17, 4] "
                + "(image_size 8 and patch_size 2 make 17 positions), found [1, 5, 4]")
    }

    @Test func hugeConfigTakesNoMemory() {
        let config = [
            "hidden_size": "65536", "intermediate_size": "262144", "num_labels": "null", "qkv_bias": "false",
        ]
        #expect(
            message { _ = try load(TinyModel.tensors(seed: seed), config: config) }?.contains("expected shape")
                == true)
    }

    // MARK: Faulty folders

    @Test func missingFolder() {
        #expect(message { _ = try Checkpoint.load(folder: "/no/such/model") } == "/no/such/model: no such folder")
    }

    @Test func aFileIsNotAModelFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write("m", Data())
        #expect(message { _ = try Checkpoint.load(folder: folder.path + "/m") }?.contains("not a folder") == true)
    }

    @Test func missingConfig() throws {
        let folder = try TemporaryFolder()
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) } == "\(folder.path)/config.json: no such file")
    }

    @Test func missingWeights() throws {
        let folder = try TemporaryFolder()
        try folder.write("config.json", TinyModel.config())
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) }
                == "\(folder.path): has no weights (model.safetensors or pytorch_model.bin, whole or with an index)")
    }

    @Test func configIsNamedByItsPath() throws {
        let folder = try TemporaryFolder()
        try folder.write("config.json", Data("{\"model_type\": \"resnet\"}".utf8))
        try folder.write("model.safetensors", safetensors([:]))
        #expect(
            message { _ = try Checkpoint.load(folder: folder.path) }
                == "\(folder.path)/config.json: model_type is resnet; vitpatch reads "
                + "vit, deit, vit_msn, dinov2, dinov2_with_registers, beit, clip, siglip, timm")
    }
}
