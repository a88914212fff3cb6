import Foundation
import CLRuntime
import Kernels
import Patch
import TestSupport
import ViT

/// A fixture's model on the device.
struct Rig {
    let config: ViTConfig
    let context: Context
    let library: KernelLibrary
    let encoder: Encoder

    /// - Parameter gemm: makes the GEMM; nil for the device's default
    init(
        config: ViTConfig, weights: ViTWeights, precision: Precision = .fp32,
        gemm: ((KernelLibrary) throws -> any GEMM)? = nil
    ) throws {
        self.config = config
        let cache = ProgramCache(folder: FileManager.default.temporaryDirectory.path + "/vitpatch-tests")
        context = try Context(device: try Device.select(nil), cache: cache)
        library = KernelLibrary(context, precision: precision)
        encoder = try Encoder(
            config: config, weights: weights, library: library,
            gemm: try gemm?(library) ?? GEMMProvider(device: context.device).make(library))
    }

    init(config: ViTConfig, weights: ViTWeights, provider: GEMMProvider) throws {
        try self.init(config: config, weights: weights) { try provider.make($0) }
    }

    init(_ checkpoint: Checkpoint, provider: GEMMProvider? = nil) throws {
        try self.init(
            config: checkpoint.config, weights: checkpoint.weights,
            gemm: provider.map { provider in { try provider.make($0) } })
    }

    init(fixture name: String, gemm: @escaping (KernelLibrary) throws -> any GEMM) throws {
        let checkpoint = try Checkpoint.load(folder: Fixture.directory(name).path)
        try self.init(config: checkpoint.config, weights: checkpoint.weights, gemm: gemm)
    }

    /// - Parameter precision: not fp32
    init(fixture name: String, precision: Precision) throws {
        let checkpoint = try Checkpoint.load(folder: Fixture.directory(name).path)
        try self.init(config: checkpoint.config, weights: checkpoint.weights, precision: precision) {
            try GEMMChoice(device: $0.context.device, precision: precision).make($0)
        }
    }

    init(fixture name: String, provider: GEMMProvider? = nil) throws {
        try self.init(Checkpoint.load(folder: Fixture.directory(name).path), provider: provider)
    }

    /// - Parameter kept: whether to keep the activations of all sites, also where no patch needs them
    func wavefront(images: Int, patches: [Patch], chunkRows: Int = 3, kept: Bool = false) throws -> Wavefront {
        var shape = WaveShape(images: images, patches: patches, chunkRows: chunkRows)
        if kept { shape.kept = [.attention, .hidden, .pre] }
        return try Wavefront(encoder: encoder, library: library, shape: shape)
    }

    /// Random normalised pixels, [images] of [channels, S, S]
    func pixels(_ images: Int, _ random: inout SplitMix64) -> [[Float]] {
        (0..<images).map { _ in (0..<config.imageValues).map { _ in Float.random(in: -1...1, using: &random) } }
    }

    func input(images: Int, _ random: inout SplitMix64) -> Wave {
        Wave(
            clean: pixels(images, &random), corrupted: pixels(images, &random),
            labels: (0..<images).map { _ in Int.random(in: 0..<config.classes, using: &random) })
    }

    /// Every site, every centre, windows 1, 2, 3, both directions, and several sites together; all heads and tokens,
    /// then some of them.
    func patches() -> [Patch] {
        var patches: [Patch] = []
        let some = [0, config.tokens / 2, config.tokens - 1]
        for direction in Direction.allCases {
            for tokens in [nil, [0], some] {
                patches.append(Patch(direction: direction, sites: [.embed], layers: [], tokens: tokens))
                for sites in Site.allCases.filter(\.hasLayers).map({ [$0] })
                    + [
                        [.attnOut, .mlpOut], [.residMid, .mlpOut], [.q, .k], [.v, .pattern], [.z, .mlpAct],
                        [.q, .z, .attnOut], [.mlpPre, .mlpOut],
                    ]
                {
                    for heads in sites.contains(where: \.hasHeads) && config.heads > 1
                        ? [nil, [config.heads - 1]] : [nil]
                    {
                        for width in 1...3 {
                            for centre in 0..<config.layers {
                                patches.append(
                                    Patch(
                                        direction: direction, sites: sites,
                                        layers: Patch.window(centre: centre, width: width, layers: config.layers),
                                        heads: heads, tokens: tokens))
                            }
                        }
                    }
                }
            }
        }
        return patches
    }
}

func softmax(_ logits: [Double]) -> [Double] {
    let top = logits.max() ?? 0
    let exps = logits.map { exp($0 - top) }
    let sum = exps.reduce(0, +)
    return exps.map { $0 / sum }
}
