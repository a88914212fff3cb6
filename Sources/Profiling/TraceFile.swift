import CLRuntime
import Foundation

/// A trace that chrome://tracing and ui.perfetto.dev open, written while it is made: complete events ("X") in the object
/// form of Chrome's Trace Event Format. Times are microseconds since the file was begun.
///
/// Past `most` events further ones are only counted: viewers do not open files of any size.
package final class TraceFile {
    /// A row of the viewer: a thread of a process, in its words
    package struct Track: Sendable {
        var process: Int, thread: Int
        package init(process: Int, thread: Int) { (self.process, self.thread) = (process, thread) }
    }

    package static let most = 200_000
    /// Events handed over, and how many of them were written
    package private(set) var events = 0, written = 0

    package let path: String
    private let most: Int
    private let file: UnsafeMutablePointer<FILE>
    private let start = hostNanoseconds()
    private var isFirst = true
    private var isClosed = false

    /// Begins the file, and replaces what is there.
    /// - Throws: `TraceError` where it cannot be written
    package init(path: String, most: Int = TraceFile.most) throws(TraceError) {
        guard let file = fopen(path, "w") else {
            throw TraceError(description: "\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        (self.path, self.most, self.file) = (path, most, file)
        fputs("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [", file)
    }

    deinit { if !isClosed { end() } }

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

    /// Commands as they ran on a device, and the stages that they make.
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
    /// - Throws: `TraceError` where not all of it could be written
    package func close() throws(TraceError) {
        if isClosed { return }
        isClosed = true
        if !end() {
            throw TraceError(description: "\(path) cannot be written in full: \(String(cString: strerror(errno)))")
        }
    }

    @discardableResult
    private func end() -> Bool {
        fputs("\n], \"otherData\": {\"events\": \(events), \"written\": \(written)}}\n", file)
        let isWhole = ferror(file) == 0
        return fclose(file) == 0 && isWhole
    }

    private func write(_ members: String) {
        fputs((isFirst ? "\n{" : ",\n{") + members + "}", file)
        isFirst = false
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

/// Why a trace cannot be written.
package struct TraceError: Error, CustomStringConvertible {
    package let description: String
}
