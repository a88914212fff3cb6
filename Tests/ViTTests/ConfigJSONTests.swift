import Formats
import Foundation
import TestSupport
import Testing

@testable import ViT

@Suite struct ConfigJSONTests {
    private func read(_ json: String) throws -> ViTConfig {
        try ViTConfig(json: Data(json.utf8), name: "config.json")
    }

    /// The message for a config with `member` added to `"model_type": "vit"`.
    private func fault(_ member: String) -> String? {
        message { _ = try read("{\"model_type\": \"vit\", \(member)}") }
    }

    @Test func defaultsAreThoseOfTransformers() throws {
        let config = try read("{\"model_type\": \"vit\"}")
        #expect(
            config
                == ViTConfig(
                    hiddenSize: 768, layers: 12, heads: 12, intermediateSize: 3072, imageSize: 224, patchSize: 16,
                    channels: 3, activation: .gelu, layerNormEps: 1e-12, qkvBias: true,
                    labels: ["LABEL_0", "LABEL_1"]))
        #expect(config.tokens == 197 && config.headDim == 64)
    }

    @Test func nullCountsAsAbsent() throws {
        let json = "{\"model_type\": \"vit\", \"hidden_size\": null, \"id2label\": null, \"qkv_bias\": null}"
        #expect(try read(json) == read("{\"model_type\": \"vit\"}"))
    }

    @Test func everyKeyIsRead() throws {
        let config = try read(
            """
            {"model_type": "vit", "hidden_size": 96, "num_hidden_layers": 8, "num_attention_heads": 4,
             "intermediate_size": 192, "image_size": 32, "patch_size": 4, "num_channels": 3, "qkv_bias": false,
             "hidden_act": "quick_gelu", "layer_norm_eps": 1e-06, "id2label": {"1": "b", "0": "a", "2": "c"},
             "hidden_dropout_prob": 0.1, "unknown": [1, {"x": null}]}
            """)
        #expect(
            config
                == ViTConfig(
                    hiddenSize: 96, layers: 8, heads: 4, intermediateSize: 192, imageSize: 32, patchSize: 4,
                    channels: 3, activation: .quickGelu, layerNormEps: 1e-6, qkvBias: false,
                    labels: ["a", "b", "c"]))
    }

    @Test(
        arguments: [
            ("gelu", .gelu), ("gelu_new", .geluNew), ("gelu_pytorch_tanh", .geluNew), ("quick_gelu", .quickGelu),
            ("relu", .relu), ("silu", .silu), ("swish", .silu), ("mish", .mish), ("gelu_fast", .geluNew),
            ("gelu_python", .gelu),
        ] as [(String, ViTConfig.Activation)])
    func activations(name: String, activation: ViTConfig.Activation) throws {
        #expect(try read("{\"model_type\": \"vit\", \"hidden_act\": \"\(name)\"}").activation == activation)
    }

    @Test(arguments: ["\"sigmoid\"", "1", "\"\""])
    func unsupportedActivationListsTheOthers(value: String) {
        #expect(
            fault("\"hidden_act\": \(value)")
                == "config.json: hidden_act is \(value), expected one of gelu, gelu_new, gelu_pytorch_tanh, "
                + "quick_gelu, relu, silu, mish, gelu_python, gelu_accurate, gelu_fast, gelu_python_tanh, swish")
    }

    @Test(arguments: ["resnet", "vit_mae", ""])
    func otherModels(type: String) {
        #expect(
            message { _ = try read("{\"model_type\": \"\(type)\"}") }
                == "config.json: model_type is \(type); vitpatch reads \(families)")
    }

    @Test func modelTypeMissing() {
        #expect(message { _ = try read("{}") } == "config.json: model_type is missing; vitpatch reads \(families)")
    }

    private let families = "vit, deit, vit_msn, dinov2, dinov2_with_registers, beit, clip, siglip, timm"

    /// Each family's defaults are those of its class in transformers; timm's sizes come from the tensors.
    @Test(arguments: [
        ("deit", 16, Float(1e-12), ViTConfig.Activation.gelu, 198), ("vit_msn", 16, 1e-6, .gelu, 197),
        ("dinov2", 14, 1e-6, .gelu, 257), ("dinov2_with_registers", 16, 1e-6, .gelu, 201),
        ("clip", 32, 1e-5, .quickGelu, 50), ("siglip", 16, 1e-6, .geluNew, 196),
    ])
    func defaultsOfFamilies(
        type: String, patchSize: PixelSize, eps: Float, activation: ViTConfig.Activation, tokens: Int
    ) throws {
        let config = try read("{\"model_type\": \"\(type)\"}")
        #expect(config.patchSize == patchSize && config.layerNormEps == eps && config.activation == activation)
        #expect(config.tokens == tokens && config.hiddenSize == 768 && config.intermediateSize == 3072)
    }

    /// A gated MLP has 2/3 of the usual hidden width, rounded to a multiple of 8, and silu.
    @Test func gatedMLPs() throws {
        let config = try read(
            "{\"model_type\": \"dinov2\", \"use_swiglu_ffn\": true, \"hidden_size\": 1536, \"num_attention_heads\": 24}"
        )
        #expect(config.intermediateSize == 4096 && config.fc1Size == 8192 && config.activation == .silu)
    }

    @Test func whatFamiliesDoNotRead() {
        #expect(
            message { _ = try read("{\"architecture\": \"vit_base_patch16_rope_224\"}") }
                == "config.json: architecture is vit_base_patch16_rope_224, which is not a supported "
                + "timm VisionTransformer")
        #expect(
            message {
                _ = try read(
                    "{\"architecture\": \"vit_base_patch16_224\", \"model_args\": {\"scale_attn_norm\": true}}")
            }
                == "config.json: model_args has scale_attn_norm, which is not supported")
    }

    @Test func tableOfFamilies() {
        let lines = Family.table.split(separator: "\n")
        #expect(lines.count == Family.all.count + 1)
        for family in Family.all { #expect(lines.contains { $0.contains(family.name) && $0.contains(family.model) }) }
    }

    @Test(arguments: ["", "[]", "{", "nonsense", "{\"model_type\": \"vit\", \"layer_norm_eps\": NaN}"])
    func notJSON(text: String) {
        #expect(message { _ = try read(text) } == "config.json: not a JSON object in UTF-8")
    }

    // MARK: Numbers

    @Test func wholeNumbersMayBeWrittenAsFloats() throws {
        let config = try read("{\"model_type\": \"vit\", \"hidden_size\": 96.0, \"num_attention_heads\": 4e0}")
        #expect(config.hiddenSize == 96 && config.heads == 4)
    }

    @Test(arguments: ["12.5", "\"12\"", "true", "[12]", "1e300", "-1e300", "{}"])
    func notAWholeNumber(value: String) {
        #expect(fault("\"num_hidden_layers\": \(value)")?.contains("num_hidden_layers is") == true)
    }

    @Test(arguments: [
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "image_size", "patch_size",
    ])
    func sizesOutOfRange(key: String) {
        for value in ["0", "-1", "9007199254740992", "-9223372036854775808"] {
            let text = fault("\"\(key)\": \(value)")
            #expect(
                text?.hasPrefix("config.json: \(key) is \(value), expected 1 to ") == true, "\(text ?? "no error")"
            )
        }
    }

    @Test(arguments: [0, 1, 2, 4, 1024]) func imagesAreRGB(_ channels: Int) {
        let text = fault("\"num_channels\": \(channels)")
        #expect(text == "config.json: num_channels is \(channels), expected 3: images are read as RGB")
    }

    @Test func headsMustDivideTheWidth() {
        #expect(
            fault("\"num_attention_heads\": 7")
                == "config.json: hidden_size 768 is not divisible by num_attention_heads 7")
    }

    /// Pixels beyond the last whole patch are not read, as in transformers.
    @Test func patchesNeedNotFillTheImage() throws {
        #expect(try read("{\"model_type\": \"vit\", \"patch_size\": 15}").tokens == 14 * 14 + 1)
        #expect(fault("\"patch_size\": 448") == "config.json: image_size 224 is smaller than patch_size 448")
    }

    @Test func tooManyTokens() {
        #expect(fault("\"image_size\": 16384, \"patch_size\": 1")?.contains("make 268435457 tokens") == true)
    }

    @Test(arguments: ["0", "-1e-6", "1", "1e300", "1e-300"])
    func epsilonOutOfRange(value: String) {
        #expect(fault("\"layer_norm_eps\": \(value)")?.contains("layer_norm_eps is") == true)
    }

    @Test func otherTypes() {
        #expect(
            fault("\"layer_norm_eps\": \"1e-6\"") == "config.json: layer_norm_eps is \"1e-6\", expected a number")
        #expect(fault("\"qkv_bias\": 1") == "config.json: qkv_bias is 1, expected true or false")
    }

    @Test func sizesAsPairs() throws {
        let config = try read("{\"model_type\": \"vit\", \"image_size\": [384, 384], \"patch_size\": [32, 32]}")
        #expect(config.imageSize == 384 && config.patchSize == 32)
        let wide = try read("{\"model_type\": \"vit\", \"image_size\": [32, 48], \"patch_size\": [16, 8]}")
        #expect(wide.grid.rows == 2 && wide.grid.columns == 6 && wide.tokens == 13 && wide.imageValues == 3 * 32 * 48)
        let beit = "{\"model_type\": \"beit\", \"image_size\": [32, 48], \"use_relative_position_bias\": true}"
        #expect(message { _ = try read(beit) }?.contains("BEiT's bias by relative position for squares") == true)
        #expect(fault("\"patch_size\": [16]")?.contains("expected a whole number or a pair") == true)
    }

    // MARK: Labels

    @Test func numLabelsAloneNamesThem() throws {
        #expect(
            try read("{\"model_type\": \"vit\", \"num_labels\": 3}").labels == ["LABEL_0", "LABEL_1", "LABEL_2"])
    }

    @Test func labelsBeyondTenStayInNumericOrder() throws {
        let members = (0..<12).shuffled().map { "\"\($0)\": \"class \($0)\"" }.joined(separator: ", ")
        #expect(
            try read("{\"model_type\": \"vit\", \"id2label\": {\(members)}}").labels
                == (0..<12).map { "class \($0)" })
    }

    @Test func labelsGivenAsNumbers() throws {
        #expect(try read("{\"model_type\": \"vit\", \"id2label\": {\"0\": 7, \"1\": 1}}").labels == ["7", "1"])
    }

    @Test(arguments: [
        "\"id2label\": {\"0\": \"a\", \"2\": \"c\"}", "\"id2label\": {\"1\": \"a\"}",
        "\"id2label\": {\"x\": \"a\"}",
        "\"id2label\": {\"00\": \"a\"}", "\"id2label\": {\"-1\": \"a\", \"0\": \"b\"}",
    ])
    func labelsWithGaps(member: String) {
        #expect(fault(member)?.contains("but none for class") == true)
    }

    @Test func labelsMalformed() {
        #expect(fault("\"id2label\": {}") == "config.json: id2label names no class")
        #expect(fault("\"id2label\": [\"a\"]") == "config.json: id2label is [\"a\"], expected an object")
        #expect(fault("\"id2label\": {\"0\": 1.5}") == "config.json: id2label 0 is 1.5, expected a name")
        #expect(fault("\"num_labels\": 0")?.contains("num_labels is 0, expected 1 to") == true)
        #expect(fault("\"num_labels\": 1e15")?.contains("num_labels is 1000000000000000, expected") == true)
        #expect(
            fault("\"num_labels\": 3, \"id2label\": {\"0\": \"a\"}")
                == "config.json: num_labels is 3, but id2label names 1 classes")
    }

    @Test func classByName() throws {
        let config = try read(
            "{\"model_type\": \"vit\", \"id2label\": {\"0\": \"crane\", \"1\": \"dog\", \"2\": \"crane\"}}")
        #expect(config.classIndex(of: "dog") == 1)
        #expect(config.classIndex(of: "cat") == nil)
        #expect(config.classIndex(of: "crane") == nil, "two classes have this name")
    }

    @Test func randomBytesNeverTrap() {
        let seed = freshSeed()
        var random = SplitMix64(seed: seed)
        let valid = TinyModel.config(["layer_norm_eps": "1e-6", "image_size": "[4, 4]", "qkv_bias": "true"])
        for _ in 0..<2000 {
            var data = valid
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                data[Int.random(in: 0..<data.count, using: &random)] =
                    Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random)
                    : Array("0123456789-.eE[]{}\",".utf8).randomElement(using: &random) ?? 0
            }
            if let config = try? ViTConfig(json: data, name: "config.json") {
                #expect(config.heads * config.headDim == config.hiddenSize, "seed \(seed)")
                #expect(config.tokens > 0 && config.classes > 0, "seed \(seed)")
            }
        }
    }
}
