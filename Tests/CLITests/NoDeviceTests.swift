import Foundation
import Testing

/// A machine without any OpenCL driver: the loader is pointed at an empty folder.
struct NoDeviceTests {
    @Test(arguments: [["devices"], ["verify"], ["verify", "--device", "0"]])
    func saysWhatToInstall(_ arguments: [String]) throws {
        let empty = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: empty, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: empty) }
        let result = try runVitpatch(arguments, environment: ["OCL_ICD_VENDORS": empty.path + "/"])
        #expect(result.code == 1)
        #expect(result.output == "")
        if arguments.contains("--device") {
            #expect(result.errors == "Error: device \"0\" does not exist: this machine has no OpenCL device\n")
        } else {
            #expect(
                result.errors == """
                    Error: no OpenCL device found; install a driver for your GPU, or PoCL for the CPU (Debian package \
                    pocl-opencl-icd)

                    """)
        }
    }
}
