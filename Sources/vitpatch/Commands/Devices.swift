import ArgumentParser
import CLRuntime
import Foundation

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List OpenCL devices: index, name, memory, driver; * marks the default.")

    mutating func run() throws {
        let devices = try Device.all()
        if devices.isEmpty { throw CLError.noDevice(Drivers.diagnosis()) }
        if let warning = Device.takeWarning() { Terminal.warning(warning) }
        if let warning = Drivers.missingVendor(devices) { Terminal.warning(warning) }
        let selected = (try? Device.selectAll(ProcessInfo.processInfo.environment["VITPATCH_DEVICE"])) ?? []
        for (index, device) in devices.enumerated() {
            let isDefault = selected.contains { $0.isSame(as: device) }
            Terminal.standardOutput(
                """
                \(isDefault ? "*" : " ") \(index): \(device.name)
                     \(device.isGPU ? "GPU" : device.isCPU ? "CPU" : "other"), \(device.computeUnits) compute units, \
                \(Self.gigabytes(device.memory)) memory, at most \(Self.gigabytes(device.maxAllocation)) a buffer
                     \(device.platformName), \(device.version), driver \(device.driver)

                """)
        }
    }

    private static func gigabytes(_ bytes: Int) -> String { String(format: "%.1f GiB", Double(bytes) / 1_073_741_824) }
}
