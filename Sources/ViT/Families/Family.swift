/// A family of models: how to read a configuration from config.json, and weights from tensors. One file of this folder
/// each.
package struct Family: Sendable {
    /// The same as `Architecture.family`
    package let name: String
    /// `model_type` in config.json; absent in timm's models
    package let modelType: String
    /// The class whose checkpoints are read
    package let model: String
    /// The family's distinguishing features, for the table of families
    package let summary: String
    /// Prefix of all tensor names but the head's
    let base: String
    /// Whether its models can compare images with texts (`TextClasses`)
    var takesTexts = false
    let config: @Sendable (ConfigReader) throws(CheckpointError) -> ViTConfig
    let weights: @Sendable (inout TensorReader, ViTConfig) throws(CheckpointError) -> ViTWeights

    package static let all: [Family] = [
        .vit, .deit, .vitMSN, .dinov2, .dinov2WithRegisters, .beit, .clip, .siglip, .timm,
    ]

    /// The families as text, one per line
    package static var table: String {
        let rows =
            [("FAMILY", "MODEL_TYPE", "CLASS", "READS")]
            + all.map { ($0.name, $0.modelType, $0.model, $0.summary) }
        func width(_ column: ((String, String, String, String)) -> String) -> Int {
            rows.map { column($0).count }.max() ?? 0
        }
        let widths = (width(\.0), width(\.1), width(\.2))
        func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: width - text.count) }
        return rows.map {
            "\(padded($0.0, widths.0))  \(padded($0.1, widths.1))  \(padded($0.2, widths.2))  \($0.3)\n"
        }.joined()
    }

    /// The family that a config.json names.
    static func of(_ reader: ConfigReader) throws(CheckpointError) -> Family {
        let known = all.map(\.modelType).joined(separator: ", ")
        guard let value = reader.value("model_type") else {
            if reader.value("architecture") != nil { return .timm }
            throw .config(file: reader.file, reason: "model_type is missing; vitpatch reads \(known)")
        }
        guard let family = all.first(where: { $0.modelType == value.string }) else {
            let shown = value.string.map(printable) ?? value.text
            throw .config(file: reader.file, reason: "model_type is \(shown); vitpatch reads \(known)")
        }
        return family
    }

    /// The family of a configuration.
    static func of(_ config: ViTConfig) throws(CheckpointError) -> Family {
        guard let family = all.first(where: { $0.name == config.architecture.family }) else {
            throw .config(file: "config.json", reason: "\(config.architecture.family) is not a supported family")
        }
        return family
    }
}
