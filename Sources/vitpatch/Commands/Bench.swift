import ArgumentParser
import CLRuntime
import Foundation
import Kernels
import Patch
import Reference
import Results
import Verification
import ViT

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time kernels, GEMM, the forward pass and a sweep: medians, GFLOP/s, GB/s and shares of the measured peak.")

    @Option(help: "Take the shapes from this model; `vit-b` stands for a random ViT-B/16 at 224 pixels (default: the demo's).")
    var model: String?

    @Option(help: "Images in the forward pass and the sweep.")
    var images = 8

    @Option(help: "Seconds to spend on each line.")
    var seconds = 1.0

    @Option(help: ArgumentHelp("\(Group.allCases.map(\.rawValue).joined(separator: " | ")): only these lines; repeatable (default: all).", valueName: "group"))
    var only: [String] = []

    @Option(help: "Write the results to this file too.")
    var json: String?

    @Option(help: "Show what changed since these results, a file of --json.")
    var compare: String?

    @OptionGroup var device: DeviceOptions
    @OptionGroup var precision: PrecisionOptions

    /// Lines that belong together
    enum Group: String, CaseIterable { case kernel, gemm, pass, sweep }

    private func groups() throws -> [Group] {
        only.isEmpty ? Group.allCases : try only.map { try choice("--only", $0, Group.self) }
    }

    func validate() throws {
        _ = try groups()
        if images < 1 || images > 100_000 { throw ValidationError("--images \(images): expected 1 to 100000") }
        if !(seconds >= 0 && seconds <= 3600) { throw ValidationError("--seconds \(seconds): expected 0 to 3600") }
    }

    mutating func run() throws {
        let old = try compare.map(Self.read), groups = try groups()
        let context = try device.context()
        let library = KernelLibrary(context)
        let (config, weights, name) = try Self.model(model)
        let gemm = try device.gemm(for: context.device).make(library)

        let (peak, peakCopy) = try Self.peak(library, seconds: seconds)
        var results = BenchResults(
            version: vitpatchVersion, device: context.device.name, driver: context.device.driver, model: name,
            date: Manifest.timestamp(), peakGFLOPS: peak, peakGBs: peakCopy, measurements: [])
        Terminal.standardOutput(
            "\(context.device.name), driver \(context.device.driver)\n"
                + "measured peak: \(Self.number(peak)) GFLOP/s (fma), \(Self.number(peakCopy)) GB/s (copy)\n"
                + "model: \(name); GEMM: \(gemm.name)\n\n" + Self.header)
        func add(_ measurement: Measurement) {
            results.measurements.append(measurement)
            Terminal.standardOutput(Self.line(measurement, results, old))
        }
        for (group, item) in try Self.operations(config, library: library, gemm: gemm) where groups.contains(group) {
            var random = SplitMix64(seed: 1)
            let op = try item.prepare(library, &random)
            add(
                try .of(
                    group.rawValue, item.name, item.shape, flops: Double(item.flops), bytes: Double(item.bytes),
                    context: context, seconds: seconds, op.launch))
        }
        if groups.contains(.pass) || groups.contains(.sweep) {
            let encoder = try Encoder(config: config, weights: weights, library: library, gemm: gemm)
            try wholePasses(encoder, library: library, groups: groups, add)
        }
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            do {
                try encoder.encode(results).write(to: URL(fileURLWithPath: json))
            } catch { throw CommandError("--json \(json) cannot be written") }
        }
    }

    /// Forward passes, and sweeps with random images.
    private func wholePasses(
        _ encoder: Encoder, library: KernelLibrary, groups: [Group], _ add: (Measurement) -> Void
    ) throws {
        let config = encoder.config, images = images
        var random = SplitMix64(seed: 2)
        let values = images * config.channels * config.imageSize * config.imageSize
        let clean = (0..<values).map { _ in Float.random(in: -1...1, using: &random) }
        let corrupted = (0..<values).map { _ in Float.random(in: -1...1, using: &random) }
        func time(_ group: Group, _ name: String, patches: [Patch], corrupted: [Float]?) throws {
            guard groups.contains(group) else { return }
            let plan = try WavePlan(encoder: encoder, patches: patches, images: images, memory: nil)
            let wavefront = try Wavefront(encoder: encoder, library: library, shape: plan.shape)
            let size = values / images
            var evaluations = 0
            func run() throws {
                evaluations = 0
                for range in plan.imageRanges(count: images) {
                    let part = range.lowerBound * size..<range.upperBound * size
                    for some in plan.patchRanges {
                        evaluations += try wavefront.run(
                            .init(
                                clean: Array(clean[part]), corrupted: corrupted.map { Array($0[part]) },
                                labels: range.map { _ in -1 }), patches: Array(patches[some])
                        ).evaluations
                    }
                }
            }
            var measurement = try Measurement.of(
                group.rawValue, name, "\(images) images", flops: 0, bytes: 0, context: encoder.context, seconds: seconds, run)
            // What the evaluations cost: half of a layer's products each, attention's in the ones that are attention.
            measurement.flops = Double(evaluations) / 2 * config.layerFlops
            add(measurement)
        }
        try time(.pass, "forward", patches: [], corrupted: nil)
        var spec = SweepSpec()
        spec.window = [1]
        try time(.sweep, "attn_out, window 1", patches: try spec.items(config: config).map(\.patch), corrupted: corrupted)
        spec.window = [3]
        try time(.sweep, "attn_out, window 3", patches: try spec.items(config: config).map(\.patch), corrupted: corrupted)
        spec.window = nil
        spec.site = [Site.z.rawValue]
        try time(.sweep, "z, every head", patches: try spec.items(config: config).map(\.patch), corrupted: corrupted)
    }

    // MARK: What is timed

    private static func model(_ folder: String?) throws -> (ViTConfig, ViTWeights, String) {
        if folder == "vit-b" {
            let config = ViTConfig(
                hiddenSize: 768, layers: 12, heads: 12, intermediateSize: 3072, imageSize: 224, patchSize: 16,
                labels: (0..<1000).map { "\($0)" })
            var random = SplitMix64(seed: 3)
            return (config, .random(config, using: &random), "ViT-B/16, random weights")
        }
        let checkpoint = try Model.checkpoint(folder: folder)
        return (checkpoint.config, checkpoint.weights, checkpoint.name)
    }

    /// The kernels at the model's sizes, eight images at a time; the GEMM shapes of a layer.
    private static func operations(
        _ config: ViTConfig, library: KernelLibrary, gemm: any GEMM
    ) throws -> [(Group, OpCase)] {
        let rows = 8, t = config.tokens, d = config.hiddenSize, m = config.intermediateSize
        let list = (0..<Int32(rows)).map { $0 }
        func gemms(_ gemm: any GEMM) -> [(Group, OpCase)] {
            [(3 * d, d, ActivationKind.none), (d, d, .none), (m, d, .gelu), (d, m, .none)].map { n, k, activation in
                (Group.gemm, OpCase.gemm(gemm, m: rows * t, n: n, k: k, activation: activation, checkedRows: 1))
            }
        }
        var cases: [(Group, OpCase)] = [
            (.kernel, .layerNorm(stream: rows, rows: list, tokens: t, of: t, width: d)),
            (.kernel, .biasActivation(rows: rows * t, width: m, stride: m, offset: 0, activation: .gelu)),
            (
                .kernel,
                .attention(images: rows, heads: config.heads, headDim: config.headDim, tokens: t, queries: t, apart: false)
            ),
            (
                .kernel,
                .residualAdd(stream: rows, outputs: rows, dst: list, base: list, src: list, tokens: t, of: t, width: d)
            ),
            (.kernel, .metrics(images: rows, patches: 12, classes: config.classes)),
        ]
        cases += gemms(gemm)
        // The other provider beside it.
        let other: any GEMM = gemm is PackedGEMM ? try CLBlastGEMM(library) : try PackedGEMM(library)
        return cases + gemms(other)
    }

    /// GFLOP/s of a loop of fma and GB/s of a copy of 64 MB.
    private static func peak(_ library: KernelLibrary, seconds: Double) throws -> (Double, Double) {
        let context = library.context, peak = try Peak(library)
        let out = try Buffer<Float>(context, count: max(peak.outputs, 1 << 24))
        let input = try Buffer<Float>(context, count: 1 << 24)
        try input.fill(1)
        let fma = try Measurement.of("", "", "", flops: 0, bytes: 0, context: context, seconds: seconds) { try peak.fma(out: out) }
        var bytes = 0
        let copy = try Measurement.of("", "", "", flops: 0, bytes: 0, context: context, seconds: seconds) {
            bytes = try peak.copy(input: input, out: out)
        }
        return (Double(peak.flops) / fma.fastest / 1e9, Double(bytes) / copy.fastest / 1e9)
    }

    private static func read(_ path: String) throws -> BenchResults {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandError("--compare \(path): there is no such file")
        }
        do {
            return try JSONDecoder().decode(BenchResults.self, from: data)
        } catch { throw CommandError("--compare \(path) is no file of vitpatch bench --json") }
    }

    // MARK: The table

    private static let header =
        row("what", "shape", "median", "fastest-slowest", "GFLOP/s", "of peak", "GB/s", "of peak", "")

    private static func line(_ item: Measurement, _ results: BenchResults, _ old: BenchResults?) -> String {
        let gflops = item.flops / item.median / 1e9, gbs = item.bytes / item.median / 1e9
        var change = ""
        if let before = old?.measurements.first(where: { $0.key == item.key }) {
            change = String(format: "%.2fx as fast", before.median / item.median)
        } else if old != nil {
            change = "new"
        }
        return row(
            item.name, item.shape, time(item.median), "\(time(item.fastest))-\(time(item.slowest))",
            item.flops > 0 ? number(gflops) : "", item.flops > 0 ? share(gflops / results.peakGFLOPS) : "",
            item.bytes > 0 ? number(gbs) : "", item.bytes > 0 ? share(gbs / results.peakGBs) : "", change)
    }

    private static func row(
        _ what: String, _ shape: String, _ median: String, _ spread: String, _ gflops: String, _ ofPeak: String,
        _ gbs: String, _ ofCopy: String, _ change: String
    ) -> String {
        func left(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
        func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        let line =
            left(what, 32) + left(shape, 42) + right(median, 9) + right(spread, 18) + right(gflops, 9) + right(ofPeak, 8)
            + right(gbs, 8) + right(ofCopy, 8) + (change.isEmpty ? "" : "  " + change)
        return line.replacingOccurrences(of: " +$", with: "", options: .regularExpression) + "\n"
    }

    private static func time(_ seconds: Double) -> String {
        seconds >= 1 ? String(format: "%.2f s", seconds)
            : seconds >= 1e-3 ? String(format: "%.2f ms", seconds * 1e3) : String(format: "%.0f us", seconds * 1e6)
    }
    private static func number(_ value: Double) -> String { String(format: value >= 100 ? "%.0f" : "%.1f", value) }
    private static func share(_ value: Double) -> String { String(format: "%.0f%%", value * 100) }
}

