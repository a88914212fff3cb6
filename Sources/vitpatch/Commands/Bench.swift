import ArgumentParser
import CLRuntime
import Files
import Foundation
import Kernels
import Patch
import Reference
import Results
import Spec
import Verification
import ViT

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Time kernels, GEMM, the forward pass and a sweep: medians, GFLOP/s, GB/s and shares of the measured peak.",
        discussion: "The column `naive` is the speedup over a plain kernel for the same work.")

    @Option(
        help:
            "Take the shapes from this model; `vit-b` stands for a random ViT-B/16 at 224 pixels (default: the demo's)."
    )
    var model: String?

    @Option(help: "Images in kernels, products, the forward pass and the sweep.")
    var images = 8

    @Option(help: "Seconds to spend on each line.")
    var seconds = 1.0

    @Option(
        help: ArgumentHelp(
            "\(oneOf(Group.self)): only these lines; repeatable (default: all).", valueName: "group"),
        completion: .choices(Group.self))
    var only: [String] = []

    @Flag(help: "Leave out the naive kernels and the other GEMM provider.")
    var alone = false

    @Option(help: "Write the results to this file too.")
    var json: String?

    @Option(help: "Show what changed since these results, a file of --json.")
    var compare: String?

    @OptionGroup var device: DeviceOptions

    /// Groups of lines
    enum Group: String, Choice { case kernel, gemm, pass, sweep }

    private func groups() throws -> [Group] {
        only.isEmpty ? Group.allCases : try only.map { try choice("--only", $0, Group.self) }
    }

    func validate() throws {
        _ = try groups()
        if images < 1 || images > 100_000 { throw UsageError("--images \(images): expected 1 to 100000") }
        if !(seconds >= 0 && seconds <= 3600) { throw UsageError("--seconds \(seconds): expected 0 to 3600") }
    }

    mutating func run() throws {
        let old = try compare.map(Self.read), groups = try groups()
        let context = try device.context()
        let choice = try device.gemm(for: context.device)
        let library = KernelLibrary(context, precision: choice.precision ?? .fp32)
        let (config, weights, name) = try BenchModel.named(model)
        let gemm = try choice.make(library)

        let (peak, peakCopy) = try Self.peak(library, seconds: seconds)
        var results = BenchResults(
            version: vitpatchVersion, device: context.device.name, driver: context.device.driver, model: name,
            date: Manifest.timestamp(), peakGFLOPS: peak, peakGBs: peakCopy, measurements: [])
        Terminal.standardOutput(
            "\(context.device.name), driver \(context.device.driver)\n"
                + "measured peak: \(BenchTable.number(peak)) GFLOP/s (fma), \(BenchTable.number(peakCopy)) GB/s (copy)\n"
                + "model: \(name); GEMM: \(gemm.name)\n\n" + BenchTable.header)
        func add(_ measurement: Measurement) {
            results.measurements.append(measurement)
            Terminal.standardOutput(BenchTable.line(measurement, results, old))
        }
        let operations = try BenchOperations(config, library: library, gemm: gemm, images: images, alone: alone)
        if groups.contains(.kernel) { try operations.time(.kernel, operations.kernels, seconds: seconds, add) }
        if groups.contains(.gemm) { try operations.time(.gemm, operations.gemms, seconds: seconds, add) }
        if groups.contains(.pass) || groups.contains(.sweep) {
            let encoder = try Encoder(config: config, weights: weights, library: library, gemm: gemm)
            try wholePasses(encoder, library: library, groups: groups, add)
        }
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try AtomicFile.write(
                encoder.encode(results), to: json, keeping: [model, compare].compactMap { $0 })
        }
    }

    /// Forward passes, and sweeps with random images.
    private func wholePasses(
        _ encoder: Encoder, library: KernelLibrary, groups: [Group], _ add: (Measurement) -> Void
    ) throws {
        let config = encoder.config, images = images
        var random = SplitMix64(seed: 2)
        func pixels() -> [[Float]] {
            (0..<images).map { _ in (0..<config.imageValues).map { _ in Float.random(in: -1...1, using: &random) } }
        }
        let clean = pixels(), corrupted = pixels()
        func time(_ group: Group, _ name: String, patches: [Patch], corrupted: [[Float]]?) throws {
            guard groups.contains(group) else { return }
            let plan = try WavePlan(encoder: encoder, patches: patches, images: images, memory: nil)
            let wavefront = try Wavefront(encoder: encoder, library: library, shape: plan.shape)
            var evaluations = 0
            func run() throws {
                evaluations = 0
                for range in plan.imageRanges(count: images) {
                    for some in plan.patchRanges {
                        evaluations += try wavefront.run(
                            .init(
                                clean: Array(clean[range]), corrupted: corrupted.map { Array($0[range]) },
                                labels: range.map { _ in -1 }), patches: Array(patches[some])
                        ).evaluations
                    }
                }
            }
            var measurement = try Measurement.of(
                group.rawValue, name, "\(images) images", flops: 0, bytes: 0, context: encoder.context,
                seconds: seconds, run)
            // An evaluation is one stage; each is counted as half of a layer's flops.
            measurement.flops = Double(evaluations) / 2 * config.layerFlops
            add(measurement)
        }
        try time(.pass, "forward", patches: [], corrupted: nil)
        var spec = SweepSpec()
        spec.window = [1]
        try time(
            .sweep, "attn_out, window 1", patches: try spec.items(config: config).map(\.patch), corrupted: corrupted)
        spec.window = [3]
        try time(
            .sweep, "attn_out, window 3", patches: try spec.items(config: config).map(\.patch), corrupted: corrupted)
        spec.window = nil
        spec.site = [Site.z.rawValue]
        try time(.sweep, "z, every head", patches: try spec.items(config: config).map(\.patch), corrupted: corrupted)
    }

    /// GFLOP/s of a loop of fma and GB/s of a copy of 64 MB.
    private static func peak(_ library: KernelLibrary, seconds: Double) throws -> (Double, Double) {
        let context = library.context, peak = try Peak(library)
        let out = try Buffer<Float>(context, count: max(peak.outputs, 1 << 24))
        let input = try Buffer<Float>(context, count: 1 << 24)
        try input.fill(1)
        let fma = try Measurement.of("", "", "", flops: 0, bytes: 0, context: context, seconds: seconds) {
            try peak.fma(out: out)
        }
        var bytes = 0
        let copy = try Measurement.of("", "", "", flops: 0, bytes: 0, context: context, seconds: seconds) {
            bytes = try peak.copy(input: input, out: out)
        }
        return (Double(peak.flops) / fma.fastest / 1e9, Double(bytes) / copy.fastest / 1e9)
    }

    private static func read(_ path: String) throws -> BenchResults {
        let data: Data
        do { data = try InputFile.read(path, limit: 100 << 20) } catch {
            throw CommandError("--compare \(path) cannot be read: \(error)")
        }
        do {
            return try JSONDecoder().decode(BenchResults.self, from: data)
        } catch { throw CommandError("--compare \(path) is not a file of vitpatch bench --json") }
    }
}
