import CLRuntime
import Files
import Foundation
import Profiling
import Testing

struct TraceFileTests {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("vitpatch-\(UUID().uuidString).json").path
    let stages = TraceFile.Track(process: 2, thread: 0), kernels = TraceFile.Track(process: 2, thread: 1)

    private func events() throws -> (events: [[String: Any]], other: [String: Any]) {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        return (
            try #require(object["traceEvents"] as? [[String: Any]]), try #require(object["otherData"] as? [String: Any])
        )
    }

    @Test func commandsAndTheirStages() throws {
        let trace = try TraceFile(path: path)
        trace.name(process: 2, "a \"device\" \\ \n")
        trace.name(stages, "stages")
        let start = hostNanoseconds() + 1_000_000
        trace.add(
            commands([("mlp 3", "gemm", 1005), ("mlp 3", "add", 7), ("metrics", "rows", 50)], from: start),
            stages: stages,
            kernels: kernels)
        try trace.close()
        #expect(trace.events == 5 && trace.written == 5)

        let (events, other) = try events()
        #expect(other["events"] as? Int == 5 && other["written"] as? Int == 5)
        let names = events.filter { $0["ph"] as? String == "M" }
        #expect((names[0]["args"] as? [String: Any])?["name"] as? String == "a \"device\" \\ \n")
        let spans = events.filter { $0["ph"] as? String == "X" }
        #expect(spans.map { $0["name"] as? String } == ["mlp 3", "metrics", "gemm", "add", "rows"])
        #expect(spans.map { $0["tid"] as? Int } == [0, 0, 1, 1, 1])
        #expect(spans.allSatisfy { $0["pid"] as? Int == 2 })
        #expect((spans[3]["args"] as? [String: Any])?["stage"] as? String == "mlp 3")
        let durations = try spans.map { try #require($0["dur"] as? Double) }
        #expect(durations == [1.022, 0.05, 1.005, 0.007, 0.05])
        let times = try spans.map { try #require($0["ts"] as? Double) }
        #expect(times[0] == times[2] && times[2] < times[3] && times[3] < times[4] && times[0] >= 0)
    }

    /// The file has a maximum size, so that viewers can open it; events beyond it are counted.
    @Test func furtherEventsAreCounted() throws {
        let trace = try TraceFile(path: path, most: 2)
        for i in 0..<5 as Range<UInt64> { trace.add("event \(i)", category: "host", kernels, i, i + 1) }
        #expect(trace.events == 5 && trace.written == 2)
        try trace.close()
        try trace.close()
        let (events, other) = try events()
        #expect(events.map { $0["name"] as? String } == ["event 0", "event 1"])
        #expect(other["events"] as? Int == 5 && other["written"] as? Int == 2)
    }

    @Test func oneThatIsNotClosedReplacesNothing() throws {
        let first = try TraceFile(path: path)
        first.add("event", category: "host", kernels, 0, 1)
        try first.close()
        do {
            let second = try TraceFile(path: path)
            for i in 0..<10_000 as Range<UInt64> { second.add("event", category: "host", kernels, i, i + 1) }
        }
        #expect(try events().events.count == 1)
    }

    @Test func aFileThatCannotBeWritten() throws {
        let error = #expect(throws: FileError.self) { try TraceFile(path: "/nosuch/trace.json") }
        #expect(error?.description.contains("/nosuch/trace.json") == true)
        let full = try TraceFile(path: "/dev/full")
        #expect(throws: FileError.self) { try full.close() }
    }
}
