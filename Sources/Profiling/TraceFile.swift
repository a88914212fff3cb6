import CLRuntime
import Files
import Foundation

/// A trace for chrome://tracing and ui.perfetto.dev: complete events ("X") in the object form of Chrome's Trace Event
/// Format. Times are microseconds since the file was begun. The file appears when it is closed.
///
/// Events after the first `most` are only counted: viewers do not open files of any size.
package final class TraceFile {
    /// A row of the viewer: a thread of a process, in the format's terms
    package struct Track: Sendable {
        var process: Int, thread: Int
        package init(process: Int, thread: Int) { (self.process, self.thread) = (process, thread) }
    }

    package static let most = 200_000
    /// Events added, and how many of them were written
    package private(set) var events = 0, written = 0

    package let path: String
    private let most: Int
    private let file: AtomicFile
    private let start = hostNanoseconds()
    private var isFirst = true
    private var isClosed = false
    /// The first failure to write, for `close()`
    private var failure: FileError?

    /// Begins the file; an existing one is replaced on close.
    /// - Parameter inputs: files and folders that must not be replaced
    /// - Throws: `FileError` where it cannot be written
    package init(path: String, keeping inputs: [String] = [], most: Int = TraceFile.most) throws(FileError) {
        (self.path, self.most, file) = (path, most, try AtomicFile(path, keeping: inputs))
        put("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [")
    }

    /// Names a process or one of its threads.
    package func name(process: Int, _ name: String) {
        write(
            "\"ph\": \"M\", \"name\": \"process_name\", \"pid\": \(process), \"args\": {\"name\": \(Self.quoted(name))}"
        )
        write(
            "\"ph\": \"M\", \"name\": \"process_sort_index\", \"pid\": \(process), \"args\": {\"sort_index\": \(process)}"
        )
    }

    package func name(_ track: Track, _ name: String) {
        write(
            "\"ph\": \"M\", \"name\": \"thread_name\", \"pid\": \(track.process), \"tid\": \(track.thread), "
                + "\"args\": {\"name\": \(Self.quoted(name))}")
    }

    /// Adds commands as they ran on a device, and their stages.
    package func add(_ commands: [ProfiledCommand], stages: Track, kernels: Track) {
        for span in ProfileSpan.spans(commands) { add(span.stage, category: "stage", stages, span.start, span.end) }
        for command in commands {
            add(command.name, category: "kernel", kernels, command.start, command.end, stage: command.stage)
        }
    }

    /// One event, from `start` to `end` of `hostNanoseconds`.
    package func add(
        _ name: String, category: String, _ track: Track, _ start: UInt64, _ end: UInt64, stage: String? = nil
    ) {
        events += 1
        if written == most { return }
        written += 1
        let begin = max(start, self.start) - self.start, length = max(end, start) - start
        write(
            "\"ph\": \"X\", \"name\": \(Self.quoted(name)), \"cat\": \"\(category)\", \"pid\": \(track.process), "
                + "\"tid\": \(track.thread), \"ts\": \(Self.microseconds(begin)), \"dur\": \(Self.microseconds(length))"
                + (stage.map { ", \"args\": {\"stage\": \(Self.quoted($0))}" } ?? ""))
    }

    /// Ends the file.
    /// - Throws: `FileError` where not all of it could be written
    package func close() throws(FileError) {
        if isClosed { return }
        isClosed = true
        put("\n], \"otherData\": {\"events\": \(events), \"written\": \(written)}}\n")
        if let failure { throw failure }
        try file.close()
    }

    private func write(_ members: String) {
        put((isFirst ? "\n{" : ",\n{") + members + "}")
        isFirst = false
    }

    private func put(_ text: String) {
        if failure != nil { return }
        do throws(FileError) { try file.write(text) } catch { failure = error }
    }

    private static func microseconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds % 1000)
        return "\(nanoseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..<" ": quoted += String(format: "\\u%04x", scalar.value)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
