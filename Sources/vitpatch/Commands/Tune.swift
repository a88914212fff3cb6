import ArgumentParser
import CLRuntime
import Foundation
import Kernels
import Reference
import ViT

struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the GEMM providers and their parameters on this device, and remember the best.",
        discussion: "Sweeps on this device and driver use the choice from then on; --gemm overrides it.")

    @Option(help: "Take the shapes from this model (default: a ViT-B/16).")
    var model: String?

    @Option(help: "Seconds to spend on each shape and candidate.")
    var seconds = 0.3

    @OptionGroup var device: DeviceOption

    func validate() throws {
        if !(seconds >= 0 && seconds <= 600) { throw UsageError("--seconds \(seconds): expected 0 to 600") }
    }

    mutating func run() throws {
        let context = try device.context()
        let library = KernelLibrary(context)
        let (t, d, m) = try shapes()
        let rows = max(1, 1576 / t) * t
        let layer = [(3 * d, d), (d, d), (m, d), (d, m)]
        let flops = layer.map { 2.0 * Double(rows * $0.0 * $0.1) }.reduce(0, +)

        guard let choices = GEMMChoices() else {
            throw CommandError("neither XDG_CACHE_HOME nor HOME names a folder to remember the choice in")
        }
        var best: (choice: GEMMChoice, seconds: Double)?
        for round in GEMMChoice.rounds(library) {
            for choice in round(best?.choice) {
                // A candidate that the device cannot build or run is no candidate.
                guard let gemm = try? choice.make(library), let seconds = try? time(gemm, layer, rows: rows, library)
                else {
                    continue
                }
                let isBest = best.map { seconds < $0.seconds } ?? true
                if isBest { best = (choice, seconds) }
                Terminal.standardOutput(
                    gemm.name.padding(toLength: 40, withPad: " ", startingAt: 0)
                        + String(format: "%8.1f GFLOP/s", flops / seconds / 1e9) + (isBest ? "  *" : "") + "\n")
            }
        }
        guard let best else { throw CommandError("no GEMM provider runs on \(context.device.name)") }
        do {
            try choices.store(best.choice, for: context.device)
        } catch { throw CommandError("\(choices.path(for: context.device)) cannot be written") }
        Terminal.standardOutput(
            "\(try best.choice.make(library).name) is used on \(context.device.name) from now on (\(choices.path(for: context.device)))\n"
        )
    }

    /// Seconds for a layer's four linear maps: the sum of the fastest runs.
    private func time(
        _ gemm: any GEMM, _ layer: [(n: Int, k: Int)], rows: Int, _ library: KernelLibrary
    ) throws -> Double {
        let context = library.context
        var total = 0.0
        for (n, k) in layer {
            let weight = try gemm.prepare(
                weight: Self.values(n * k), bias: Self.values(n), outputs: n, inputs: k)
            let a = try Buffer(context, Self.values(rows * k)), out = try Buffer<Float>(context, count: rows * n)
            total += try Measurement.of("", "", "", flops: 0, bytes: 0, context: context, seconds: seconds) {
                try gemm(
                    a: Matrix(a, stride: k), weight: weight, rows: rows, activation: .none, out: Matrix(out, stride: n))
            }.fastest  // what else the machine does only adds time
        }
        return total
    }

    /// Random numbers, a few thousand over and over: quick to make, and no zeros, which some devices multiply faster.
    private static func values(_ count: Int) -> [Float] {
        var random = SplitMix64(seed: 1)
        let some = (0..<4099).map { _ in Float.random(in: -1...1, using: &random) }
        return [Float](unsafeUninitializedCapacity: count) { values, initialized in
            for first in stride(from: 0, to: count, by: some.count) {
                let part = min(some.count, count - first)
                _ = UnsafeMutableBufferPointer(rebasing: values[first..<(first + part)]).initialize(from: some[..<part])
            }
            initialized = count
        }
    }

    /// T, D, M
    private func shapes() throws -> (Int, Int, Int) {
        guard let model else { return (197, 768, 3072) }
        let config = try Model.checkpoint(folder: model).config
        return (config.tokens, config.hiddenSize, config.intermediateSize)
    }
}
