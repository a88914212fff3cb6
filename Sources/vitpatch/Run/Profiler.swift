import ArgumentParser
import CLRuntime
import Foundation
import Profiling
import Report
import Synchronization

struct ProfileOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Time every kernel: write a trace for ui.perfetto.dev or chrome://tracing, and print where the time went.", valueName: "file"))
    var profile: String?

    /// - Throws: `TraceError` where the file cannot be written
    func profiler(_ device: Device) throws -> Profiler? {
        try profile.map { try Profiler(path: $0, device: device.name) }
    }
}

/// What `--profile` gathers: a trace file, and sums by stage and kernel. Shared by threads.
final class Profiler: Sendable {
    /// What the host does meanwhile
    enum Work: Int, CaseIterable {
        case images, store
        fileprivate var track: TraceFile.Track { .init(process: 1, thread: rawValue) }
    }

    private struct State {
        var trace: TraceFile
        var summary = ProfileSummary()
        var start = hostNanoseconds()
    }
    private let state: Mutex<State>

    init(path: String, device: String) throws {
        let trace = try TraceFile(path: path)
        trace.name(process: 1, "host")
        for work in Work.allCases { trace.name(work.track, "\(work)") }
        trace.name(process: 2, device)
        trace.name(Self.stages, "stages")
        trace.name(Self.kernels, "kernels")
        state = Mutex(State(trace: trace))
    }

    private static let stages = TraceFile.Track(process: 2, thread: 0), kernels = TraceFile.Track(process: 2, thread: 1)

    /// Starts the clock, and forgets what a context did so far.
    func begin(_ context: Context) throws {
        _ = try context.takeProfile()
        state.withLock { $0.start = hostNanoseconds() }
    }

    /// Adds what a context did since the last time. Called after every wave, so that little waits in memory.
    func take(_ context: Context) throws {
        let commands = try context.takeProfile()
        state.withLock { state in
            state.summary.add(commands)
            state.trace.add(commands, stages: Self.stages, kernels: Self.kernels)
        }
    }

    /// Stops the clock and ends the trace.
    /// - Returns: the table for standard error
    func finish() throws -> String {
        try state.withLock { state in
            let seconds = Double(hostNanoseconds() - state.start) / 1e9
            try state.trace.close()
            return Self.text(state.summary, state.trace, seconds: seconds)
        }
    }

    fileprivate func add(_ name: String, _ work: Work, _ start: UInt64, _ end: UInt64) {
        state.withLock { $0.trace.add(name, category: "host", work.track, start, end) }
    }

    // MARK: The table

    private static func text(_ summary: ProfileSummary, _ trace: TraceFile, seconds: Double) -> String {
        let busy = Double(summary.busy) / 1e9
        func table(_ title: String, _ entries: [ProfileSummary.Entry]) -> String {
            row(title, "calls", "total", "share", "mean")
                + entries.map {
                    let total = Double($0.nanoseconds) / 1e9
                    return row("  " + $0.name, "\($0.calls)", time(total), percent(total / busy), time($0.mean / 1e9))
                }.joined()
        }
        var text = table("stage", summary.stages) + "\n" + table("kernel", summary.kernels)
        text += "The device was busy \(time(busy)) of \(time(seconds)) (\(percent(busy / seconds))).\n"
        if trace.written < trace.events {
            text += "\(trace.path) has the first \(trace.written) of \(trace.events) events; the table counts all.\n"
        }
        return text
    }

    private static func row(_ name: String, _ columns: String...) -> String {
        padded(name, 24) + columns.map { paddedLeft($0, 12) }.joined() + "\n"
    }

    private static func time(_ seconds: Double) -> String {
        seconds >= 1 ? String(format: "%.2f s", seconds)
            : seconds >= 1e-3 ? String(format: "%.2f ms", seconds * 1e3) : String(format: "%.1f us", seconds * 1e6)
    }
}

extension Profiler? {
    /// Runs `body`; where profiling is on its time goes into the trace.
    func host<R>(_ work: Profiler.Work, _ name: @autoclosure () -> String, _ body: () throws -> R) rethrows -> R {
        guard let self else { return try body() }
        let start = hostNanoseconds()
        defer { self.add(name(), work, start, hostNanoseconds()) }
        return try body()
    }
}
