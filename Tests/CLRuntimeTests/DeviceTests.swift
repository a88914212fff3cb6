import Foundation
import Testing

@testable import CLRuntime

struct DeviceTests {
    @Test func byIndexAndByPartOfAName() throws {
        let devices = try Device.all()
        try #require(!devices.isEmpty, "these tests need an OpenCL device; PoCL will do")
        for (index, device) in devices.enumerated() { #expect(try Device.select("\(index)").isSame(as: device)) }
    }

    /// A number is an index first, then part of a name; a spec that matches two devices is refused.
    @Test func whatASpecNames() throws {
        let names = [
            "NVIDIA GeForce RTX 4090", "NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-40GB", "cpu-zen4-avx512",
            "cpu-zen4",
        ]
        let platforms = ["NVIDIA CUDA", "NVIDIA CUDA", "NVIDIA CUDA", "PoCL", "PoCL"]
        func position(_ spec: String) throws -> Int { try Device.position(spec, names: names, platforms: platforms) }
        #expect(try position("4090") == 0 && position("rtx") == 0 && position("80gb") == 1 && position("2") == 2)
        #expect(try position("avx") == 3 && position("CPU-ZEN4") == 4)
        #expect(try position("512") == 3)
        for (spec, matches) in [
            ("A100", "1: NVIDIA A100-SXM4-80GB, 2: NVIDIA A100-SXM4-40GB"), ("pocl", "3: "), ("cuda", "0: "),
        ] {
            let error = #expect(throws: CLError.self) { try position(spec) }
            guard case .ambiguousDevice = error else { Issue.record("\(spec)"); continue }
            #expect("\(try #require(error))".contains(matches))
        }
        for spec in ["", " ", "5", "51", "409", "80", "-1", "quadro", "4090,"] {
            let error = #expect(throws: CLError.self) { try position(spec) }
            guard case .unknownDevice = error else { Issue.record("\(spec)"); continue }
        }
    }

    @Test func withoutASpecTheFirstGPUElseTheFirst() throws {
        let devices = try Device.all()
        let wanted = try #require(devices.first(where: \.isGPU) ?? devices.first)
        #expect(try Device.select(nil).isSame(as: wanted))
        #expect(Device.defaultDevice(among: []) == nil)
    }

    @Test(arguments: ["no such device", "97", "-1"]) func anUnknownSpecListsTheDevices(_ spec: String) throws {
        let names = try Device.all().map(\.name)
        let error = #expect(throws: CLError.self) { try Device.select(spec) }
        let message = "\(try #require(error))"
        #expect(message.contains("\"\(spec)\""))
        for (index, name) in names.enumerated() { #expect(message.contains("\(index): \(name)")) }
    }

    @Test func saysWhatItHas() throws {
        let device = try Device.select(nil)
        #expect(device.memory > 0 && device.maxAllocation > 0 && device.maxAllocation <= device.memory)
        #expect(device.computeUnits > 0 && device.maxWorkGroupSize > 0 && device.localMemory > 0)
        #expect(device.isCPU || device.isGPU)
        for text in [device.name, device.platformName, device.version, device.driver] {
            #expect(!text.isEmpty && !text.contains("\0"))
        }
    }

    @Test func nvidiaWithoutItsICD() throws {
        let advice = try #require(Drivers.nvidiaAdvice(hasGPU: true, libraries: ["libpocl.so.2"]))
        #expect(advice.contains("nvidia.icd") && advice.contains("NVIDIA_DRIVER_CAPABILITIES"))
        #expect(Drivers.nvidiaAdvice(hasGPU: true, libraries: ["libnvidia-opencl.so.1"]) == nil)
        #expect(Drivers.nvidiaAdvice(hasGPU: false, libraries: []) == nil)
    }

    @Test func pocLsCache() throws {
        #expect(PoCLCache.folder(["POCL_CACHE_DIR": "/a", "HOME": "/h"]) == "/a")
        #expect(PoCLCache.folder(["XDG_CACHE_HOME": "/x", "HOME": "/h"]) == "/x/pocl/kcache")
        #expect(PoCLCache.folder(["POCL_CACHE_DIR": "", "HOME": "/h"]) == "/h/.cache/pocl/kcache")
        #expect(PoCLCache.problem("/proc/vitpatch") != nil && PoCLCache.problem("/dev/null") != nil)
        try withTemporaryFolder { folder in
            #expect(PoCLCache.problem("\(folder)/new/cache", isPrivate: true) == nil)
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder)/link", withDestinationPath: "\(folder)/new/cache")
            #expect(PoCLCache.problem("\(folder)/link", isPrivate: true) != nil)
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: "\(folder)/new/cache")
            #expect(PoCLCache.problem("\(folder)/new/cache", isPrivate: true) != nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/new/cache").isEmpty)
        }
    }
}
