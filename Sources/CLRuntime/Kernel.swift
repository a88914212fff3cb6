import COpenCL

/// An argument of a kernel: a buffer, a 32-bit integer or float, or local memory. A Swift `Int` becomes a 32-bit
/// integer; one that does not fit is refused at launch.
package protocol KernelArgument {
    func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int
}

extension Int: KernelArgument {
    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int {
        guard let value = Int32(exactly: self) else { return CL_INVALID_ARG_VALUE }
        return value.set(index, of: kernel)
    }
}

extension Int32: KernelArgument {
    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int {
        withUnsafePointer(to: self) { clSetKernelArg(kernel, index, MemoryLayout<Int32>.size, $0) }
    }
}

extension Float: KernelArgument {
    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int {
        withUnsafePointer(to: self) { clSetKernelArg(kernel, index, MemoryLayout<Float>.size, $0) }
    }
}

extension Buffer: KernelArgument {
    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int {
        withUnsafePointer(to: handle) { clSetKernelArg(kernel, index, MemoryLayout<cl_mem>.size, $0) }
    }
}

/// A null buffer, for an optional argument
package struct NoBuffer: KernelArgument {
    package init() {}

    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int {
        clSetKernelArg(kernel, index, MemoryLayout<cl_mem>.size, nil)
    }
}

/// `bytes` bytes of local memory for each work-group
package struct LocalMemory: KernelArgument {
    private let bytes: Int
    package init(bytes: Int) { self.bytes = bytes }

    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int { clSetKernelArg(kernel, index, bytes, nil) }
}

/// One kernel of a program. Arguments are passed by name, in the order of the `.cl` file; names and order are checked
/// against the compiled kernel, so a swapped pair is an error instead of a wrong number.
package final class Kernel {
    private let handle: cl_kernel
    private let program: Program
    package let name: String
    /// Argument names as compiled; empty where the driver does not keep them.
    private let argumentNames: [String]
    private let argumentCount: Int
    /// The largest number of work-items in a group: CL_KERNEL_WORK_GROUP_SIZE
    package let maxGroupSize: Int

    package init(_ program: Program, _ name: String) throws(CLError) {
        var status: cl_int = 0
        guard let handle = clCreateKernel(program.handle, name, &status) else {
            throw .call("clCreateKernel \(name)", CLStatus(rawValue: status))
        }
        self.handle = handle
        self.program = program
        self.name = name
        var count: cl_uint = 0
        _ = clGetKernelInfo(handle, cl_kernel_info(CL_KERNEL_NUM_ARGS), MemoryLayout<cl_uint>.size, &count, nil)
        argumentCount = Int(count)
        argumentNames = Self.names(of: handle, count: count)
        var size = 0
        let known = clGetKernelWorkGroupInfo(
            handle, program.context.device.id, cl_kernel_work_group_info(CL_KERNEL_WORK_GROUP_SIZE),
            MemoryLayout<Int>.size, &size, nil)
        maxGroupSize = min(
            known == CLStatus.success.rawValue && size > 0 ? size : program.context.device.maxWorkGroupSize,
            program.context.groupLimit)
    }

    deinit { clReleaseKernel(handle) }

    private static func names(of kernel: cl_kernel, count: cl_uint) -> [String] {
        var names: [String] = []
        for index in 0..<count {
            var size = 0
            let info = cl_kernel_arg_info(CL_KERNEL_ARG_NAME)
            guard clGetKernelArgInfo(kernel, index, info, 0, nil, &size) == 0, size > 0 else { return [] }
            var bytes = [UInt8](repeating: 0, count: size)
            guard clGetKernelArgInfo(kernel, index, info, size, &bytes, nil) == 0 else { return [] }
            names.append(text(bytes))
        }
        return names
    }

    /// The largest number of groups in the second and third dimension of a launch: NVIDIA's limit
    static let mostGroups = 65_535

    /// Enqueues the kernel over `global` work-items in groups of `local`. It is split into several launches where one
    /// would have too many groups in its second or third dimension, so kernels use `get_global_id` in these, not
    /// `get_group_id`.
    /// - Throws: `CLError.shape` where names or number of arguments differ from the `.cl` file, an `Int` does not fit
    ///   into 32 bits, or a group is larger than the device allows for this kernel.
    package func launch(
        global: [Int], local: [Int]? = nil, _ arguments: KeyValuePairs<String, any KernelArgument>,
        also more: KeyValuePairs<String, any KernelArgument> = [:]
    ) throws(CLError) {
        let arguments = Array(arguments) + Array(more)
        guard arguments.count == argumentCount else {
            throw .shape(operation: name, expected: "\(argumentCount) arguments", got: "\(arguments.count)")
        }
        let items = local?.reduce(1, *) ?? 1
        guard items <= maxGroupSize else {
            throw .shape(
                operation: name, expected: "groups of at most \(maxGroupSize) work-items on this device",
                got: "\(items)")
        }
        var index: cl_uint = 0
        for (label, argument) in arguments {
            if !argumentNames.isEmpty, argumentNames[Int(index)] != label {
                throw .shape(
                    operation: name, expected: "argument \(index) to be \(argumentNames[Int(index)])", got: label)
            }
            if let value = argument as? Int, Int32(exactly: value) == nil {
                throw .shape(operation: name, expected: "\(label) below 2^31", got: "\(value)")
            }
            try check("clSetKernelArg \(name).\(label)", argument.set(index, of: handle))
            index += 1
        }
        if global.contains(0) { return }
        let context = program.context
        for piece in Self.pieces(global: global, local: local) {
            try context.enqueue(name) { event throws(CLError) in
                try check(
                    "clEnqueueNDRangeKernel \(name)",
                    clEnqueueNDRangeKernel(
                        context.queue, handle, cl_uint(global.count), piece.offset, piece.size, local, 0, nil, event))
            }
            context.counters.launches += 1
        }
    }

    /// Parts of `global` with at most `mostGroups` groups in every dimension but the first
    private static func pieces(global: [Int], local: [Int]?) -> [(offset: [Int], size: [Int])] {
        var pieces = [(offset: [Int](repeating: 0, count: global.count), size: global)]
        for dimension in global.indices.dropFirst() {
            let most = mostGroups * (local?[dimension] ?? 1)
            if global[dimension] <= most { continue }
            pieces = pieces.flatMap { piece in
                stride(from: 0, to: global[dimension], by: most).map { start in
                    var part = piece
                    part.offset[dimension] = start
                    part.size[dimension] = min(most, global[dimension] - start)
                    return part
                }
            }
        }
        return pieces
    }
}
