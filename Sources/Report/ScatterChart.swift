/// Estimates against measured effects: hollow points, and the line on which the two are equal.
struct ScatterChart {
    struct Point {
        var x: Double, y: Double
        var tooltip: String
        /// Index of the colour
        var colour: Int
    }

    var title: String
    var xTitle: String, yTitle: String
    var points: [Point]
    var width = 340.0, height = 320.0

    var panel: Panel {
        let all = points.filter { $0.x.isFinite && $0.y.isFinite }
        let (top, bottom, right) = (30.0, height - 38, width - 12)
        let y = Scale(all.map(\.y) + [0], from: bottom, to: top, ticks: 5)
        let left = max(54, 26 + (y.labels.map { SVG.width($0, size: 10.5) }.max() ?? 0))
        let x = Scale(all.map(\.x) + [0], from: left, to: right, ticks: 5)
        var out = SVG.text(left, 14, title, "head") + SVG.vertical(11, (top + bottom) / 2, yTitle, "axis")
        for (tick, label) in zip(y.ticks, y.labels) {
            out += SVG.line(left, y(tick), right, y(tick), abs(tick) < 1e-12 ? "zero" : "grid")
            out += SVG.text(left - 5, y(tick) + 3.5, label, "tick", .end)
        }
        for (tick, label) in zip(x.ticks, x.labels) {
            out += SVG.line(x(tick), top, x(tick), bottom, abs(tick) < 1e-12 ? "zero" : "grid")
            out += SVG.text(x(tick), bottom + 14, label, "tick", .middle)
        }
        out += SVG.text((left + right) / 2, height - 6, xTitle, "axis", .middle)
        let low = max(x.low, y.low), high = min(x.high, y.high)
        if low < high { out += SVG.line(x(low), y(low), x(high), y(high), "ref") }
        let radius = all.count > 300 ? 1.8 : 2.7
        for point in all {
            out +=
                "<g><title>\(escaped(point.tooltip))</title>"
                + SVG.circle(x(point.x), y(point.y), radius, "o\(point.colour)") + "</g>"
        }
        return Panel(width: width, height: height, body: out, label: "\(title): \(yTitle) by \(xTitle)")
    }
}
