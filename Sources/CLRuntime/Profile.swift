import COpenCL

/// One command's time on the device, from its OpenCL event.
public struct ProfiledCommand: Sendable {
    public let name: String
    /// The stage it ran for, as named by `Context.stage`
    public let stage: String
    /// Nanoseconds on the device's clock
    public let start: UInt64, end: UInt64
}

/// Events waiting to be read.
final class Profile {
    var stage = ""
    var pending: [(name: String, stage: String, event: cl_event)] = []
    deinit { for command in pending { clReleaseEvent(command.event) } }
}

extension Context {
    /// Names the stage that the following commands belong to, where profiling is on.
    public func stage(_ name: @autoclosure () -> String) { if let profile { profile.stage = name() } }

    /// Runs an enqueueing call, keeping its event where profiling is on.
    package func enqueue(
        _ name: String, _ body: (UnsafeMutablePointer<cl_event?>?) throws(CLError) -> Void
    ) throws(CLError) {
        guard let profile else { return try body(nil) }
        var event: cl_event?
        try body(&event)
        if let event { profile.pending.append((name, profile.stage, event)) }
    }

    /// The commands since the last call, in order; waits for them. Empty where profiling is off.
    public func takeProfile() throws(CLError) -> [ProfiledCommand] {
        guard let profile else { return [] }
        try finish()
        let pending = profile.pending
        profile.pending = []
        defer { for command in pending { clReleaseEvent(command.event) } }
        var commands: [ProfiledCommand] = []
        for (name, stage, event) in pending {
            var start: cl_ulong = 0, end: cl_ulong = 0
            let size = MemoryLayout<cl_ulong>.size
            try check(
                "clGetEventProfilingInfo",
                clGetEventProfilingInfo(event, cl_profiling_info(CL_PROFILING_COMMAND_START), size, &start, nil))
            try check(
                "clGetEventProfilingInfo",
                clGetEventProfilingInfo(event, cl_profiling_info(CL_PROFILING_COMMAND_END), size, &end, nil))
            commands.append(ProfiledCommand(name: name, stage: stage, start: start, end: end))
        }
        return commands
    }
}
