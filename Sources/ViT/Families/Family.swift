/// A family of models: how its config.json becomes a configuration, and its tensors weights. One file of this folder
/// each.
struct Family: Sendable {
    /// As `Architecture.family`
    let name: String
    /// `model_type` in config.json
    let modelType: String
    let config: @Sendable (ConfigReader) throws(CheckpointError) -> ViTConfig
    let weights: @Sendable (inout TensorReader, ViTConfig) throws(CheckpointError) -> ViTWeights

    static let all: [Family] = [.vit]

    /// The family that a config.json names.
    static func of(_ reader: ConfigReader) throws(CheckpointError) -> Family {
        let known = all.map(\.modelType).joined(separator: ", ")
        guard let value = reader.value("model_type") else {
            throw .config(file: reader.file, reason: "model_type is missing; vitpatch reads \(known)")
        }
        guard let family = all.first(where: { $0.modelType == value.string }) else {
            let shown = value.string.map(printable) ?? value.text
            throw .config(file: reader.file, reason: "model_type is \(shown); vitpatch reads \(known)")
        }
        return family
    }

    /// The family that a configuration is of.
    static func of(_ config: ViTConfig) throws(CheckpointError) -> Family {
        guard let family = all.first(where: { $0.name == config.architecture.family }) else {
            throw .config(file: "config.json", reason: "\(config.architecture.family) is no family that vitpatch reads")
        }
        return family
    }
}
