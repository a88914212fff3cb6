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

    init(_ checkpoint: Checkpoint, provider: GEMMProvider? = nil) throws {
        config = checkpoint.config
        context = try Context(device: try Device.select(nil))
        library = KernelLibrary(context)
        encoder = try Encoder(
            config: checkpoint.config, weights: checkpoint.weights, library: library,
            gemm: try (provider ?? GEMMProvider(device: context.device)).make(library))
    }

    init(fixture name: String, provider: GEMMProvider? = nil) throws {
        try self.init(Checkpoint.load(folder: Fixture.directory(name).path), provider: provider)
    }

    func wavefront(images: Int, patches: Int, chunkRows: Int = 3) throws -> Wavefront {
        try Wavefront(
            encoder: encoder, library: library,
            shape: WaveShape(images: images, patches: patches, chunkRows: chunkRows))
    }

    /// Random normalised pixels [images, channels, S, S]
    func pixels(_ images: Int, _ random: inout SplitMix64) -> [Float] {
        (0..<images * config.channels * config.imageSize * config.imageSize).map { _ in
            Float.random(in: -1...1, using: &random)
        }
    }

    func input(images: Int, _ random: inout SplitMix64) -> Wavefront.Input {
        Wavefront.Input(
            clean: pixels(images, &random), corrupted: pixels(images, &random),
            labels: (0..<images).map { _ in Int.random(in: 0..<config.classes, using: &random) })
    }

    /// Every site that can be patched, every centre, windows 1, 2, 3, both directions, and two sites together.
    func patches() -> [Patch] {
        var patches: [Patch] = []
        for direction in Direction.allCases {
            patches.append(Patch(direction: direction, sites: [.embed], layers: []))
            for sites in Site.built.filter(\.hasLayers).map({ [$0] }) + [[.attnOut, .mlpOut], [.residMid, .mlpOut]] {
                for width in 1...3 {
                    for centre in 0..<config.layers {
                        patches.append(
                            Patch(
                                direction: direction, sites: sites,
                                layers: Patch.window(centre: centre, width: width, layers: config.layers)))
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
