extension Family {
    /// transformers' `DeiTForImageClassification`, which has a distillation token and reads CLS, and
    /// `DeiTForImageClassificationWithTeacher`, whose logits are the mean of two heads, on CLS and on the distillation
    /// token.
    static let deit = Family(
        name: "DeiT", modelType: "deit",
        model: "DeiTForImageClassification or DeiTForImageClassificationWithTeacher",
        summary: "CLS, or the mean of heads on CLS and the distillation token", base: "deit.",
        config: { reader throws(CheckpointError) in
            let names = reader.value("architectures")?.array ?? []
            let isDistilled = names.contains { $0.string == "DeiTForImageClassificationWithTeacher" }
            let readout: Architecture.Readout = isDistilled ? .init([.token(0), .token(1)]) : .firstToken
            return try ViTFamily.config(
                reader, Architecture(family: "DeiT", prefix: [.cls, .distillation], readout: readout), eps: 1e-12)
        },
        weights: { reader, config throws(CheckpointError) in
            let d = config.hiddenSize
            let tokens = [
                try reader.stored(["deit.embeddings.cls_token"], [1, 1, d]),
                try reader.stored(["deit.embeddings.distillation_token"], [1, 1, d]),
            ]
            let head =
                config.architecture.readout == .firstToken
                ? try reader.head("classifier", config)
                : try meanHead("cls_classifier", "distillation_classifier", &reader, config)
            return try ViTFamily.weights(
                &reader, config, base: "deit", head: head, prefix: Weight(tokens), names: ViTFamily.names("deit"))
        })
}

/// The mean of two heads on two tokens, as one map of both tokens: [C, 2D].
func meanHead(
    _ cls: String, _ distillation: String, _ reader: inout TensorReader, _ config: ViTConfig
) throws(CheckpointError) -> (weight: Weight, bias: Weight) {
    let (c, d) = (config.classes, config.hiddenSize)
    guard reader.has("\(cls).weight"), reader.has("\(distillation).weight") else {
        throw reader.missing(
            "\(cls).weight",
            "missing: the checkpoint does not have two heads; vitpatch reads \(try Family.of(config).model)")
    }
    let own = try reader.linear(cls, out: c, in: d)
    let other = try reader.linear(distillation, out: c, in: d)
    let weight = Weight(count: 2 * c * d) {
        let (a, b) = (own.weight.floats, other.weight.floats)
        return (0..<c).flatMap { row in
            let columns = (row * d)..<((row + 1) * d)
            return a[columns].map { $0 / 2 } + b[columns].map { $0 / 2 }
        }
    }
    return (weight, Weight(zip(own.bias.floats, other.bias.floats).map { ($0 + $1) / 2 }))
}
