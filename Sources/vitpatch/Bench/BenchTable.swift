import Foundation

/// One line per measurement: median and spread, shares of the measured peaks, and the speedup over the naive kernel.
enum BenchTable {
    static let header =
        row("what", "shape", "median", "fastest-slowest", "GFLOP/s", "of peak", "GB/s", "of peak", "naive", "")

    static func line(_ item: Measurement, _ results: BenchResults, _ old: BenchResults?) -> String {
        let gflops = item.flops / item.median / 1e9, gbs = item.bytes / item.median / 1e9
        var change = ""
        if let before = old?.measurements.first(where: { $0.key == item.key }) {
            change = String(format: "%.2fx as fast", before.median / item.median)
        } else if old != nil {
            change = "new"
        }
        return row(
            item.name, item.shape, time(item.median), "\(time(item.fastest))-\(time(item.slowest))",
            item.flops > 0 ? number(gflops) : "", item.flops > 0 ? share(gflops / results.peakGFLOPS) : "",
            item.bytes > 0 ? number(gbs) : "", item.bytes > 0 ? share(gbs / results.peakGBs) : "",
            item.naive.map { times($0 / item.median) } ?? "", change)
    }

    private static func row(
        _ what: String, _ shape: String, _ median: String, _ spread: String, _ gflops: String, _ ofPeak: String,
        _ gbs: String, _ ofCopy: String, _ naive: String, _ change: String
    ) -> String {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let line =
            left(what, 32) + left(shape, 50) + right(median, 9) + right(spread, 20) + right(gflops, 9)
            + right(ofPeak, 8)
            + right(gbs, 8) + right(ofCopy, 8) + right(naive, 9) + (change.isEmpty ? "" : "  " + change)
        return line.replacingOccurrences(of: " +$", with: "", options: .regularExpression) + "\n"
    }

    private static func time(_ seconds: Double) -> String {
        seconds >= 1
            ? String(format: "%.2f s", seconds)
            : seconds >= 1e-3 ? String(format: "%.2f ms", seconds * 1e3) : String(format: "%.0f us", seconds * 1e6)
    }
    private static func times(_ factor: Double) -> String { String(format: factor >= 10 ? "%.0fx" : "%.1fx", factor) }
    static func number(_ value: Double) -> String { String(format: value >= 100 ? "%.0f" : "%.1f", value) }
    private static func share(_ value: Double) -> String { String(format: "%.0f%%", value * 100) }
}
