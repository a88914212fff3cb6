internal import CLRuntime
internal import Foundation
internal import Images
internal import Kernels
internal import Patch
internal import ViT

/// A Vision Transformer on an OpenCL device. Use it from one thread at a time.
public final class VisionTransformer {
    private let checkpoint: Checkpoint
    private let preprocessor: Preprocessor
    private let library: KernelLibrary
    private let encoder: Encoder

    /// Loads a model folder as `vitpatch sweep --model` does.
    /// - Parameters:
    ///   - folder: a folder with config.json and weights, or `owner/name` from Hugging Face's cache
    ///   - device: an index or a part of a name, as `--device` takes it; nil for the first GPU, else the first device
    /// - Throws: `VitPatchError`
    public init(folder: String, device: String? = nil) throws {
        (checkpoint, preprocessor, library, encoder) = try Self.named {
            let checkpoint = try Checkpoint.load(folder: folder)
            let preprocessor = try Preprocessor(
                config: checkpoint.preprocessor, imageSize: checkpoint.config.imageSize,
                name: "\(checkpoint.name)/\(checkpoint.preprocessorName ?? "preprocessor_config.json")", library: nil)
            let context = try Context(device: try Device.select(device))
            let library = KernelLibrary(context)
            let gemm = try GEMMChoice(device: context.device).make(library)
            let encoder = try Encoder(
                config: checkpoint.config, weights: checkpoint.weights, library: library, gemm: gemm)
            return (checkpoint, preprocessor, library, encoder)
        }
    }

    public var layers: Int { encoder.config.layers }
    public var heads: Int { encoder.config.heads }
    /// Prefix tokens (CLS ...) and image patches
    public var tokens: Int { encoder.config.tokens }
    /// Names of the classes
    public var classes: [String] { encoder.config.labels }
    public var channels: Int { encoder.config.channels }
    /// Pixels of the images that it reads
    public var imageHeight: Int { encoder.config.imageSize.height }
    public var imageWidth: Int { encoder.config.imageSize.width }

    /// Reads a PNG or JPEG and prepares it as the model's image processor does: [channels, height, width], normalised.
    /// - Throws: `VitPatchError`
    public func pixels(file: String) throws -> [Float] {
        try Self.named {
            try preprocessor(try decodeImage(try Data(contentsOf: URL(fileURLWithPath: file)), name: file))
        }
    }

    /// Prepares an RGB image: [height, width, 3] bytes to [channels, height, width], normalised.
    /// - Throws: `VitPatchError`
    public func pixels(rgb: [UInt8], width: Int, height: Int) throws -> [Float] {
        try Self.named { try preprocessor(try RGBImage(width: width, height: height, pixels: rgb)) }
    }

    /// Runs clean, corrupted and patched passes.
    /// - Parameters:
    ///   - clean: of each image [channels, height, width], as `pixels` gives them
    ///   - corrupted: the same number of images, of the same shape
    ///   - targets: the class of each image whose probability is measured; nil for the clean pass's prediction
    ///   - memory: bytes of device memory to use at most, weights included; nil for seven tenths of the device's
    /// - Throws: `VitPatchError`
    public func run(
        _ patches: [ActivationPatch], clean: [[Float]], corrupted: [[Float]], targets: [Int]? = nil, memory: Int? = nil
    ) throws -> PatchResults {
        let config = encoder.config, labels = targets ?? Array(repeating: -1, count: clean.count)
        guard clean.count == corrupted.count, labels.count == clean.count else {
            throw VitPatchError(
                "\(clean.count) clean images, \(corrupted.count) corrupted images and \(labels.count) targets; "
                    + "as many of each are needed")
        }
        for (name, images) in [("clean", clean), ("corrupted", corrupted)] {
            for (index, image) in images.enumerated() where image.count != config.imageValues {
                throw VitPatchError(
                    "\(name) image \(index) has \(image.count) values; the model takes \(config.imageValues) "
                        + "([\(config.channels), \(config.imageSize.height), \(config.imageSize.width)])")
            }
        }
        for target in targets ?? [] where !(0..<config.classes).contains(target) {
            throw VitPatchError("target \(target) is outside the model's classes 0-\(config.classes - 1)")
        }
        let engine = try patches.map { try $0.patch(for: config) }
        func passes(_ passes: [WaveResult.Pass]) -> [PassResult] {
            passes.map { PassResult(probability: $0.p, logit: $0.logit, prediction: $0.prediction) }
        }
        // A piece is a range of images and one of patches; each image's clean pass runs in every range of patches.
        var cleanPasses: [PassResult?] = Array(repeating: nil, count: clean.count), corruptedPasses = cleanPasses
        var patched = Array(repeating: cleanPasses, count: patches.count)
        if !clean.isEmpty {
            try Self.named {
                let plan = try WavePlan(encoder: encoder, patches: engine, images: clean.count, memory: memory)
                let runner = WaveRunner(encoder: encoder, library: library, plan: plan)
                try runner.run(images: clean.count, patches: engine.indices) { wavefront, piece in
                    let result = try wavefront.run(
                        Wave(
                            clean: Array(clean[piece.images]), corrupted: Array(corrupted[piece.images]),
                            labels: Array(labels[piece.images])),
                        patches: Array(engine[piece.patches]))
                    cleanPasses.replaceSubrange(piece.images, with: passes(result.clean))
                    corruptedPasses.replaceSubrange(piece.images, with: passes(result.corrupted))
                    for (index, row) in zip(piece.patches, result.patched) {
                        patched[index].replaceSubrange(piece.images, with: passes(row))
                    }
                }
            }
        }
        return PatchResults(
            clean: cleanPasses.compactMap { $0 }, corrupted: corruptedPasses.compactMap { $0 },
            patched: patched.map { $0.compactMap { $0 } }, directions: patches.map(\.direction))
    }

    /// Converts the engine's errors to `VitPatchError`, with their sentences.
    private static func named<R>(_ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch let error as VitPatchError {
            throw error
        } catch { throw VitPatchError("\(error)") }
    }
}
