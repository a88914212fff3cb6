import Kernels
import Reference
import Verification
import ViT

/// Single operations at a model's sizes.
struct BenchOperations {
    /// Ways to do the same work, and the naive way
    typealias Work = (ways: [OpCase], naive: OpCase?)

    private let library: KernelLibrary
    private let naiveLibrary: KernelLibrary
    private(set) var kernels: [Work] = []
    /// The linear maps of a layer, by the GEMM that a sweep would use and by the other providers'
    private(set) var gemms: [Work] = []

    /// - Parameter alone: without naive ways and other providers
    init(_ config: ViTConfig, library: KernelLibrary, gemm: any GEMM, images: Int, alone: Bool) throws {
        self.library = library
        naiveLibrary = KernelLibrary(naive: library.context)
        let rows = images, t = config.tokens, d = config.hiddenSize, m = config.intermediateSize
        kernels = Self.kernels(config, rows: rows).map {
            ([$0], !alone && KernelLibrary.naiveKernels.contains($0.name) ? $0 : nil)
        }
        var others: [any GEMM] = [], naive: NaiveGEMM?
        if !alone {
            let providers: [GEMMProvider] = library.context.device.isGPU ? [.clblast, .tiled] : [.packed, .clblast]
            others =
                gemm.precision != .fp32
                ? [] : try providers.filter { !gemm.name.hasPrefix($0.rawValue) }.map { try $0.make(library) }
            naive = try NaiveGEMM(naiveLibrary)
        }
        gemms = [(3 * d, d, ActivationKind.none), (d, d, .none), (m, d, .gelu), (d, m, .none)].map { n, k, activation in
            func linear(_ gemm: any GEMM) -> OpCase {
                .gemm(gemm, m: rows * t, n: n, k: k, activation: activation, checkedRows: 1)
            }
            return (([gemm] + others).map(linear), naive.map(linear))
        }
    }

    private static func kernels(_ config: ViTConfig, rows: Int) -> [OpCase] {
        let t = config.tokens, d = config.hiddenSize, m = config.intermediateSize
        let (h, dh) = (config.heads, config.headDim)
        let list = (0..<Int32(rows)).map { $0 }, born = list.map { $0 + Int32(rows) }, tokens = Array(0..<t)
        return [
            .imagePatches(
                stored: rows, images: 0..<rows, channels: config.channels,
                image: (config.imageSize.height, config.imageSize.width),
                patch: (config.patchSize.height, config.patchSize.width)),
            .embed(first: 0, count: rows, tokens: t, width: d),
            .layerNorm(stream: rows, rows: list, tokens: t, of: t, width: d),
            .attention(images: rows, heads: h, headDim: dh, tokens: t, queries: t, apart: false),
            .attentionPattern(
                slots: 4, heads: h, headDim: dh, tokens: t, queries: t,
                entries: (0..<2).flatMap { slot in
                    (0..<h).map { OpCase.PatternCase(from: slot, to: slot + 2, head: $0, tokens: tokens) }
                }),
            .biasActivation(rows: rows * t, width: m, stride: m, offset: 0, activation: .gelu),
            .residualAdd(stream: rows, outputs: rows, dst: list, base: list, src: list, tokens: t, of: t, width: d),
            .residualCopy(stream: 2 * rows, dst: born, src: list, tokens: t, of: t, width: d),
            .slices(
                slots: 2 * rows, tokens: t, width: d,
                entries: (0..<rows).map { slot in
                    OpCase.Slice(dst: slot + rows, src: slot, column: slot % h * dh, width: dh, tokens: tokens)
                }),
            .noise(stored: rows, images: 0..<rows, values: (t - 1) * d, strength: 1),
            .metrics(images: rows, patches: 12, classes: config.classes),
        ] + backwardKernels(config, rows: rows)
    }

    /// The kernels of estimates from gradients, besides products with transposed weights
    private static func backwardKernels(_ config: ViTConfig, rows: Int) -> [OpCase] {
        let t = config.tokens, d = config.hiddenSize, m = config.intermediateSize
        let (h, dh) = (config.heads, config.headDim), list = (0..<Int32(rows)).map { $0 }
        func contract(_ groups: Int, _ width: Int, summed: Bool = false) -> OpCase {
            .contract(
                entries: rows, rows: rows, tokens: t, groups: groups, groupWidth: width / groups, summed: summed)
        }
        return [
            .layerNormBackward(stream: rows, rows: list, tokens: t, of: t, addTokens: t, width: d),
            .activationBackward(slots: rows, rows: Array(0..<rows), elements: t * m, activation: .gelu),
            .attentionBackward(slots: rows, rows: Array(0..<rows), heads: h, headDim: dh, tokens: t, queries: t),
            contract(1, d), contract(h, d), contract(m, m, summed: true),
            .keyTokens(entries: rows, slots: 2 * rows, heads: h, headDim: dh, tokens: t, queries: t),
            .metricGradient(images: rows, classes: config.classes),
        ]
    }

    /// Every way of every work, each with the time that the naive way took.
    func time(_ group: Bench.Group, _ work: [Work], seconds: Double, _ add: (Measurement) -> Void) throws {
        for work in work {
            // Naive ways may take seconds; one run is enough.
            let naive = try work.naive.map { try time(group, $0, naiveLibrary, seconds: seconds, atLeast: 1).median }
            for way in work.ways {
                var measurement = try time(group, way, library, seconds: seconds, atLeast: 3)
                measurement.naive = naive
                add(measurement)
            }
        }
    }

    private func time(
        _ group: Bench.Group, _ way: OpCase, _ library: KernelLibrary, seconds: Double, atLeast: Int
    ) throws -> Measurement {
        var random = SplitMix64(seed: 1)
        let op = try way.prepare(library, &random)
        return try .of(
            group.rawValue, way.name, way.shape, flops: Double(way.flops), bytes: Double(way.bytes),
            context: library.context, seconds: seconds, atLeast: atLeast, op.launch)
    }
}
