import ArgumentParser
import CLRuntime
import Foundation
import Kernels
import Verification

extension VerifyPart: ExpressibleByArgument {}

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check this machine's device against the Double reference, operation by operation and end to end.",
        discussion:
            "Without --gemm and --precision, all GEMM providers and precisions are checked, and what `vitpatch tune` remembers. An error is relative to the size of what was summed."
    )

    @OptionGroup var deviceOptions: DeviceOptions

    @Option(help: "Only this part of the checks: kernel, gemm or pass (repeatable; default all).")
    var only: [VerifyPart] = []

    @Option(
        help: "Leave out operations of more floating-point operations or bytes than this, for slow checkers of kernels."
    )
    var maxSize: Int?

    @Option(help: "Seed of the random weights and inputs.")
    var seed: UInt64 = 1

    mutating func run() throws {
        let context = try deviceOptions.context()
        var gemms = [try deviceOptions.gemm(for: context.device)]
        if !deviceOptions.isExplicit {
            // A tuned CLBlast comes last: its parameters are global to the process.
            let providers =
                GEMMProvider.exact.map { GEMMChoice(provider: $0) }
                + Precision.available(on: context.device).filter { $0 != .fp32 }
                .map { GEMMChoice(device: context.device, precision: $0) }
            gemms = providers + gemms.filter { !providers.contains($0) }
        }
        Terminal.standardOutput(Self.line("operation", "shape", "max error", "tolerance", ""))
        var count = 0
        var failed: [String] = []
        let parts = only.isEmpty ? Set(VerifyPart.allCases) : Set(only)
        try verify(context: context, gemms: gemms, parts: parts, maxSize: maxSize ?? .max, seed: seed) { result in
            count += 1
            if !result.passed { failed.append("\(result.name) (\(result.detail))") }
            Terminal.standardOutput(
                Self.line(
                    result.name, result.detail, Self.number(result.error), Self.number(result.tolerance),
                    result.passed ? "ok" : "FAILED"))
        }
        guard failed.isEmpty else {
            throw CommandError(
                "\(failed.count) of \(count) checks failed on \(context.device.name) with seed \(seed): "
                    + failed.joined(separator: ", "))
        }
        Terminal.standardOutput("all \(count) checks passed on \(context.device.name)\n")
    }

    private static func number(_ value: Double) -> String { value == 0 ? "0" : String(format: "%.1e", value) }

    private static func line(_ name: String, _ shape: String, _ error: String, _ tolerance: String, _ verdict: String)
        -> String
    {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return "\(left(name, 38)) \(left(shape, 58)) \(right(error, 9)) \(right(tolerance, 9))  \(verdict)\n"
    }
}
