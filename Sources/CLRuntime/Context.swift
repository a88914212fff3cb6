import COpenCL

/// An OpenCL context of one device and its one in-order queue, with counters of launches and transfers.
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
    /// The highest `allocatedBytes` so far
    package internal(set) var peakBytes = 0
    /// Allocations beyond this many bytes fail as on a full device: tests give a large device little memory.
    package var allocationLimit = Int.max
    /// The largest work-group of kernels made from now on: tests give a device few registers.
    package var groupLimit = Int.max
    /// Called before the first program is compiled, which takes seconds; not called where all come from the cache.
    package var onFirstCompile: (() -> Void)?
    /// Timed commands, where profiling is on.
    let profile: Profile?

    /// - Parameters:
    ///   - cache: a folder for compiled programs; nil compiles each time
    ///   - profiling: keep the device time of every command (`takeProfile`)
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

    /// Hands the queue to a library for a query. The pointer is valid inside `body` only.
    package func withQueue<R>(_ body: (UnsafeMutablePointer<cl_command_queue?>) throws -> R) rethrows -> R {
        var queue: cl_command_queue? = queue
        return try body(&queue)
    }

    /// Hands the device to a library.
    package func withDevice<R>(_ body: (cl_device_id) throws -> R) rethrows -> R { try body(device.id) }

    package func countLibraryCall() { counters.libraryCalls += 1 }
}

/// Launches and transfers of a context's queue.
package struct Counters: Sendable, Equatable {
    /// Launches of our own kernels
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
