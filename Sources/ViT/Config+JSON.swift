import Foundation

extension ViTConfig {
    /// Reads the `config.json` of a `ViTForImageClassification`.
    ///
    /// Absent keys (or null) have the defaults of transformers' `ViTConfig` (ViT-B/16 at 224 pixels, two labels).
    /// `id2label` must name the classes 0 to C-1, in any order. Keys that do not change the forward pass of
    /// inference are ignored.
    ///
    /// - Parameter name: the file's name, for messages.
    /// - Throws: `CheckpointError.config`.
    package init(json: Data, name: String) throws(CheckpointError) {
        guard let values = JSON.object(json) else {
            throw CheckpointError.config(file: name, reason: "not a JSON object in UTF-8")
        }
        let reader = ConfigReader(values: values, file: name)
        try reader.requireModelType("vit")
        self.init(
            hiddenSize: try reader.int("hidden_size", default: 768),
            layers: try reader.int("num_hidden_layers", default: 12),
            heads: try reader.int("num_attention_heads", default: 12),
            intermediateSize: try reader.int("intermediate_size", default: 3072),
            imageSize: try reader.side("image_size", default: 224),
            patchSize: try reader.side("patch_size", default: 16),
            channels: try reader.int("num_channels", default: 3),
            activation: try reader.activation(),
            layerNormEps: try reader.epsilon("layer_norm_eps", default: 1e-12),
            qkvBias: try reader.bool("qkv_bias", default: true),
            labels: try reader.labels())
        if let reason = invalidity { throw CheckpointError.config(file: name, reason: reason) }
    }

    /// The index of the class called `label`; nil where no class, or more than one (ImageNet has two "crane"), is.
    package func classIndex(of label: String) -> Int? {
        guard let first = labels.firstIndex(of: label), labels.lastIndex(of: label) == first else { return nil }
        return first
    }

    /// What makes this configuration one that cannot be run, or nil. The limits lie far above every published ViT;
    /// below them no product of sizes that a pass needs overflows an Int.
    var invalidity: String? {
        let limits = [
            ("hidden_size", hiddenSize, 1 << 16), ("num_hidden_layers", layers, 1 << 10),
            ("num_attention_heads", heads, 1 << 10), ("intermediate_size", intermediateSize, 1 << 18),
            ("image_size", imageSize, 1 << 14), ("patch_size", patchSize, 1 << 14),
            ("the number of labels", classes, maxClasses),
        ]
        for (key, value, limit) in limits where value < 1 || value > limit {
            return "\(key) is \(value), expected 1 to \(limit)"
        }
        if channels != 3 {
            return "num_channels is \(channels), expected 3: images are read as RGB"
        }
        if hiddenSize % heads != 0 {
            return "hidden_size \(hiddenSize) is not divisible by num_attention_heads \(heads)"
        }
        if imageSize % patchSize != 0 {
            return "image_size \(imageSize) is not divisible by patch_size \(patchSize)"
        }
        if tokens > maxTokens {
            return
                "image_size \(imageSize) and patch_size \(patchSize) make \(tokens) tokens, more than \(maxTokens)"
        }
        if !(layerNormEps > 0 && layerNormEps < 1) {
            return "layer_norm_eps is \(layerNormEps), expected a value between 0 and 1"
        }
        return nil
    }
}

private let maxClasses = 1 << 20
private let maxTokens = 1 << 20

/// `hidden_act` as transformers spells it. The two names of the tanh approximation differ in rounding only.
private let activations: KeyValuePairs<String, ViTConfig.Activation> = [
    "gelu": .gelu, "gelu_new": .geluNew, "gelu_pytorch_tanh": .geluNew, "quick_gelu": .quickGelu, "relu": .relu,
]

/// Typed reads from the members of a config.json; null counts as absent, as in transformers.
private struct ConfigReader {
    let values: [String: JSON]
    let file: String

    private func value(_ key: String) -> JSON? {
        if case .null? = values[key] { nil } else { values[key] }
    }

    private func wrong(_ key: String, _ value: JSON, expected: String) -> CheckpointError {
        .config(file: file, reason: "\(key) is \(value.text), expected \(expected)")
    }

    func requireModelType(_ type: String) throws(CheckpointError) {
        guard let value = value("model_type") else {
            throw CheckpointError.config(file: file, reason: "model_type is missing; vitpatch reads \(type)")
        }
        guard value.string == type else {
            let shown = value.string.map(printable) ?? value.text
            throw CheckpointError.config(file: file, reason: "model_type is \(shown); vitpatch reads \(type)")
        }
    }

    func int(_ key: String, default absent: Int) throws(CheckpointError) -> Int {
        guard let value = value(key) else { return absent }
        guard let int = value.int else { throw wrong(key, value, expected: "a whole number") }
        return int
    }

    /// The side of a square: S or [S, S].
    func side(_ key: String, default absent: Int) throws(CheckpointError) -> Int {
        guard let value = value(key) else { return absent }
        if let int = value.int { return int }
        guard let pair = value.ints, pair.count == 2 else {
            throw wrong(key, value, expected: "a whole number or a pair [height, width]")
        }
        guard pair[0] == pair[1] else { throw wrong(key, value, expected: "a square") }
        return pair[0]
    }

    func bool(_ key: String, default absent: Bool) throws(CheckpointError) -> Bool {
        guard let value = value(key) else { return absent }
        guard let bool = value.bool else { throw wrong(key, value, expected: "true or false") }
        return bool
    }

    func epsilon(_ key: String, default absent: Float) throws(CheckpointError) -> Float {
        guard let value = value(key) else { return absent }
        guard let number = value.number else { throw wrong(key, value, expected: "a number") }
        return Float(number)
    }

    func activation() throws(CheckpointError) -> ViTConfig.Activation {
        guard let value = value("hidden_act") else { return .gelu }
        for (name, activation) in activations where name == value.string { return activation }
        throw wrong(
            "hidden_act", value, expected: "one of \(activations.map(\.key).joined(separator: ", "))")
    }

    func labels() throws(CheckpointError) -> [String] {
        let count = try value("num_labels").map { _ throws(CheckpointError) in try int("num_labels", default: 2) }
        guard let value = value("id2label") else {
            let count = count ?? 2
            guard 1...maxClasses ~= count else {
                throw CheckpointError.config(
                    file: file, reason: "num_labels is \(count), expected 1 to \(maxClasses)")
            }
            return (0..<count).map { "LABEL_\($0)" }
        }
        guard let names = value.object else { throw wrong("id2label", value, expected: "an object") }
        guard names.count > 0 else { throw CheckpointError.config(file: file, reason: "id2label names no class") }
        if let count, count != names.count {
            throw CheckpointError.config(
                file: file, reason: "num_labels is \(count), but id2label names \(names.count) classes")
        }
        var labels: [String] = []
        for index in 0..<names.count {
            guard let label = names[String(index)] else {
                throw CheckpointError.config(
                    file: file,
                    reason: "id2label has \(names.count) entries but none for class \(index); "
                        + "expected keys \"0\" to \"\(names.count - 1)\"")
            }
            guard let text = label.string else { throw wrong("id2label \(index)", label, expected: "a name") }
            labels.append(text)
        }
        return labels
    }
}
