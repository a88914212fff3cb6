import Foundation
import TestSupport

@testable import ViT

func freshSeed() -> UInt64 { UInt64.random(in: 0...UInt64.max) }

func littleEndian<T: FixedWidthInteger>(_ value: T) -> Data {
    withUnsafeBytes(of: value.littleEndian) { Data($0) }
}

func floatBytes(_ values: [Float]) -> Data {
    values.reduce(into: Data()) { $0 += littleEndian($1.bitPattern) }
}

/// A safetensors file from its parts, unchecked.
func safetensors(header: String, body: Data, length: UInt64? = nil) -> Data {
    littleEndian(length ?? UInt64(header.utf8.count)) + Data(header.utf8) + body
}

struct TestTensor {
    var dtype = "F32"
    var shape: [Int]
    var bytes: Data

    init(dtype: String = "F32", shape: [Int], bytes: Data) {
        self.dtype = dtype
        self.shape = shape
        self.bytes = bytes
    }

    init(_ shape: [Int], _ values: [Float]) {
        self.init(shape: shape, bytes: floatBytes(values))
    }

    var floats: [Float] {
        stride(from: 0, to: bytes.count, by: 4).map { offset in
            bytes.withUnsafeBytes { Float(bitPattern: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
        }
    }
}

/// A well-formed safetensors file.
func safetensors(_ tensors: [String: TestTensor], metadata: String = "{\"format\": \"pt\"}") -> Data {
    var entries = ["\"__metadata__\": \(metadata)"]
    var body = Data()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
        let end = body.count + tensor.bytes.count
        entries.append(
            "\"\(name)\": {\"dtype\": \"\(tensor.dtype)\", \"shape\": \(tensor.shape), "
                + "\"data_offsets\": [\(body.count), \(end)]}")
        body += tensor.bytes
    }
    return safetensors(header: "{\(entries.joined(separator: ", "))}", body: body)
}

/// The smallest model with every part: 2 layers, 2 heads, 4 patches, 3 classes.
enum TinyModel {
    static let (d, m, c, p, t, layers, classes) = (4, 6, 3, 2, 5, 2, 3)

    static func config(_ changes: [String: String] = [:]) -> Data {
        var members = [
            "model_type": "\"vit\"", "hidden_size": "4", "num_hidden_layers": "2", "num_attention_heads": "2",
            "intermediate_size": "6", "image_size": "4", "patch_size": "2",
            "id2label": "{\"0\": \"cat\", \"1\": \"dog\", \"2\": \"ship\"}",
        ]
        members.merge(changes) { $1 }
        return Data("{\(members.map { "\"\($0)\": \($1)" }.joined(separator: ", "))}".utf8)
    }

    /// Random weights under the names in transformers' saved files, or under those of version 5 in memory.
    static func tensors(seed: UInt64, inMemoryNames: Bool = false) -> [String: TestTensor] {
        var shapes: [String: [Int]] = [
            "vit.embeddings.cls_token": [1, 1, d], "vit.embeddings.position_embeddings": [1, t, d],
            "vit.embeddings.patch_embeddings.projection.weight": [d, c, p, p],
            "vit.embeddings.patch_embeddings.projection.bias": [d],
            "vit.layernorm.weight": [d], "vit.layernorm.bias": [d],
            "classifier.weight": [classes, d], "classifier.bias": [classes],
        ]
        for layer in 0..<layers {
            let modules: [(String, String, [Int])] = [
                ("layernorm_before", "layernorm_before", [d]), ("layernorm_after", "layernorm_after", [d]),
                ("attention.attention.query", "attention.q_proj", [d, d]),
                ("attention.attention.key", "attention.k_proj", [d, d]),
                ("attention.attention.value", "attention.v_proj", [d, d]),
                ("attention.output.dense", "attention.o_proj", [d, d]),
                ("intermediate.dense", "mlp.fc1", [m, d]), ("output.dense", "mlp.fc2", [d, m]),
            ]
            for (saved, inMemory, shape) in modules {
                let path =
                    inMemoryNames ? "vit.layers.\(layer).\(inMemory)" : "vit.encoder.layer.\(layer).\(saved)"
                shapes["\(path).weight"] = shape
                shapes["\(path).bias"] = [shape[0]]
            }
        }
        var random = SplitMix64(seed: seed)
        var tensors: [String: TestTensor] = [:]
        for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
            tensors[name] = TestTensor(
                shape, (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &random) })
        }
        return tensors
    }
}

/// The message of the error that `body` throws; nil if it throws none.
func message(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
