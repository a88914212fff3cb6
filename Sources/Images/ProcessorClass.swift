import Formats

/// Defaults of one image processor class of transformers, for keys that the file leaves out.
struct ProcessorClass: Sendable {
    enum DefaultSize: Sendable, Equatable {
        case square(PixelSize)
        case shortestEdge(Int)
    }

    /// Without the suffixes Fast and Pil
    let name: String
    var size: DefaultSize
    var resample = Resample.bicubic
    /// Side of the centre crop; used only if `crops` is set
    var crop = 224
    var crops = false
    var mean = [0.5, 0.5, 0.5]
    var std = [0.5, 0.5, 0.5]
    /// ConvNeXT's crop_pct: below 384 pixels the shorter side is resized to size / crop_pct and the centre cropped
    var cropShare: Double?

    private static let clipMean = [0.48145466, 0.4578275, 0.40821073]
    private static let clipStd = [0.26862954, 0.26130258, 0.27577711]

    static let vit = ProcessorClass(name: "ViTImageProcessor", size: .square(224), resample: .bilinear)
    static let all = [
        vit,
        ProcessorClass(name: "DeiTImageProcessor", size: .square(256), crops: true),
        ProcessorClass(name: "BeitImageProcessor", size: .square(224)),
        ProcessorClass(
            name: "CLIPImageProcessor", size: .shortestEdge(224), crops: true, mean: clipMean, std: clipStd),
        ProcessorClass(name: "SiglipImageProcessor", size: .square(224)),
        ProcessorClass(
            name: "BitImageProcessor", size: .shortestEdge(224), crops: true, mean: clipMean, std: clipStd),
        ProcessorClass(name: "ConvNextImageProcessor", size: .shortestEdge(384), cropShare: 224.0 / 256),
    ]

    /// - Parameter type: `image_processor_type`, or `feature_extractor_type` of older files
    init?(type: String) {
        var name = type.replacing("FeatureExtractor", with: "ImageProcessor")
        for ending in ["Fast", "Pil"] where name.hasSuffix(ending) { name.removeLast(ending.count) }
        guard let found = Self.all.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    private init(
        name: String, size: DefaultSize, resample: Resample = .bicubic, crops: Bool = false, mean: [Double]? = nil,
        std: [Double]? = nil, cropShare: Double? = nil
    ) {
        (self.name, self.size, self.resample, self.crops, self.cropShare) = (name, size, resample, crops, cropShare)
        self.mean = mean ?? self.mean
        self.std = std ?? self.std
    }
}
