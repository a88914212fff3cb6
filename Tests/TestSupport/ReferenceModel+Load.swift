import Foundation
import Reference

extension ReferenceModel {
    /// Loads a Hugging Face `ViTForImageClassification` folder, with weights widened to Double.
    package static func load(_ directory: URL) throws -> ReferenceModel {
        let config = try JSONDecoder().decode(
            Config.self, from: Data(contentsOf: directory.appendingPathComponent("config.json")))
        let file = try SafetensorsFile(directory.appendingPathComponent("model.safetensors"))
        let d = config.hidden_size

        /// The weight and bias of a module; the bias is zero if `qkv_bias` is off.
        func module(_ name: String) throws -> (weight: [Double], bias: [Double]) {
            let bias = file.entries["\(name).bias"] == nil && !config.qkv_bias
            return (
                try file.doubles("\(name).weight"),
                bias ? [Double](repeating: 0, count: d) : try file.doubles("\(name).bias")
            )
        }

        let layers = try (0..<config.num_hidden_layers).map { i in
            let prefix = "vit.encoder.layer.\(i)"
            let ln1 = try module("\(prefix).layernorm_before")
            let q = try module("\(prefix).attention.attention.query")
            let k = try module("\(prefix).attention.attention.key")
            let v = try module("\(prefix).attention.attention.value")
            let proj = try module("\(prefix).attention.output.dense")
            let ln2 = try module("\(prefix).layernorm_after")
            let fc1 = try module("\(prefix).intermediate.dense")
            let fc2 = try module("\(prefix).output.dense")
            return ReferenceLayer(
                ln1Weight: ln1.weight, ln1Bias: ln1.bias, qkvWeight: q.weight + k.weight + v.weight,
                qkvBias: q.bias + k.bias + v.bias, projWeight: proj.weight, projBias: proj.bias,
                ln2Weight: ln2.weight, ln2Bias: ln2.bias, fc1Weight: fc1.weight, fc1Bias: fc1.bias,
                fc2Weight: fc2.weight, fc2Bias: fc2.bias)
        }
        let patch = try module("vit.embeddings.patch_embeddings.projection")
        let ln = try module("vit.layernorm")
        let head = try module("classifier")
        guard let activation = ReferenceActivation(rawValue: config.hidden_act) else {
            throw SafetensorsFile.Missing(tensor: "known activation, but \(config.hidden_act)")
        }
        return ReferenceModel(
            hiddenSize: d, heads: config.num_attention_heads, intermediateSize: config.intermediate_size,
            imageSize: config.image_size, patchSize: config.patch_size, channels: config.num_channels,
            activation: activation, layerNormEps: config.layer_norm_eps, patchWeight: patch.weight,
            patchBias: patch.bias, cls: try file.doubles("vit.embeddings.cls_token"),
            position: try file.doubles("vit.embeddings.position_embeddings"), layers: layers, lnWeight: ln.weight,
            lnBias: ln.bias, headWeight: head.weight, headBias: head.bias)
    }
}

/// The fields of `config.json`, with the names used there.
private struct Config: Decodable {
    let hidden_size, num_hidden_layers, num_attention_heads, intermediate_size: Int
    let image_size, patch_size, num_channels: Int
    let hidden_act: String
    let layer_norm_eps: Double
    let qkv_bias: Bool
}
