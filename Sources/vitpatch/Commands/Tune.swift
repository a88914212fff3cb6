import ArgumentParser
import CLRuntime
import Foundation
import Kernels
import Reference
import ViT

struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the GEMM providers and their parameters on this device, and remember the best.",
        discussion:
            "Candidates whose results are wrong are left out. The fastest replaces the built-in choice only where it wins clearly in most of several alternating rounds. Sweeps on this device and driver use the choice from then on; --gemm overrides it."
    )

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
        // The rows of usual GEMMs: on GPUs those of a large wave, on CPUs those of a chunk
        let rows = max(1, (context.device.isGPU ? 32768 : 1576) / t) * t
        let layer = [(3 * d, d), (d, d), (m, d), (d, m)]

        guard let choices = GEMMChoices() else {
            throw CommandError("neither XDG_CACHE_HOME nor HOME names a folder to remember the choice in")
        }
        let run = TuneRun(library: library, layer: layer, rows: rows, seconds: seconds)
        var choice = try run.choose()
        choice.factors = try run.factors(of: choice)
        do {
            try choices.store(choice, for: context.device)
        } catch { throw CommandError("\(choices.path(for: context.device)) cannot be written") }
        Terminal.standardOutput(
            "\(try choice.make(library).name) is used on \(context.device.name) from now on (\(choices.path(for: context.device)))\n"
        )
    }

    /// T, D, M
    private func shapes() throws -> (Int, Int, Int) {
        guard let model else { return (197, 768, 3072) }
        let config = try Model.checkpoint(folder: model).config
        return (config.tokens, config.hiddenSize, config.intermediateSize)
    }
}