extension ViTConfig {
    /// Floating-point operations of one layer for one image: linear maps and attention.
    var layerFlops: Double {
        let (t, d, m) = (Double(tokens), Double(hiddenSize), Double(intermediateSize))
        return 2 * t * (4 * d * d + 2 * d * m) + 4 * t * t * d
    }
}

extension ViTWeights {
    /// Weights of a size at which nothing overflows: for timing.
    static func random(_ config: ViTConfig, using random: inout SplitMix64) -> ViTWeights {
        let (d, m) = (config.hiddenSize, config.intermediateSize)
        func some(_ count: Int) -> Weight {
            Weight((0..<count).map { _ in Float.random(in: -0.03...0.03, using: &random) })
        }
        func ones(_ count: Int) -> Weight { Weight([Float](repeating: 1, count: count)) }
        return ViTWeights(
            patchWeight: some(d * config.patchValues), patchBias: some(d), cls: some(d), position: some(config.tokens * d),
            layers: (0..<config.layers).map { _ in
                LayerWeights(
                    ln1Weight: ones(d), ln1Bias: some(d), qkvWeight: some(3 * d * d), qkvBias: some(3 * d),
                    projWeight: some(d * d), projBias: some(d), ln2Weight: ones(d), ln2Bias: some(d),
                    fc1Weight: some(m * d), fc1Bias: some(m), fc2Weight: some(d * m), fc2Bias: some(d))
            },
            lnWeight: ones(d), lnBias: some(d), headWeight: some(config.classes * d), headBias: some(config.classes))
    }
}
