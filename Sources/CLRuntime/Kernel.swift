import COpenCL

/// What a kernel may be given: buffers, 32-bit integers and floats, local memory. A Swift `Int` is none of these, so
/// passing one does not compile.
package protocol KernelArgument {
    func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int
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

/// No buffer, where a kernel can do without one
package struct NoBuffer: KernelArgument {
    package init() {}

    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int {
        clSetKernelArg(kernel, index, MemoryLayout<cl_mem>.size, nil)
    }
}

/// So many bytes of local memory for each work-group
package struct LocalMemory: KernelArgument {
    private let bytes: Int
    package init(bytes: Int) { self.bytes = bytes }

    package func set(_ index: cl_uint, of kernel: cl_kernel) -> cl_int { clSetKernelArg(kernel, index, bytes, nil) }
}

/// One kernel of a program. Arguments are passed by name, in the order of the `.cl` file; both are checked against
/// what the compiler recorded, so a swapped pair is an error and not a wrong number.
package final class Kernel {
    private let handle: cl_kernel
    private let program: Program
    package let name: String
    /// Argument names as compiled; empty where the driver does not keep them.
    private let argumentNames: [String]
    private let argumentCount: Int

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

    /// Enqueues the kernel over `global` work-items in groups of `local`.
    /// - Throws: `CLError.shape` when names or number of arguments differ from the `.cl` file.
    package func launch(
        global: [Int], local: [Int]? = nil, _ arguments: KeyValuePairs<String, any KernelArgument>
    ) throws(CLError) {
        guard arguments.count == argumentCount else {
            throw .shape(operation: name, expected: "\(argumentCount) arguments", got: "\(arguments.count)")
        }
        var index: cl_uint = 0
        for (label, argument) in arguments {
            if !argumentNames.isEmpty, argumentNames[Int(index)] != label {
                throw .shape(
                    operation: name, expected: "argument \(index) to be \(argumentNames[Int(index)])", got: label)
            }
            try check("clSetKernelArg \(name).\(label)", argument.set(index, of: handle))
            index += 1
        }
        if global.contains(0) { return }
        let context = program.context
        try context.enqueue(name) { event throws(CLError) in
            try check(
                "clEnqueueNDRangeKernel \(name)",
                clEnqueueNDRangeKernel(
                    context.queue, handle, cl_uint(global.count), nil, global, local, 0, nil, event))
        }
        context.counters.launches += 1
    }
}
