import CLRuntime
import Testing

struct DeviceTests {
    @Test func byIndexAndByPartOfAName() throws {
        let devices = try Device.all()
        let first = try #require(devices.first, "these tests need an OpenCL device; PoCL will do")
        for (index, device) in devices.enumerated() { #expect(try Device.select("\(index)").isSame(as: device)) }
        #expect(try Device.select(String(first.name.dropFirst(2)).uppercased()).name == first.name)
        #expect(try Device.select(first.platformName.lowercased()).platformName == first.platformName)
    }

    @Test func withoutASpecTheFirstGPUElseTheFirst() throws {
        let devices = try Device.all()
        let wanted = try #require(devices.first(where: \.isGPU) ?? devices.first)
        #expect(try Device.select(nil).isSame(as: wanted))
        #expect(try Device.select("").isSame(as: wanted))
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
}
