import COpenCL
import Synchronization

/// ICD loaders and drivers initialise at the first call, not always safely from two threads: the lock is held for it.
private let discovery = Mutex(Discovery())

private struct Discovery {
    var isPrepared = false
    var warning: String?
}

/// One OpenCL device and its properties.
package struct Device: @unchecked Sendable {
    // Handles of root devices are not reference counted and live as long as the process.
    let id: cl_device_id
    let platform: cl_platform_id

    /// Position in `all()`
    package let index: Int
    package let name: String
    package let vendor: String
    package let platformName: String
    /// The driver's version, e.g. `3.1+debian`
    package let driver: String
    /// e.g. `OpenCL 3.0 PoCL ...`
    package let version: String
    package let isCPU: Bool
    package let isGPU: Bool
    package let computeUnits: Int
    /// CL_DEVICE_GLOBAL_MEM_SIZE, bytes
    package let memory: Int
    /// CL_DEVICE_MAX_MEM_ALLOC_SIZE, bytes: the most a single buffer may hold
    package let maxAllocation: Int
    /// CL_DEVICE_LOCAL_MEM_SIZE, bytes
    package let localMemory: Int
    package let maxWorkGroupSize: Int
    /// CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT: 4 SSE or NEON, 8 AVX2, 16 AVX-512, 1 on GPUs
    package let vectorWidth: Int
    /// NVIDIA's compute capability, e.g. (9, 0); nil on other devices
    package let computeCapability: (major: Int, minor: Int)?

    /// Work-items that run in lockstep: NVIDIA's warp, AMD's wavefront; nil where the device does not report it
    package let warpWidth: Int?

    /// Whether kernels may use NVIDIA's tensor cores through inline PTX for compute capability 8.0.
    package var hasTensorCores: Bool { (computeCapability?.major ?? 0) >= 8 }

    /// Whether kernels may use `wgmma`, the matrix instructions of compute capability 9.0 alone (`Retargeting`).
    package var hasWarpgroupMatrices: Bool { computeCapability.map { $0 == (9, 0) } ?? false }

    /// Every device of every platform, in the order the ICD loader lists them.
    package static func all() throws(CLError) -> [Device] {
        try discovery.withLock { discovery throws(CLError) in
            if !discovery.isPrepared {
                discovery.isPrepared = true
                discovery.warning = PoCLCache.prepare()
            }
            return try discover()
        }
    }

    /// The warning about the drivers for the user, returned once.
    package static func takeWarning() -> String? {
        discovery.withLock { discovery in
            defer { discovery.warning = nil }
            return discovery.warning
        }
    }

    private static func discover() throws(CLError) -> [Device] {
        var count: cl_uint = 0
        let status = clGetPlatformIDs(0, nil, &count)
        if status == CLStatus.platformNotFound.rawValue || count == 0 { return [] }
        try check("clGetPlatformIDs", status)
        var platforms = [cl_platform_id?](repeating: nil, count: Int(count))
        try check("clGetPlatformIDs", clGetPlatformIDs(count, &platforms, nil))
        var devices: [Device] = []
        for case let platform? in platforms {
            var deviceCount: cl_uint = 0
            let found = clGetDeviceIDs(platform, cl_device_type(CL_DEVICE_TYPE_ALL), 0, nil, &deviceCount)
            if found == CLStatus.deviceNotFound.rawValue || deviceCount == 0 { continue }
            try check("clGetDeviceIDs", found)
            var ids = [cl_device_id?](repeating: nil, count: Int(deviceCount))
            try check(
                "clGetDeviceIDs", clGetDeviceIDs(platform, cl_device_type(CL_DEVICE_TYPE_ALL), deviceCount, &ids, nil))
            for case let id? in ids { devices.append(try Device(id: id, platform: platform, index: devices.count)) }
        }
        return devices
    }

    /// The device that `spec` selects.
    /// - Parameter spec: an index into `all()`, or a part of one device's name, else of one platform's name, in any
    ///   letter case; nil for the default: the first GPU, else the first device.
    package static func select(_ spec: String?) throws(CLError) -> Device { try select(spec, among: try all()) }

    /// The devices of a list like `0,1`; each part is a spec of `select`.
    package static func selectAll(_ spec: String?) throws(CLError) -> [Device] {
        let all = try all()
        guard let spec else { return [try select(nil, among: all)] }
        return try spec.split(separator: ",", omittingEmptySubsequences: false).map { (part) throws(CLError) in
            try select(String(part), among: all)
        }
    }

    private static func select(_ spec: String?, among devices: [Device]) throws(CLError) -> Device {
        guard let device = defaultDevice(among: devices) else { throw .noDevice(Drivers.diagnosis()) }
        guard let spec else { return device }
        return devices[try position(spec, names: devices.map(\.name), platforms: devices.map(\.platformName))]
    }

    /// The index of the device that a spec selects. A number that is not an index matches a name that contains it as a
    /// whole number, if it has three digits or more: 4090, but not the 1 of avx512.
    package static func position(_ spec: String, names: [String], platforms: [String]) throws(CLError) -> Int {
        if let index = Int(spec), names.indices.contains(index) { return index }
        func listed(_ indices: some Sequence<Int>) -> [String] { indices.map { "\($0): \(names[$0])" } }
        let wanted = spec.lowercased()
        let isNumber = Int(spec) != nil
        func fits(_ text: String) -> Bool {
            isNumber
                ? wanted.count > 2 && text.split { !($0.isASCII && $0.isNumber) }.contains { $0 == wanted }
                : text.contains(wanted)
        }
        let isBlank = wanted.allSatisfy(\.isWhitespace)
        for texts in [names, platforms] where !isBlank {
            let matches = texts.indices.filter { fits(texts[$0].lowercased()) }
            if matches.count == 1 { return matches[0] }
            // An exact name is chosen even if it is part of other names.
            if let exact = matches.filter({ texts[$0].lowercased() == wanted }).first,
                matches.count(where: { texts[$0].lowercased() == wanted }) == 1
            {
                return exact
            }
            if matches.count > 1 { throw .ambiguousDevice(spec: spec, matches: listed(matches)) }
        }
        throw .unknownDevice(spec: spec, available: listed(names.indices))
    }

    /// The first GPU, else the first device.
    package static func defaultDevice(among devices: [Device]) -> Device? {
        devices.first(where: \.isGPU) ?? devices.first
    }

    private init(id: cl_device_id, platform: cl_platform_id, index: Int) throws(CLError) {
        self.id = id
        self.index = index
        self.platform = platform
        name = try Self.string(id, CL_DEVICE_NAME)
        vendor = try Self.string(id, CL_DEVICE_VENDOR)
        driver = try Self.string(id, CL_DRIVER_VERSION)
        version = try Self.string(id, CL_DEVICE_VERSION)
        var size = 0
        try check("clGetPlatformInfo", clGetPlatformInfo(platform, cl_platform_info(CL_PLATFORM_NAME), 0, nil, &size))
        var bytes = [UInt8](repeating: 0, count: size)
        try check(
            "clGetPlatformInfo", clGetPlatformInfo(platform, cl_platform_info(CL_PLATFORM_NAME), size, &bytes, nil))
        platformName = text(bytes)
        let type: cl_device_type = try Self.value(id, CL_DEVICE_TYPE, 0)
        isCPU = type & cl_device_type(CL_DEVICE_TYPE_CPU) != 0
        isGPU = type & cl_device_type(CL_DEVICE_TYPE_GPU) != 0
        computeUnits = Int(try Self.value(id, CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint(0)))
        memory = Int(clamping: try Self.value(id, CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong(0)))
        maxAllocation = Int(clamping: try Self.value(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong(0)))
        localMemory = Int(clamping: try Self.value(id, CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong(0)))
        maxWorkGroupSize = try Self.value(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, 0)
        vectorWidth = Int(try Self.value(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, cl_uint(0)))
        let extensions = try Self.string(id, CL_DEVICE_EXTENSIONS)
        // cl_nv_device_attribute_query: CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV, _MINOR_NV and CL_DEVICE_WARP_SIZE_NV;
        // cl_amd_device_attribute_query: CL_DEVICE_WAVEFRONT_WIDTH_AMD
        if extensions.contains("cl_nv_device_attribute_query") {
            computeCapability = (
                Int(try Self.value(id, 0x4000, cl_uint(0))), Int(try Self.value(id, 0x4001, cl_uint(0)))
            )
            warpWidth = Int(try Self.value(id, 0x4003, cl_uint(0)))
        } else {
            computeCapability = nil
            warpWidth =
                extensions.contains("cl_amd_device_attribute_query")
                ? Int(try Self.value(id, 0x4043, cl_uint(0))) : nil
        }
    }

    private static func string(_ id: cl_device_id, _ info: Int32) throws(CLError) -> String {
        var size = 0
        try check("clGetDeviceInfo", clGetDeviceInfo(id, cl_device_info(info), 0, nil, &size))
        var bytes = [UInt8](repeating: 0, count: size)
        try check("clGetDeviceInfo", clGetDeviceInfo(id, cl_device_info(info), size, &bytes, nil))
        return text(bytes)
    }

    private static func value<T: BitwiseCopyable>(_ id: cl_device_id, _ info: Int32, _ initial: T) throws(CLError) -> T
    {
        var value = initial
        try check("clGetDeviceInfo", clGetDeviceInfo(id, cl_device_info(info), MemoryLayout<T>.size, &value, nil))
        return value
    }
}

/// The text of a NUL-terminated string.
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

extension Device {
    /// Whether both are the same device of the same platform.
    package func isSame(as other: Device) -> Bool { id == other.id }

    /// Whether both compute the same bits: the same model of device with the same driver.
    package func isSameKind(as other: Device) -> Bool {
        (name, platformName, driver, version) == (other.name, other.platformName, other.driver, other.version)
            && vectorWidth == other.vectorWidth
    }

    /// For messages; the index distinguishes devices of the same name.
    package var title: String { "device \(index) (\(name))" }
}
