import COpenCL
import Dispatch

/// The time of one command on the device, from its OpenCL event.
package struct ProfiledCommand: Sendable, Equatable {
    package let name: String
    /// The stage it ran for, as named by `Context.stage`
    package let stage: String
    /// Nanoseconds of the host's clock (`hostNanoseconds`); the error is at most the time of waiting for one command
    package let start: UInt64, end: UInt64

    package init(name: String, stage: String, start: UInt64, end: UInt64) {
        (self.name, self.stage, self.start, self.end) = (name, stage, start, end)
    }
}

/// The host's monotonic clock, which times of profiled commands refer to.
package func hostNanoseconds() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

/// Events not yet read.
final class Profile {
    struct Pending {
        var name: String, stage: String
        var event: cl_event
        /// If set, the command starts where this event ends, not where `event` starts
        var before: cl_event?
    }
    var stage = ""
    var pending: [Pending] = []
    /// The host's clock minus the device's, nanoseconds
    let offset: Int64

    /// Compares both clocks, by one empty command.
    init(_ queue: cl_command_queue) throws(CLError) {
        var marker: cl_event?
        try check("clEnqueueMarkerWithWaitList", clEnqueueMarkerWithWaitList(queue, 0, nil, &marker))
        defer { if let marker { clReleaseEvent(marker) } }
        try check("clFinish", clFinish(queue))
        let host = hostNanoseconds()
        offset = Int64(bitPattern: host &- (try Self.time(marker, CL_PROFILING_COMMAND_END)))
    }

    deinit { release(pending) }

    func release(_ commands: [Pending]) {
        for command in commands {
            clReleaseEvent(command.event)
            if let before = command.before { clReleaseEvent(before) }
        }
    }

    func command(_ pending: Pending) throws(CLError) -> ProfiledCommand {
        let start =
            if let before = pending.before {
                try Self.time(before, CL_PROFILING_COMMAND_END)
            } else {
                try Self.time(pending.event, CL_PROFILING_COMMAND_START)
            }
        let end = try Self.time(pending.event, CL_PROFILING_COMMAND_END)
        func host(_ device: UInt64) -> UInt64 { device &+ UInt64(bitPattern: offset) }
        return ProfiledCommand(name: pending.name, stage: pending.stage, start: host(start), end: host(max(start, end)))
    }

    /// Nanoseconds of the device's clock
    private static func time(_ event: cl_event?, _ what: Int32) throws(CLError) -> UInt64 {
        var time: cl_ulong = 0
        try check(
            "clGetEventProfilingInfo",
            clGetEventProfilingInfo(event, cl_profiling_info(what), MemoryLayout<cl_ulong>.size, &time, nil))
        return time
    }
}

extension Context {
    /// Names the stage of the commands that follow, where profiling is on.
    package func stage(_ name: @autoclosure () -> String) { if let profile { profile.stage = name() } }

    /// Runs an enqueueing call and keeps its event where profiling is on.
    package func enqueue(
        _ name: String, _ body: (UnsafeMutablePointer<cl_event?>?) throws(CLError) -> Void
    ) throws(CLError) {
        guard let profile else { return try body(nil) }
        var event: cl_event?
        try body(&event)
        if let event { profile.pending.append(.init(name: name, stage: profile.stage, event: event)) }
    }

    /// Hands the queue to a library that enqueues its own work (CLBlast). The pointers are valid inside `body` only.
    ///
    /// Where profiling is on, `body` gets room for the event of its last command. A library's call may enqueue several
    /// commands but returns the event of the last one only; a marker before the call gives the time when the first
    /// could start.
    package func enqueueLibrary<R>(
        _ name: String, _ body: (UnsafeMutablePointer<cl_command_queue?>, UnsafeMutablePointer<cl_event?>?) -> R
    ) throws(CLError) -> R {
        var queue: cl_command_queue? = queue
        guard let profile else { return body(&queue, nil) }
        var before: cl_event?, event: cl_event?
        try check("clEnqueueMarkerWithWaitList", clEnqueueMarkerWithWaitList(queue, 0, nil, &before))
        let result = body(&queue, &event)
        if let event {
            profile.pending.append(.init(name: name, stage: profile.stage, event: event, before: before))
        } else if let before {
            clReleaseEvent(before)
        }
        return result
    }

    /// The commands since the last call, in order; waits for them. Empty where profiling is off.
    package func takeProfile() throws(CLError) -> [ProfiledCommand] {
        guard let profile else { return [] }
        let pending = profile.pending
        profile.pending = []
        defer { profile.release(pending) }
        try finish()
        var commands: [ProfiledCommand] = []
        commands.reserveCapacity(pending.count)
        for command in pending { commands.append(try profile.command(command)) }
        return commands
    }
}
