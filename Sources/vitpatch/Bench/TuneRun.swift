import CLRuntime
import Foundation
import Kernels
import Reference
import Verification

/// Measures GEMM providers and their parameters on a layer's four linear maps.
struct TuneRun {
    let library: KernelLibrary
    /// N and K of each map
    let layer: [(n: Int, k: Int)]
    /// M
    let rows: Int
    /// Time to spend on each map and candidate
    let seconds: Double

    /// Rounds of the fastest candidate against the built-in choice, and how many it must win by `margin`
    private static let rounds = 9, wins = 7
    private static let margin = 1.03

    private var flops: Double { layer.map { 2.0 * Double(rows * $0.n * $0.k) }.reduce(0, +) }

    /// The fastest candidate with right results, if it is clearly faster than the built-in choice; else the latter.
    func choose() throws -> GEMMChoice {
        var best: (choice: GEMMChoice, seconds: Double)?
        for round in GEMMChoice.rounds(library) {
            for choice in round(best?.choice) {
                // Candidates that the device cannot build or run are skipped.
                guard let gemm = try? choice.make(library), let isRight = try? isRight(gemm) else { continue }
                guard isRight else {
                    line(gemm.name, "wrong results")
                    continue
                }
                guard let seconds = try? time(gemm, seconds: seconds) else { continue }
                let isBest = best.map { seconds < $0.seconds } ?? true
                if isBest { best = (choice, seconds) }
                line(gemm.name, String(format: "%8.1f GFLOP/s", flops / seconds / 1e9) + (isBest ? "  *" : ""))
            }
        }
        guard let best else { throw CommandError("no GEMM provider runs on \(library.context.device.name)") }
        return try contest(best.choice, GEMMChoice(device: library.context.device))
    }

    /// How many times as fast as `choice` the device's other precisions are, by name; nil where it has none.
    func factors(of choice: GEMMChoice) throws -> [String: Double]? {
        let others = Precision.available(on: library.context.device).filter { $0 != .fp32 }
        if others.isEmpty { return nil }
        let own = try time(choice.make(library), seconds: seconds)
        var factors: [String: Double] = [:]
        for precision in others {
            guard let gemm = try? GEMMChoice(device: library.context.device, precision: precision).make(library),
                try isRight(gemm)
            else { continue }
            let factor = own / (try time(gemm, seconds: seconds))
            factors[precision.rawValue] = factor
            line(gemm.name, String(format: "%8.1f times as fast as fp32", factor))
        }
        return factors
    }

    private func line(_ name: String, _ text: String) {
        Terminal.standardOutput(name.padding(toLength: 40, withPad: " ", startingAt: 0) + text + "\n")
    }

    /// Checks sizes that are no multiple of a tile, and more rows than a block has
    private func isRight(_ gemm: any GEMM) throws -> Bool {
        try OpCase.gemm(gemm, m: 131, n: 197, k: 263, activation: .gelu, gap: 1, offset: 3).check(library, seed: 1)
            .passed
    }

    /// The challenger, if it is faster by `margin` in `wins` of `rounds` alternating rounds; else the built-in choice.
    /// Then a noisy machine gives the same choice each time.
    private func contest(_ challenger: GEMMChoice, _ builtIn: GEMMChoice) throws -> GEMMChoice {
        // CLBlast's parameters are global to the process, so two of its choices cannot alternate.
        let (first, second) = (try challenger.make(library), try builtIn.make(library))
        if first.name == second.name { return builtIn }
        if challenger.provider == .clblast, builtIn.provider == .clblast { return challenger }
        var won = 0
        for _ in 0..<Self.rounds {
            let (a, b) = (try time(first, seconds: 0), try time(second, seconds: 0))
            if a * Self.margin < b { won += 1 }
        }
        let isClear = won >= Self.wins
        line(
            first.name,
            "faster than \(second.name), the built-in choice, in \(won) of \(Self.rounds) rounds"
                + (isClear ? "" : ": not clearly"))
        return isClear ? challenger : builtIn
    }

    /// Seconds for a layer's four linear maps: the sum of the fastest runs.
    private func time(_ gemm: any GEMM, seconds: Double) throws -> Double {
        let context = library.context
        var total = 0.0
        for (n, k) in layer {
            let weight = try gemm.prepare(weight: Self.values(n * k), bias: Self.values(n), outputs: n, inputs: k)
            let a = try Buffer(context, Self.values(rows * k)), out = try Buffer<Float>(context, count: rows * n)
            total += try Measurement.of("", "", "", flops: 0, bytes: 0, context: context, seconds: seconds) {
                try gemm(
                    a: Matrix(a, stride: k), weight: weight, rows: rows, activation: .none, out: Matrix(out, stride: n))
            }.fastest  // other load on the machine only adds time
        }
        return total
    }
    /// A few thousand random numbers, repeated: quick to make, and no zeros, which some devices multiply faster.
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
}
