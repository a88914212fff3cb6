import CLRuntime
import Kernels
import Patch
import Reference
import ViT

/// Checks whole passes of a small random model on the device: against the Double reference, and by identities that hold
/// bit for bit in any precision.
package struct EndToEnd {
    /// The largest allowed difference of a probability from the reference, on any device and for any model. On this
    /// model, float32 differs by about 1e-6.
    package static let tolerance = 2e-5
    /// The tolerance at lower precisions: 12 times a product's error, because this small model magnifies errors
    private var tolerance: Double { max(Self.tolerance, 12 * encoder.gemm.precision.productError) }
    static let images = 3
    /// The sites of each list are patched together
    package static let sites: [[Site]] =
        Site.allCases.map { [$0] } + [
            [.attnOut, .mlpOut], [.q, .pattern], [.v, .z, .mlpAct], [.mlpPre, .mlpAct],
        ]

    /// One patched pass, described for both the engine and the reference.
    private struct Case {
        var direction: Direction, sites: [Site], layers: [Int], heads: [Int]?, tokens: [Int]?
        var patch: Patch {
            Patch(direction: direction, sites: sites, layers: layers, heads: heads, tokens: tokens)
        }
    }

    let model: RandomModel
    let reference: ReferenceModel
    private let library: KernelLibrary
    private let encoder: Encoder
    private let clean: [[Float]], corrupted: [[Float]]  // [images] of [channels, S, S]
    private let cases: [Case]
    private let patches: [Patch]

    package init(
        _ library: KernelLibrary, gemm: any GEMM, activation: ViTConfig.Activation = .gelu,
        pieces: RandomModel.Pieces = [], seed: UInt64
    ) throws(CLError) {
        var random = SplitMix64(seed: seed)
        let model = RandomModel(activation: activation, pieces: pieces, using: &random)
        self.model = model
        reference = model.reference
        self.library = library
        encoder = try Encoder(config: model.config, weights: model.weights, library: library, gemm: gemm)
        clean = (0..<Self.images).map { _ in model.pixels(using: &random) }
        corrupted = (0..<Self.images).map { _ in model.pixels(using: &random) }
        cases = Self.sites.flatMap { Self.cases($0, model.config) }
        patches = cases.map(\.patch)
    }

    /// Both directions; windows of 1, 2 and 3 layers at every centre, and the first and last layer without those
    /// between; all tokens and heads, then some of them.
    private static func cases(_ sites: [Site], _ config: ViTConfig) -> [Case] {
        var sets: [[Int]] = [[]]
        if sites.contains(where: \.hasLayers) {
            let windows = [1, 2, 3].flatMap { width in
                (0..<config.layers).map { Patch.window(centre: $0, width: width, layers: config.layers) }
            }
            sets = (windows + [[0, config.layers - 1]]).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
        let heads: [[Int]?] = sites.allSatisfy(\.hasHeads) && config.heads > 1 ? [nil, [0], [config.heads - 1]] : [nil]
        let tokens: [[Int]?] = [nil, [0], [1, config.tokens / 2, config.tokens - 1]]
        return Direction.allCases.flatMap { direction in
            sets.flatMap { layers in
                heads.flatMap { heads in
                    tokens.map { Case(direction: direction, sites: sites, layers: layers, heads: heads, tokens: $0) }
                }
            }
        }
    }

    package func run(_ report: (VerifyResult) throws -> Void) throws {
        let wave = try wave(0..<Self.images, chunkRows: Self.images * (2 + patches.count), patches: patches)
        try report(basePasses(wave))
        for sites in Self.sites { try report(patched(sites, wave)) }
        for result in try identities(wave) { try report(result) }
    }

    // MARK: Against the reference

    private func basePasses(_ wave: WaveResult) -> VerifyResult {
        var error = 0.0
        for (pixels, logits) in [(clean, wave.cleanLogits), (corrupted, wave.corruptedLogits)] {
            for image in 0..<Self.images {
                error = max(
                    error, difference(row(logits, image), reference.forward(pixels: wide(pixels[image])).logits))
            }
        }
        return VerifyResult(
            name: "forward", detail: "clean and corrupted passes, probabilities", error: error,
            tolerance: tolerance)
    }

    private func patched(_ sites: [Site], _ wave: WaveResult) -> VerifyResult {
        let names = sites.compactMap { ReferenceSite(rawValue: $0.rawValue) }
        var error = 0.0, effect = 0.0, count = 0
        for direction in Direction.allCases {
            let (from, into) = direction == .restore ? (clean, corrupted) : (corrupted, clean)
            let base = direction == .restore ? wave.corruptedLogits : wave.cleanLogits
            for image in 0..<Self.images {
                let source = reference.forward(pixels: wide(from[image]), capturing: Set(names)).activations
                for (index, item) in cases.enumerated() where item.sites == sites && item.direction == direction {
                    let wanted = reference.patched(
                        source: source, base: wide(into[image]), sites: names, layers: item.layers, heads: item.heads,
                        tokens: item.tokens)
                    error = max(error, difference(row(wave.patchedLogits[index], image), wanted))
                    let target = wave.targets[image], p = probabilities(wanted)
                    error = max(error, abs(Double(wave.patched[index][image].p) - p[target]).nanIsInfinite)
                    effect = max(effect, difference(row(base, image), wanted))
                    count += 1
                }
            }
        }
        return VerifyResult(
            name: "patched " + sites.map(\.rawValue).joined(separator: "+"),
            detail: "\(count) passes, probabilities; largest effect \(Double(Int(effect * 100)) / 100)", error: error,
            tolerance: tolerance)
    }

    /// The largest difference between two passes' probabilities.
    private func difference(_ logits: [Float], _ wanted: [Double]) -> Double {
        zip(probabilities(wide(logits)), probabilities(wanted)).reduce(0) { max($0, abs($1.0 - $1.1).nanIsInfinite) }
    }

    // MARK: Identities

    private func identities(_ all: WaveResult) throws -> [VerifyResult] {
        let layers = Array(0..<model.config.layers), rows = Self.images * (2 + patches.count)
        var results: [VerifyResult] = []
        func add(_ detail: String, _ pairs: [([Float], [Float])]) {
            let differing = pairs.reduce(0) { $0 + differingBits($1.0, $1.1) }
            results.append(VerifyResult(name: "same bits", detail: detail, error: Double(differing), tolerance: 0))
        }

        let whole = Direction.allCases.map { Patch(direction: $0, sites: [.residPost], layers: layers) }
        let swapped = try wave(0..<Self.images, chunkRows: rows, patches: whole)
        add(
            "all of resid_post patched = the other pass",
            [(swapped.patchedLogits[0], all.cleanLogits), (swapped.patchedLogits[1], all.corruptedLogits)])

        let own = try wave(0..<Self.images, chunkRows: rows, patches: patches, own: true)
        add(
            "patched with itself = not patched",
            zip(patches, own.patchedLogits).map { patch, logits in
                (logits, patch.direction == .restore ? all.corruptedLogits : all.cleanLogits)
            })

        var alone: [([Float], [Float])] = []
        for image in 0..<Self.images {
            let one = try wave(image..<(image + 1), chunkRows: rows, patches: patches)
            alone.append((one.cleanLogits, row(all.cleanLogits, image)))
            alone.append((one.corruptedLogits, row(all.corruptedLogits, image)))
            alone += zip(one.patchedLogits, all.patchedLogits).map { ($0, row($1, image)) }
        }
        add("a wave of \(Self.images) images = waves of 1", alone)

        let small = try wave(0..<Self.images, chunkRows: 1, patches: patches)
        add(
            "chunks of 1 pass = one chunk",
            [(small.cleanLogits, all.cleanLogits), (small.corruptedLogits, all.corruptedLogits)]
                + Array(zip(small.patchedLogits, all.patchedLogits)))
        return results
    }

    private func wave(
        _ images: Range<Int>, chunkRows: Int, patches: [Patch], own: Bool = false
    ) throws -> WaveResult {
        let shape = WaveShape(images: images.count, patches: patches, chunkRows: chunkRows)
        let wavefront = try Wavefront(encoder: encoder, library: library, shape: shape)
        return try wavefront.run(
            .init(
                clean: Array(clean[images]), corrupted: Array(corrupted[images]),
                labels: images.map { _ in -1 }),
            patches: patches, keepLogits: true, own: own)
    }

    /// The number of values whose bits differ; values that only one array has count too.
    private func differingBits(_ a: [Float], _ b: [Float]) -> Int {
        zip(a, b).filter { $0.bitPattern != $1.bitPattern }.count + abs(a.count - b.count)
    }

    private func row(_ logits: [Float], _ image: Int) -> [Float] {
        let classes = model.config.classes
        return Array(logits[(image * classes)..<((image + 1) * classes)])
    }

    private func wide(_ values: [Float]) -> [Double] { values.map(Double.init) }
}

extension Double {
    fileprivate var nanIsInfinite: Double { isNaN ? .infinity : self }
}
