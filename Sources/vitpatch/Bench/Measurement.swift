import CLRuntime
import Foundation

/// One measurement. The median is to be quoted; the spread shows how noisy the machine was.
struct Measurement: Codable {
    var group: String
    var name: String
    var shape: String
    /// Seconds per run
    var median: Double, fastest: Double, slowest: Double
    var runs: Int
    /// Work of one run; 0 where it has no meaning
    var flops: Double, bytes: Double
    /// Median seconds of the naive kernel on the same work; nil where there is none
    var naive: Double?

    /// - Parameters:
    ///   - seconds: stop after about this long, but not before `atLeast` runs
    ///   - body: enqueues the work; it is waited for
    static func of(
        _ group: String, _ name: String, _ shape: String, flops: Double, bytes: Double, context: Context,
        seconds: Double,
        atLeast: Int = 3, _ body: () throws -> Void
    ) throws -> Measurement {
        try body()
        try context.finish()
        var times: [Double] = []
        let start = Date()
        while times.count < atLeast || (Date().timeIntervalSince(start) < seconds && times.count < 200) {
            let before = DispatchTime.now().uptimeNanoseconds
            try body()
            try context.finish()
            times.append(Double(DispatchTime.now().uptimeNanoseconds - before) / 1e9)
        }
        times.sort()
        return Measurement(
            group: group, name: name, shape: shape, median: times[times.count / 2], fastest: times[0],
            slowest: times[times.count - 1], runs: times.count, flops: flops, bytes: bytes)
    }

    /// Identifies the measurement in another run of `vitpatch bench`
    var key: String { "\(group)|\(name)|\(shape)" }
}

/// A whole run of `vitpatch bench`.
struct BenchResults: Codable {
    var version: String
    var device: String, driver: String
    var model: String
    var date: String
    /// GFLOP/s of a loop of fma, GB/s of a copy
    var peakGFLOPS: Double, peakGBs: Double
    var measurements: [Measurement]
}
