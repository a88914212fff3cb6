import COpenCL

/// Element types that may live in device memory.
package protocol DeviceScalar: BitwiseCopyable, Sendable {}
extension Float: DeviceScalar {}
extension Int32: DeviceScalar {}
extension UInt8: DeviceScalar {}
extension UInt32: DeviceScalar {}

/// `count` elements of device memory. A final class because buffers live in collections; released once, in `deinit`.
package final class Buffer<Element: DeviceScalar> {
    package let count: Int
    package let handle: cl_mem
    let context: Context

    /// Uninitialised memory on the device.
    /// - Throws: `CLError.call` when the device does not have that much.
    package init(_ context: Context, count: Int) throws(CLError) {
        self.context = context
        self.count = count
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard count >= 0, !overflow, bytes <= context.device.maxAllocation else {
            throw .call("clCreateBuffer of \(count) elements", .invalidBufferSize)
        }
        guard bytes <= context.allocationLimit - context.allocatedBytes else {
            throw .call("clCreateBuffer of \(bytes) bytes", .memObjectAllocationFailure)
        }
        var status: cl_int = 0
        guard let handle = clCreateBuffer(context.handle, cl_mem_flags(CL_MEM_READ_WRITE), bytes, nil, &status) else {
            throw .call("clCreateBuffer of \(bytes) bytes", CLStatus(rawValue: status))
        }
        self.handle = handle
        context.allocatedBytes += bytes
        context.peakBytes = max(context.peakBytes, context.allocatedBytes)
    }

    /// A buffer filled from the host.
    package convenience init(_ context: Context, _ values: [Element]) throws(CLError) {
        try self.init(context, count: values.count)
        try write(values)
    }

    /// A buffer whose elements are all written by `fill`, in mapped memory: no copy on a device that shares the host's
    /// memory.
    package convenience init(
        _ context: Context, count: Int, fill: (UnsafeMutableBufferPointer<Element>) -> Void
    ) throws(CLError) {
        try self.init(context, count: count)
        try overwrite(count, fill)
    }

    /// Has `fill` write all of the first `count` elements, in mapped memory.
    package func overwrite(
        _ count: Int, _ fill: (UnsafeMutableBufferPointer<Element>) -> Void
    ) throws(CLError) {
        guard count >= 0, count <= self.count else {
            throw .shape(operation: "upload", expected: "at most \(self.count) elements", got: "\(count)")
        }
        if count == 0 { return }
        let bytes = count * MemoryLayout<Element>.stride
        var status: cl_int = 0
        let mapped = clEnqueueMapBuffer(
            context.queue, handle, cl_bool(CL_TRUE), cl_map_flags(CL_MAP_WRITE_INVALIDATE_REGION), 0, bytes, 0, nil,
            nil, &status)
        try check("clEnqueueMapBuffer", status)
        guard let mapped else { throw .call("clEnqueueMapBuffer", .outOfHostMemory) }
        fill(UnsafeMutableBufferPointer(start: mapped.bindMemory(to: Element.self, capacity: count), count: count))
        try context.enqueue("upload") { event throws(CLError) in
            try check(
                "clEnqueueUnmapMemObject", clEnqueueUnmapMemObject(context.queue, handle, mapped, 0, nil, event))
        }
        context.counters.uploads += 1
        context.counters.uploadedBytes += bytes
    }

    deinit {
        clReleaseMemObject(handle)
        context.allocatedBytes -= max(count, 1) * MemoryLayout<Element>.stride
    }

    /// Copies host values to the device, starting at element `offset`; returns when the host memory may be reused.
    package func write(_ values: [Element], at offset: Int = 0) throws(CLError) {
        try values.withUnsafeBufferPointer { (values) throws(CLError) in try write(values, at: offset) }
    }

    package func write(_ values: UnsafeBufferPointer<Element>, at offset: Int = 0) throws(CLError) {
        guard offset >= 0, values.count <= count - offset else {
            throw .shape(operation: "upload", expected: "at most \(count - offset) elements", got: "\(values.count)")
        }
        guard let base = values.baseAddress, !values.isEmpty else { return }
        let stride = MemoryLayout<Element>.stride
        try context.enqueue("upload") { event throws(CLError) in
            try check(
                "clEnqueueWriteBuffer",
                clEnqueueWriteBuffer(
                    context.queue, handle, cl_bool(CL_TRUE), offset * stride, values.count * stride, base, 0, nil, event
                ))
        }
        context.counters.uploads += 1
        context.counters.uploadedBytes += values.count * stride
    }

    /// Waits for all earlier work and copies `range` (default: everything) to the host.
    package func read(_ range: Range<Int>? = nil) throws(CLError) -> [Element] {
        let range = range ?? 0..<count
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw .shape(operation: "read", expected: "a range in 0..<\(count)", got: "\(range)")
        }
        if range.isEmpty { return [] }
        let stride = MemoryLayout<Element>.stride
        var status: cl_int = 0
        var failure: CLError?
        let values = [Element](unsafeUninitializedCapacity: range.count) { pointer, initialized in
            do throws(CLError) {
                try context.enqueue("read") { event throws(CLError) in
                    status = clEnqueueReadBuffer(
                        context.queue, handle, cl_bool(CL_TRUE), range.lowerBound * stride, range.count * stride,
                        pointer.baseAddress, 0, nil, event)
                    try check("clEnqueueReadBuffer", status)
                }
                initialized = range.count
            } catch { failure = error }
        }
        if let failure { throw failure }
        context.counters.reads += 1
        context.counters.readBytes += range.count * stride
        return values
    }

    /// Fills elements `range` (default: all) with one value, on the device.
    package func fill(_ value: Element, _ range: Range<Int>? = nil) throws(CLError) {
        let range = range ?? 0..<count
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw .shape(operation: "fill", expected: "a range in 0..<\(count)", got: "\(range)")
        }
        if range.isEmpty { return }
        var value = value
        let stride = MemoryLayout<Element>.stride
        try context.enqueue("fill") { event throws(CLError) in
            try check(
                "clEnqueueFillBuffer",
                clEnqueueFillBuffer(
                    context.queue, handle, &value, MemoryLayout<Element>.size, range.lowerBound * stride,
                    range.count * stride, 0, nil, event))
        }
    }

    /// Copies elements `range` of another buffer to this one, starting at element `offset`, on the device.
    package func copy(from source: Buffer<Element>, _ range: Range<Int>, to offset: Int) throws(CLError) {
        guard range.lowerBound >= 0, range.upperBound <= source.count, offset >= 0, range.count <= count - offset else {
            throw .shape(operation: "copy", expected: "at most \(count - offset) elements", got: "\(range)")
        }
        if range.isEmpty { return }
        let stride = MemoryLayout<Element>.stride
        try context.enqueue("copy") { event throws(CLError) in
            try check(
                "clEnqueueCopyBuffer",
                clEnqueueCopyBuffer(
                    context.queue, source.handle, handle, range.lowerBound * stride, offset * stride,
                    range.count * stride, 0, nil, event))
        }
    }
}
