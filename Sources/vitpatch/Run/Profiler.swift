import ArgumentParser
import CLRuntime
import Foundation
import Profiling
import Report
import Synchronization

struct ProfileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Time every kernel: write a trace for ui.perfetto.dev or chrome://tracing, and print where the time went.",
            valueName: "file"))
    var profile: String?

    /// - Parameter inputs: files and folders that the trace must not replace
    /// - Throws: `FileError` where the file cannot be written
    func profiler(_ devices: [Device], keeping inputs: [String]) throws -> Profiler? {
        try profile.map { try Profiler(path: $0, devices: devices, keeping: inputs) }
    }
}

/// The profile of `--profile`: a trace file, and sums by stage and kernel. Shared by threads.
final class Profiler: Sendable {
    /// Work of the host
    enum Work: Int, CaseIterable {
        case images, store
        fileprivate var track: TraceFile.Track { .init(process: 1, thread: rawValue) }
    }

    private struct State {
        var trace: TraceFile
        /// One per device
        var summaries: [ProfileSummary]
        var start = hostNanoseconds()
    }
    private let state: Mutex<State>
    private let titles: [String]

    init(path: String, devices: [Device], keeping inputs: [String]) throws {
        let trace = try TraceFile(path: path, keeping: inputs)
        trace.name(process: 1, "host")
        for work in Work.allCases { trace.name(work.track, "\(work)") }
        for (position, device) in devices.enumerated() {
            trace.name(process: 2 + position, device.title)
            trace.name(Self.stages(position), "stages")
            trace.name(Self.kernels(position), "kernels")
        }
        state = Mutex(State(trace: trace, summaries: devices.map { _ in ProfileSummary() }))
        titles = devices.map(\.title)
    }

    private static func stages(_ device: Int) -> TraceFile.Track { .init(process: 2 + device, thread: 0) }
    private static func kernels(_ device: Int) -> TraceFile.Track { .init(process: 2 + device, thread: 1) }

    /// Starts the clock, and discards the contexts' commands so far.
    func begin(_ contexts: [Context]) throws {
        for context in contexts { _ = try context.takeProfile() }
        state.withLock { $0.start = hostNanoseconds() }
    }

    /// Adds a device's commands since the last call. Called after every wave, to keep few of them in memory.
    /// - Parameter device: index among the profiler's
    func take(_ context: Context, device: Int) throws {
        let commands = try context.takeProfile()
        state.withLock { state in
            state.summaries[device].add(commands)
            state.trace.add(commands, stages: Self.stages(device), kernels: Self.kernels(device))
        }
    }

    /// Stops the clock and ends the trace.
    /// - Returns: the table for standard error
    func finish() throws -> String {
        try state.withLock { state in
            let seconds = Double(hostNanoseconds() - state.start) / 1e9
            try state.trace.close()
            return text(state.summaries, state.trace, seconds: seconds)
        }
    }

    fileprivate func add(_ name: String, _ work: Work, _ start: UInt64, _ end: UInt64) {
        state.withLock { $0.trace.add(name, category: "host", work.track, start, end) }
    }

    // MARK: The table

    private func text(_ summaries: [ProfileSummary], _ trace: TraceFile, seconds: Double) -> String {
        var summary = ProfileSummary()
        for one in summaries { summary.add(one) }
        let busy = Double(summary.busy) / 1e9
        func table(_ title: String, _ entries: [ProfileSummary.Entry]) -> String {
            Self.row(title, "calls", "total", "share", "mean")
                + entries.map {
                    let total = Double($0.nanoseconds) / 1e9
                    return Self.row(
                        "  " + $0.name, "\($0.calls)", Self.time(total), percent(total / busy), Self.time($0.mean / 1e9)
                    )
                }.joined()
        }
        var text = table("stage", summary.stages) + "\n" + table("kernel", summary.kernels)
        for (one, title) in zip(summaries, titles) {
            let busy = Double(one.busy) / 1e9
            let name = titles.count == 1 ? "The device" : title.prefix(1).uppercased() + title.dropFirst()
            text += "\(name) was busy \(Self.time(busy)) of \(Self.time(seconds)) (\(percent(busy / seconds))).\n"
        }
        if trace.written < trace.events {
            text += "\(trace.path) has the first \(trace.written) of \(trace.events) events; the table counts all.\n"
        }
        return text
    }

    private static func row(_ name: String, _ columns: String...) -> String {
        padded(name, 24) + columns.map { paddedLeft($0, 12) }.joined() + "\n"
    }

    private static func time(_ seconds: Double) -> String {
        seconds >= 1
            ? String(format: "%.2f s", seconds)
            : seconds >= 1e-3 ? String(format: "%.2f ms", seconds * 1e3) : String(format: "%.1f us", seconds * 1e6)
    }
}

extension Profiler? {
    /// Runs `body`; with profiling on, adds its time to the trace.
    func host<R>(_ work: Profiler.Work, _ name: @autoclosure () -> String, _ body: () throws -> R) rethrows -> R {
        guard let self else { return try body() }
        let start = hostNanoseconds()
        defer { self.add(name(), work, start, hostNanoseconds()) }
        return try body()
    }
}
