import ArgumentParser
import CLRuntime
import Foundation
import Kernels
import Spec

extension GEMMProvider: Choice {}

/// The option for the device.
struct DeviceOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Index, or part of the name of one device, from `vitpatch devices`; sweep takes several of one kind, 0,1; VITPATCH_DEVICE is the default.",
            valueName: "device"))
    var device: String?

    private static let variable = "VITPATCH_DEVICE"
    /// The option or the variable, as messages name it
    private var asked: String { device.map { "--device \($0)" } ?? "\(Self.variable)=\(spec ?? "")" }
    private var spec: String? {
        device ?? ProcessInfo.processInfo.environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The devices asked for, at least one; a warning about the drivers goes to standard error.
    func devices() throws -> [Device] {
        defer { if let warning = Device.takeWarning() { Terminal.warning(warning) } }
        do {
            return try Device.selectAll(spec)
        } catch {
            guard error.isSelection else { throw error }
            throw UsageError("\(asked): \(error)")
        }
    }

    func context(profiling: Bool = false) throws -> Context {
        let devices = try devices()
        guard devices.count == 1 else { throw UsageError("\(asked): only sweep runs on several devices") }
        return try Self.contexts(devices, profiling: profiling)[0]
    }

    /// - Parameter isSame: whether two devices would compute the same bits
    func contexts(profiling: Bool, isSame: (Device, Device) -> Bool) throws -> [Context] {
        let devices = try devices()
        for (position, device) in devices.enumerated() {
            if devices[..<position].contains(where: { $0.isSame(as: device) }) {
                throw UsageError("\(asked): \(device.title) appears twice")
            }
            if !isSame(device, devices[0]) {
                throw UsageError(
                    "\(asked): \(devices[0].title), driver \(devices[0].driver), and \(device.title), driver \(device.driver), "
                        + "are not of one kind, so a result would depend on which of them computed it")
            }
        }
        return try Self.contexts(devices, profiling: profiling)
    }

    private static func contexts(_ devices: [Device], profiling: Bool) throws -> [Context] {
        try ProcessLimits.checkFileSize()
        let contexts = try devices.map { try Context(device: $0, profiling: profiling) }
        // For tests: one limit per device, for devices with less memory than they report.
        let limits = ProcessInfo.processInfo.environment["VITPATCH_ALLOCATION_LIMIT"] ?? ""
        for (context, limit) in zip(contexts, limits.split(separator: ",")) {
            context.allocationLimit = try OptionText.bytes(String(limit), option: "VITPATCH_ALLOCATION_LIMIT")
        }
        for context in contexts {
            context.onFirstCompile = { Terminal.note("Compiling kernels for \(context.device.name), once ...") }
        }
        return contexts
    }
}

/// The device, its GEMM provider and its precision.
struct DeviceOptions: ParsableArguments {
    @OptionGroup var selection: DeviceOption

    @Option(
        help: ArgumentHelp(
            "GEMM provider of fp32: \(GEMMProvider.exact.map(\.rawValue).joined(separator: " | ")) (default: what `vitpatch tune` measured, else packed on CPUs, tiled elsewhere). With --precision on NVIDIA's H100 and H200 also wgmma, which is experimental.",
            valueName: "provider"), completion: .list((GEMMProvider.exact + [.wgmma]).map(\.rawValue)))
    var gemm: String?

    @Option(
        help: ArgumentHelp(
            "Arithmetic of matrix products: \(oneOf(Precision.self)); all but fp32 need an NVIDIA GPU with tensor cores, or bf16x3 and bf16 a CPU with AMX.",
            valueName: "which"), completion: .choices(Precision.self))
    var precision: String?

    func validate() throws {
        let precision = try wanted()
        guard let gemm else { return }
        let provider = try choice("--gemm", gemm, GEMMProvider.self)
        let goTogether =
            provider == .wgmma
            ? WarpgroupGEMM.precisions.contains(precision) : precision == .fp32 && GEMMProvider.exact.contains(provider)
        if !goTogether {
            throw UsageError("--gemm \(gemm) and --precision \(precision.rawValue) do not go together")
        }
    }

    private func wanted() throws -> Precision {
        try precision.map { try choice("--precision", $0, Precision.self) } ?? .fp32
    }

    /// Whether --gemm or --precision is given
    var isExplicit: Bool { gemm != nil || precision != nil }

    /// One line if the device has a faster precision that is nearly as exact, and --precision is not given.
    func noteFasterPrecision(on device: Device) {
        guard precision == nil, Precision.available(on: device).contains(.bf16x3) else { return }
        let factor = GEMMChoices()?.load(for: device)?.factors?[Precision.bf16x3.rawValue]
        let measured = factor.map { String(format: "%.1f times as fast in matrix products", $0) }
        Terminal.note(
            "\(device.name) has --precision bf16x3, \(measured ?? "faster (vitpatch tune measures by how much)"), "
                + "and moved probabilities by at most 2e-5 where it was measured.")
    }

    func context(profiling: Bool = false) throws -> Context { try selection.context(profiling: profiling) }

    /// The devices asked for, all of one kind.
    func contexts(profiling: Bool) throws -> [Context] {
        try selection.contexts(profiling: profiling) {
            $0.isSameKind(as: $1) && fp32(for: $0) == fp32(for: $1)
        }
    }

    /// The provider of --precision; for fp32 that of --gemm, else the choice that `vitpatch tune` measured, else the
    /// built-in one.
    func gemm(for device: Device) throws -> GEMMChoice {
        let precision = try wanted()
        if precision == .fp32 { return fp32(for: device) }
        let available = Precision.available(on: device)
        guard available.contains(precision) else {
            throw UsageError(
                "--precision \(precision.rawValue): \(device.title) has \(available.map(\.rawValue).joined(separator: ", "))"
            )
        }
        guard gemm == GEMMProvider.wgmma.rawValue else { return GEMMChoice(device: device, precision: precision) }
        guard device.hasWarpgroupMatrices else {
            throw UsageError("--gemm wgmma: needs an NVIDIA H100 or H200, and this is \(device.title)")
        }
        return GEMMChoice(provider: .wgmma, precision: precision)
    }

    /// The choice for fp32 alone
    func fp32(for device: Device) -> GEMMChoice {
        let tuned = GEMMChoices()?.load(for: device)
        guard let asked = gemm.flatMap(GEMMProvider.init(rawValue:)) else { return tuned ?? GEMMChoice(device: device) }
        return tuned?.provider == asked ? tuned ?? GEMMChoice(provider: asked) : GEMMChoice(provider: asked)
    }
}
