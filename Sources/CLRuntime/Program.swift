import COpenCL

/// A compiled kernel source.
package final class Program {
    let handle: cl_program
    let context: Context
    let name: String

    /// Builds `source` for the context's device, or loads the binary that an earlier process left in the cache.
    /// - Parameters:
    ///   - name: the file under `kernels/`, for messages
    ///   - options: compiler options; `-cl-std=CL1.2` and `-cl-kernel-arg-info` are always added
    ///   - target: the target that NVIDIA's PTX is changed to (`Retargeting`); nil for the driver's own
    /// - Throws: `CLError.build` with the compiler's log.
    package init(
        _ context: Context, name: String, source: [UInt8], options: [String] = [], target: String? = nil
    ) throws(CLError) {
        self.context = context
        self.name = name
        let options = (["-cl-std=CL1.2", "-cl-kernel-arg-info"] + options).joined(separator: " ")
        let key = context.programCache?.key(
            source: source, options: options + (target.map { " for \($0)" } ?? ""), device: context.device)
        if let cache = context.programCache, let key, let binary = cache.load(key),
            let handle = Program.fromBinary(context, binary, options: options)
        {
            self.handle = handle
            context.counters.loaded += 1
            return
        }
        if context.counters.compiled == 0 { context.onFirstCompile?() }
        let compiled = try Program.fromSource(context, name: name, source: source, options: options)
        context.counters.compiled += 1
        var binary = Program.binary(of: compiled)
        if let target {
            defer { clReleaseProgram(compiled) }
            binary = binary.flatMap { Retargeting.ptx($0, target: target) }
            guard let binary, let handle = Program.fromBinary(context, binary, options: options) else {
                throw .build(program: name, log: "the driver takes no PTX for \(target)")
            }
            self.handle = handle
        } else {
            handle = compiled
        }
        if let cache = context.programCache, let key, let binary { cache.store(key, binary) }
    }

    deinit { clReleaseProgram(handle) }

    private static func fromSource(
        _ context: Context, name: String, source: [UInt8], options: String
    ) throws(CLError) -> cl_program {
        var status: cl_int = 0
        let created: cl_program? = source.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                var pointer: UnsafePointer<CChar>? = characters.baseAddress
                var length = characters.count
                return clCreateProgramWithSource(context.handle, 1, &pointer, &length, &status)
            }
        }
        guard let program = created else { throw .call("clCreateProgramWithSource", CLStatus(rawValue: status)) }
        var id: cl_device_id? = context.device.id
        let built = clBuildProgram(program, 1, &id, options, nil, nil)
        guard built == CLStatus.success.rawValue else {
            let log = buildLog(program, context.device)
            clReleaseProgram(program)
            throw .build(program: name, log: log.isEmpty ? CLStatus(rawValue: built).description : log)
        }
        return program
    }

    /// nil where this driver refuses the binary: the caller compiles again.
    private static func fromBinary(_ context: Context, _ binary: [UInt8], options: String) -> cl_program? {
        var id: cl_device_id? = context.device.id
        var status: cl_int = 0, binaryStatus: cl_int = 0
        let created: cl_program? = binary.withUnsafeBufferPointer { bytes in
            var pointer: UnsafePointer<UInt8>? = bytes.baseAddress
            var length = bytes.count
            return clCreateProgramWithBinary(context.handle, 1, &id, &length, &pointer, &binaryStatus, &status)
        }
        guard let program = created else { return nil }
        if status != 0 || binaryStatus != 0 || clBuildProgram(program, 1, &id, options, nil, nil) != 0 {
            clReleaseProgram(program)
            return nil
        }
        return program
    }

    private static func binary(of program: cl_program) -> [UInt8]? {
        var size = 0
        guard
            clGetProgramInfo(program, cl_program_info(CL_PROGRAM_BINARY_SIZES), MemoryLayout<Int>.size, &size, nil)
                == 0,
            size > 0
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: size)
        let status = bytes.withUnsafeMutableBufferPointer { bytes in
            var pointer: UnsafeMutablePointer<UInt8>? = bytes.baseAddress
            return clGetProgramInfo(
                program, cl_program_info(CL_PROGRAM_BINARIES), MemoryLayout<UnsafeMutablePointer<UInt8>?>.size,
                &pointer, nil)
        }
        return status == 0 ? bytes : nil
    }

    private static func buildLog(_ program: cl_program, _ device: Device) -> String {
        var size = 0
        let info = cl_program_build_info(CL_PROGRAM_BUILD_LOG)
        guard clGetProgramBuildInfo(program, device.id, info, 0, nil, &size) == 0, size > 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: size)
        guard clGetProgramBuildInfo(program, device.id, info, size, &bytes, nil) == 0 else { return "" }
        return text(bytes)
    }
}
