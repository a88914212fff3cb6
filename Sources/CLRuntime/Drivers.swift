import Foundation

/// The OpenCL drivers that the ICD loader finds, and why there may be none.
package enum Drivers {
    private static let standardFolder = "/etc/OpenCL/vendors"

    /// Where the loader looks for drivers: `OCL_ICD_VENDORS` is a folder of .icd files, one such file, or a library.
    private static var place: String {
        let asked = ProcessInfo.processInfo.environment["OCL_ICD_VENDORS"] ?? ""
        return asked.isEmpty ? standardFolder : asked
    }

    /// The libraries that the .icd files name
    static var libraries: [(icd: String, library: String)] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) else {
            return place.contains(".so") ? [(place, place)] : []
        }
        let files =
            isFolder.boolValue
            ? ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).sorted().map {
                place + (place.hasSuffix("/") ? "" : "/") + $0
            } : [place]
        return files.filter { $0.hasSuffix(".icd") }.flatMap { file in
            String(decoding: FileManager.default.contents(atPath: file)?.prefix(4096) ?? Data(), as: UTF8.self)
                .split(whereSeparator: \.isNewline).map { (file, $0.trimmingCharacters(in: .whitespaces)) }
        }
    }

    /// Why there is no device, and how to get one; follows "no OpenCL device found; ".
    package static func diagnosis() -> String {
        let install = "install a driver for your GPU, or PoCL for the CPU (Debian package pocl-opencl-icd)"
        let found = libraries
        let name = place == standardFolder ? place : "OCL_ICD_VENDORS names \(place), which"
        if found.isEmpty {
            let empty = name + (FileManager.default.fileExists(atPath: place) ? " has no .icd file" : " does not exist")
            return nvidiaAdvice.map { "\(empty), but \($0)" } ?? "\(empty): \(install)"
        }
        for (icd, library) in found {
            guard let handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL) else {
                let reason = dlerror().map { String(cString: $0) } ?? "no reason is given"
                return "\(icd) names a driver that cannot be loaded: \(reason)"
            }
            dlclose(handle)
        }
        return "the installed drivers (\(found.map(\.library).joined(separator: ", "))) expose no device: " + install
    }

    /// Advice for an NVIDIA GPU whose driver is not listed with the loader, as in many containers; nil if there is
    /// none.
    /// - Parameter devices: the devices found
    package static func missingVendor(_ devices: [Device]) -> String? {
        devices.contains { $0.vendor.lowercased().contains("nvidia") } ? nil : nvidiaAdvice
    }

    private static var nvidiaAdvice: String? {
        nvidiaAdvice(
            hasGPU: FileManager.default.fileExists(atPath: "/dev/nvidiactl"), libraries: libraries.map(\.library))
    }

    static func nvidiaAdvice(hasGPU: Bool, libraries: [String]) -> String? {
        guard hasGPU, !libraries.contains(where: { $0.contains("nvidia") }) else { return nil }
        return
            "there is an NVIDIA GPU whose OpenCL driver is not listed: write the line libnvidia-opencl.so.1 to "
            + "\(standardFolder)/nvidia.icd, and start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    }
}
