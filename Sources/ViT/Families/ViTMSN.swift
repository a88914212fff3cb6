extension Family {
    /// transformers' `ViTMSNForImageClassification`: a ViT with a different epsilon.
    static let vitMSN = Family(
        name: "ViT-MSN", modelType: "vit_msn", model: "ViTMSNForImageClassification", summary: "CLS", base: "vit.",
        config: { reader throws(CheckpointError) in
            try ViTFamily.config(
                reader, Architecture(family: "ViT-MSN", prefix: [.cls], readout: .firstToken), eps: 1e-6)
        },
        weights: { reader, config throws(CheckpointError) in try ViTFamily.weights(&reader, config, base: "vit") })
}
