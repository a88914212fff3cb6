import Foundation

extension ViTConfig {
    /// Reads a `config.json` according to its family (`Family`).
    ///
    /// Keys that do not change the forward pass of inference are ignored.
    ///
    /// - Parameter name: the file's name, for messages.
    /// - Throws: `CheckpointError.config`.
    package init(json: Data, name: String) throws(CheckpointError) {
        try self.init(try ConfigReader(json: json, file: name))
    }

    init(_ reader: ConfigReader) throws(CheckpointError) {
        self = try Family.of(reader).config(reader)
        let name = reader.file
        if let reason = invalidity { throw CheckpointError.config(file: name, reason: reason) }
        guard let size = reader.imageSize, size != imageSize else { return }
        imageSize = size
        if let reason = invalidity {
            throw CheckpointError.config(file: name, reason: "at another image size: \(reason)")
        }
        if trainedGrid != grid, trainedGrid.rows != trainedGrid.columns {
            throw CheckpointError.config(
                file: name,
                reason:
                    "image_size is \(trainedImageSize) and \(size) was requested, but position embeddings are interpolated "
                    + "from square grids only, as in transformers")
        }
        if architecture.hasScoreBias {
            throw CheckpointError.config(
                file: name,
                reason:
                    "image_size is \(trainedImageSize) and \(size) was requested, but the bias by relative position of "
                    + "\(architecture.family) is not interpolated")
        }
    }

    /// The index of the class called `label`; nil where no class has it, or more than one (ImageNet has two "crane").
    package func classIndex(of label: String) -> Int? {
        guard let first = labels.firstIndex(of: label), labels.lastIndex(of: label) == first else { return nil }
        return first
    }

    /// Why this configuration cannot be run, or nil. The limits are far above every published ViT; within them, no
    /// product of sizes that a pass needs overflows an Int.
    var invalidity: String? {
        let limits = [
            ("hidden_size", hiddenSize, 1 << 16), ("num_hidden_layers", layers, 1 << 10),
            ("num_attention_heads", heads, 1 << 10), ("intermediate_size", intermediateSize, 1 << 18),
            ("image_size", imageSize.height, 1 << 14), ("image_size", imageSize.width, 1 << 14),
            ("patch_size", patchSize.height, 1 << 14), ("patch_size", patchSize.width, 1 << 14),
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
        if imageSize.height < patchSize.height || imageSize.width < patchSize.width {
            return "image_size \(imageSize) is smaller than patch_size \(patchSize)"
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

let maxClasses = 1 << 20
private let maxTokens = 1 << 20
