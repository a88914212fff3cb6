import Foundation
import TestSupport
import Testing

/// A machine without an OpenCL driver, simulated by pointing the loader at an empty folder.
struct NoDeviceTests {
    @Test(arguments: [["devices"], ["verify"], ["verify", "--device", "0"]])
    func saysWhatToInstall(_ arguments: [String]) throws {
        let empty = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: empty) }
        let result = try runVitpatch(arguments, environment: ["OCL_ICD_VENDORS": empty.path + "/"])
        #expect(result.code == 1)
        #expect(result.output == "")
        let advice =
            "has no .icd file: install a driver for your GPU, or PoCL for the CPU (Debian package pocl-opencl-icd)\n"
        #expect(
            result.errors.hasPrefix(
                "Error: no OpenCL device found; OCL_ICD_VENDORS names \(empty.path)/, which has no .icd file"),
            "\(result.errors)")
        #expect(result.errors.hasSuffix(advice) || result.errors.contains("nvidia.icd"), "\(result.errors)")
    }

    @Test func namesADriverThatCannotBeLoaded() throws {
        let folder = try TemporaryFolder()
        try folder.write("gone.icd", Data("libnosuchdriver.so.1\n".utf8))
        let result = try runVitpatch(["devices"], environment: ["OCL_ICD_VENDORS": folder.path])
        #expect(result.code == 1)
        #expect(
            result.errors.contains("gone.icd names a driver that cannot be loaded: libnosuchdriver.so.1"),
            "\(result.errors)")
    }

    /// PoCL reports no device if it cannot write to its cache.
    @Test func aCacheThatCannotBeWritten() throws {
        guard try runVitpatch(["devices"]).output.contains("Portable Computing Language") else { return }
        let folder = try TemporaryFolder()
        let environment = ["POCL_CACHE_DIR": "/proc/x", "TMPDIR": folder.path]
        let devices = try runVitpatch(["devices"], environment: environment)
        #expect(devices.code == 0 && devices.output.contains("Portable Computing Language"))
        #expect(
            devices.errors.hasPrefix(
                "Warning: PoCL cannot keep compiled kernels in /proc/x (it cannot be created); they go to "),
            "\(devices.errors)")
    }

    /// PoCL ends the process if a program's folder in its cache belongs to another user.
    @Test(.enabled(if: getuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0, "needs root and setpriv"))
    func anotherUsersCache() throws {
        guard try runVitpatch(["devices"]).output.contains("Portable Computing Language") else { return }
        let folder = try TemporaryFolder(), program = folder("cache/AB/PROGRAM")
        try FileManager.default.createDirectory(atPath: program, withIntermediateDirectories: true)
        for path in ["", "cache", "cache/AB"] { #expect(chmod(folder(path), 0o777) == 0) }
        #expect(chmod(program, 0o755) == 0)
        func devices() throws -> VitpatchResult {
            let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", vitpatch.path, "devices"]
            return try run(
                URL(fileURLWithPath: "/usr/bin/setpriv"), user,
                environment: ["POCL_CACHE_DIR": folder("cache"), "TMPDIR": folder(""), "HOME": folder("")])
        }
        let result = try devices()
        #expect(result.code == 0 && result.output.contains("Portable Computing Language"), "\(result)")
        #expect(
            result.errors.hasPrefix(
                "Warning: PoCL cannot keep compiled kernels in \(folder("cache")) (no permission to write to \(program)); "
            ),
            "\(result.errors)")
        #expect(chmod(program, 0o777) == 0)
        #expect(try devices().errors == "")
    }
}
