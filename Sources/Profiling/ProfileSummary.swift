import CLRuntime

/// Time on a device: profiled commands summed by stage and by kernel, in constant memory.
package struct ProfileSummary: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package var name: String
        /// Runs of a stage (one per layer) or launches of a kernel
        package var calls = 0
        package var nanoseconds: UInt64 = 0

        package var mean: Double { calls == 0 ? 0 : Double(nanoseconds) / Double(calls) }
    }

    private var byStage: [String: Entry] = [:]
    private var byKernel: [String: Entry] = [:]

    package init() {}

    /// Stages summed over layers, longest first
    package var stages: [Entry] { Self.sorted(byStage) }
    /// Kernels, library calls and transfers, longest first
    package var kernels: [Entry] { Self.sorted(byKernel) }
    /// The time of all commands, which is how long the device was busy: commands of one queue do not overlap.
    package var busy: UInt64 { byKernel.values.reduce(0) { $0 + $1.nanoseconds } }

    /// Adds commands in the order in which they ran.
    package mutating func add(_ commands: [ProfiledCommand]) {
        for span in ProfileSpan.spans(commands) { Self.add(span.name, calls: 1, span.nanoseconds, to: &byStage) }
        for command in commands { Self.add(command.name, calls: 1, command.end - command.start, to: &byKernel) }
    }

    /// Adds the sums of another device.
    package mutating func add(_ other: ProfileSummary) {
        for entry in other.byStage.values { Self.add(entry.name, calls: entry.calls, entry.nanoseconds, to: &byStage) }
        for entry in other.byKernel.values {
            Self.add(entry.name, calls: entry.calls, entry.nanoseconds, to: &byKernel)
        }
    }

    private static func add(_ name: String, calls: Int, _ nanoseconds: UInt64, to entries: inout [String: Entry]) {
        var entry = entries[name] ?? Entry(name: name)
        entry.calls += calls
        entry.nanoseconds += nanoseconds
        entries[name] = entry
    }

    private static func sorted(_ entries: [String: Entry]) -> [Entry] {
        entries.values.sorted { ($1.nanoseconds, $0.name) < ($0.nanoseconds, $1.name) }
    }
}
