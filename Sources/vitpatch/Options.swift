import ArgumentParser
import CLRuntime
import Foundation
import Kernels
import Patch

struct DeviceOptions: ParsableArguments {
    @Option(
        help:
            "Index, or part of a name, from `vitpatch devices`; sweep takes several of one kind, 0,1; VITPATCH_DEVICE is the default."
    )
    var device: String?

    @Option(
        help:
            "GEMM provider: \(GEMMProvider.allCases.map(\.rawValue).joined(separator: " | ")) (default: what `vitpatch tune` measured, else packed on CPUs, clblast elsewhere)."
    )
    var gemm: String?

    func validate() throws {
        if let gemm, GEMMProvider(rawValue: gemm) == nil {
            throw ValidationError(
                "--gemm \(gemm) is unknown; valid are \(GEMMProvider.allCases.map(\.rawValue).joined(separator: ", "))")
        }
    }

    func context(profiling: Bool = false) throws -> Context {
        let devices = try Device.selectAll(spec)
        guard devices.count == 1 else { throw SweepError.option("\(asked): only sweep runs on several devices") }
        return try contexts(devices, profiling: profiling)[0]
    }

    /// Several devices where they are asked for, all of one kind.
    func contexts(profiling: Bool) throws -> [Context] {
        let devices = try Device.selectAll(spec)
        for (position, device) in devices.enumerated() {
            if devices[..<position].contains(where: { $0.isSame(as: device) }) {
                throw SweepError.option("\(asked): \(device.title) is there twice")
            }
            if !device.isSameKind(as: devices[0]) || (try? gemm(for: device)) != (try? gemm(for: devices[0])) {
                throw SweepError.option(
                    "\(asked): \(devices[0].title), driver \(devices[0].driver), and \(device.title), driver \(device.driver), "
                        + "are not of one kind, so a result would depend on which of them computed it")
            }
        }
        return try contexts(devices, profiling: profiling)
    }

    private func contexts(_ devices: [Device], profiling: Bool) throws -> [Context] {
        let contexts = try devices.map { try Context(device: $0, profiling: profiling) }
        // For tests: devices with less memory than they say, one number each.
        let limits = ProcessInfo.processInfo.environment["VITPATCH_ALLOCATION_LIMIT"] ?? ""
        for (context, limit) in zip(contexts, limits.split(separator: ",")) {
            context.allocationLimit = try OptionText.bytes(String(limit), option: "VITPATCH_ALLOCATION_LIMIT")
        }
        return contexts
    }

    private var spec: String? { device ?? ProcessInfo.processInfo.environment["VITPATCH_DEVICE"] }
    private var asked: String { device.map { "--device \($0)" } ?? "VITPATCH_DEVICE=\(spec ?? "")" }

    /// What --precision and --gemm ask for, else what `vitpatch tune` measured, else what is good without measuring.
    func gemm(for device: Device, _ precision: PrecisionOptions = PrecisionOptions()) throws -> GEMMChoice {
        let precision = try precision.value(on: device)
        if precision != .fp32 {
            if let gemm, gemm != GEMMProvider.tensor.rawValue {
                throw ValidationError("--gemm \(gemm) computes in fp32, not in \(precision.rawValue)")
            }
            return GEMMChoice(provider: .tensor, precision: precision)
        }
        let tuned = GEMMChoices()?.load(for: device)
        guard let asked = gemm.flatMap(GEMMProvider.init(rawValue:)) else { return tuned ?? GEMMChoice(device: device) }
        return tuned?.provider == asked ? tuned ?? GEMMChoice(provider: asked) : GEMMChoice(provider: asked)
    }
}

struct PrecisionOptions: ParsableArguments {
    @Option(
        help:
            "Arithmetic of matrix products and attention: \(Precision.allCases.map(\.rawValue).joined(separator: " | ")); all but fp32 need an NVIDIA GPU with tensor cores."
    )
    var precision = "fp32"

    func validate() throws { _ = try choice("--precision", precision, Precision.self) }

    func value(on device: Device) throws -> Precision {
        let value = try choice("--precision", precision, Precision.self)
        let available = Precision.available(on: device)
        guard available.contains(value) else {
            throw ValidationError(
                "--precision \(precision): \(device.title) has \(available.map(\.rawValue).joined(separator: ", ")) only"
            )
        }
        return value
    }
}

/// Parts of a command line that several options share.
enum OptionText {
    /// Bytes of a SIZE: `4G`, `512M`, `1.5g`, plain bytes. Powers of 1024.
    static func bytes(_ text: String, option: String) throws -> Int {
        let units: [Character: Double] = ["k": 0x1p10, "m": 0x1p20, "g": 0x1p30, "t": 0x1p40]
        var digits = text.lowercased()
        if digits.hasSuffix("ib") { digits.removeLast(2) } else if digits.hasSuffix("b") { digits.removeLast() }
        var scale = 1.0
        if let last = digits.last, let unit = units[last] {
            scale = unit
            digits.removeLast()
        }
        guard let value = Double(digits), value > 0, value * scale < 1e18 else {
            throw ValidationError("\(option) \(text) is no size; write e.g. 4G or 512M")
        }
        return Int(value * scale)
    }

    /// Positions of the images in the data's order that `--offset` and `--limit` ask for.
    static func images(count: Int, offset: Int, limit: Int?) throws -> Range<Int> {
        guard offset < count else {
            throw CommandError("--offset \(offset): the data has only \(count) images")
        }
        return offset..<(limit.map { $0 < count - offset ? offset + $0 : count } ?? count)
    }
}

/// The value that an option's text names.
func choice<Value: RawRepresentable & CaseIterable>(
    _ option: String, _ text: String, _: Value.Type
) throws -> Value where Value.RawValue == String {
    guard let value = Value(rawValue: text) else {
        throw ValidationError(
            "\(option) \(text) is unknown; valid are \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return value
}
