import COpenCL

/// One device made ready: an OpenCL context and one in-order queue, with counters of what crosses it.
///
/// Not thread-safe: a context and everything made from it belong to one thread at a time.
package final class Context {
    package let device: Device
    let handle: cl_context
    let queue: cl_command_queue
    let programCache: ProgramCache?
    /// Launches and transfers since the context was made.
    package internal(set) var counters = Counters()
    /// Bytes of device memory that buffers of this context hold now.
    package internal(set) var allocatedBytes = 0
    /// The most that was held at any time.
    package internal(set) var peakBytes = 0
    /// Buffers that would hold more than this fail as on a device that is full: tests make a small device of a large
    /// one.
    package var allocationLimit = Int.max
    /// Kernels made from now on may have no larger groups: tests make a device of few registers of one of many.
    package var groupLimit = Int.max
    /// Called before the first program is compiled, which takes seconds, and not where all come from the cache.
    package var onFirstCompile: (() -> Void)?
    /// Timed commands, where profiling is on.
    let profile: Profile?

    /// - Parameters:
    ///   - cache: a folder for compiled programs; nil compiles each time
    ///   - profiling: keep the device's time of every command (`takeProfile`)
    package init(device: Device, cache: ProgramCache? = .standard, profiling: Bool = false) throws(CLError) {
        self.device = device
        programCache = cache
        var status: cl_int = 0
        var id: cl_device_id? = device.id
        guard let handle = clCreateContext(nil, 1, &id, nil, nil, &status) else {
            throw .call("clCreateContext", CLStatus(rawValue: status))
        }
        let properties = profiling ? cl_command_queue_properties(CL_QUEUE_PROFILING_ENABLE) : 0
        guard let queue = clCreateCommandQueue(handle, device.id, properties, &status) else {
            clReleaseContext(handle)
            throw .call("clCreateCommandQueue", CLStatus(rawValue: status))
        }
        do throws(CLError) {
            profile = profiling ? try Profile(queue) : nil
        } catch {
            clReleaseCommandQueue(queue)
            clReleaseContext(handle)
            throw error
        }
        self.handle = handle
        self.queue = queue
    }

    deinit {
        clFinish(queue)
        clReleaseCommandQueue(queue)
        clReleaseContext(handle)
    }

    /// Waits until everything enqueued so far is done.
    package func finish() throws(CLError) { try check("clFinish", clFinish(queue)) }

    /// Hands the queue to a library that asks about it. The pointer is valid inside `body` only.
    package func withQueue<R>(_ body: (UnsafeMutablePointer<cl_command_queue?>) throws -> R) rethrows -> R {
        var queue: cl_command_queue? = queue
        return try body(&queue)
    }

    /// Hands the device to a library.
    package func withDevice<R>(_ body: (cl_device_id) throws -> R) rethrows -> R { try body(device.id) }

    package func countLibraryCall() { counters.libraryCalls += 1 }
}

/// What has crossed a context's queue.
package struct Counters: Sendable, Equatable {
    /// Our own kernels' launches
    package var launches = 0
    /// Calls into CLBlast (each may launch several kernels)
    package var libraryCalls = 0
    /// Host to device transfers, and their bytes
    package var uploads = 0, uploadedBytes = 0
    /// Device to host transfers, and their bytes
    package var reads = 0, readBytes = 0
    /// Programs compiled from source, and programs loaded from the cache
    package var compiled = 0, loaded = 0
    package init() {}
}
