import Statistics

/// Lines over named places (layers) or numbers (doses), with bands for intervals.
struct LineChart {
    struct Point {
        var value: Double
        var low = Double.nan
        var high = Double.nan
        /// Whether the effect is significant: a filled or a hollow point; nil: not tested, no point
        var isSignificant: Bool?
    }
    struct Series {
        var name: String
        /// Index of the colour
        var colour: Int
        /// nil where the series has no value
        var points: [Point?]
        var dashed = false
    }

    var title: String
    var xTitle: String
    /// The name of the values, with their unit
    var yTitle: String
    var labels: [String]
    /// First lines of the tooltips, one for each label; empty: the labels
    var places: [String] = []
    /// Places on a number line; nil: evenly spaced
    var positions: [Double]?
    /// False where places have no order: points with error bars, no line
    var connected = true
    var series: [Series]
    var references: [(value: Double, style: LegendItem.Mark)] = []
    var digits: Int
    /// Values that the y axis must include besides the panel's own, so that panels share one axis
    var yRange: [Double] = []
    var percent = false
    /// Whether tooltips give positive values a +
    var signed = true
    var width = 340.0
    var height = 216.0

    var panel: Panel {
        let all =
            series.flatMap { $0.points.compactMap { $0 }.flatMap { [$0.value, $0.low, $0.high] } } + yRange
            + references.map(\.value)
        let (top, bottom) = (30.0, height - 34)
        let y = Scale(all, from: bottom, to: top, ticks: 4)
        let tickLabels = percent ? y.ticks.map { number(100 * $0, 0) + "%" } : y.labels
        // Titles of panels above each other line up unless labels are very long.
        let left = max(54, 26 + (tickLabels.map { SVG.width($0, size: 10.5) }.max() ?? 0))
        let right = width - 10
        var out = SVG.text(left, 14, title, "head") + SVG.vertical(11, (top + bottom) / 2, yTitle, "axis")
        for (tick, label) in zip(y.ticks, tickLabels) {
            out += SVG.line(left, y(tick), right, y(tick), abs(tick) < 1e-12 ? "zero" : "grid")
            out += SVG.text(left - 5, y(tick) + 3.5, label, "tick", .end)
        }
        let inset = min(16, (right - left) / Double(2 * max(1, labels.count)))
        let xs = self.xs(from: left + inset, to: right - inset)
        out += xAxis(xs, bottom: bottom, left: left, right: right)
        for reference in references where reference.value.isFinite {
            out += SVG.line(left, y(reference.value), right, y(reference.value), reference.style.rawValue)
        }
        let shift = connected ? 0 : min(7, inset / Double(max(1, series.count)))
        for (index, line) in series.enumerated() {
            let offset = shift * (Double(index) - Double(series.count - 1) / 2)
            out += marks(line, xs.map { $0 + offset }, y)
        }
        out += hits(xs, top: top, bottom: bottom, left: left, right: right)
        return Panel(width: width, height: height, body: out, label: "\(title): \(yTitle) by \(xTitle)")
    }

    private func xs(from: Double, to: Double) -> [Double] {
        if let positions, let low = positions.min(), let high = positions.max(), high > low {
            return positions.map { from + ($0 - low) / (high - low) * (to - from) }
        }
        guard labels.count > 1 else { return [(from + to) / 2] }
        return labels.indices.map { from + Double($0) / Double(labels.count - 1) * (to - from) }
    }

    /// Leaves out labels that would touch their left neighbour.
    private func xAxis(_ xs: [Double], bottom: Double, left: Double, right: Double) -> String {
        var out = SVG.line(left, bottom, right, bottom, "frame")
        let widths = labels.map { SVG.width($0, size: 10.5) }
        var every = 1
        if positions == nil, let widest = widths.max(), xs.count > 1 {
            let step = (xs[xs.count - 1] - xs[0]) / Double(xs.count - 1)
            every = max(1, Int(((widest + 6) / step).rounded(.up)))
        }
        var free = -Double.infinity
        for index in labels.indices where index % every == 0 {
            guard xs[index] - widths[index] / 2 > free else { continue }
            free = xs[index] + widths[index] / 2 + 3
            out += SVG.line(xs[index], bottom, xs[index], bottom + 3, "frame")
            out += SVG.text(xs[index], bottom + 14, labels[index], "tick", .middle)
        }
        return out + SVG.text((left + right) / 2, height - 4, xTitle, "axis", .middle)
    }

    private func marks(_ line: Series, _ xs: [Double], _ y: Scale) -> String {
        var out = ""
        let points = zip(xs, line.points).compactMap { x, point in point.map { (x: x, point: $0) } }
        if connected {
            out += SVG.band(points.map { ($0.x, y($0.point.low), y($0.point.high)) }, "b\(line.colour)")
            out += SVG.path(points.map { ($0.x, y($0.point.value)) }, "\(line.dashed ? "h" : "l")\(line.colour)")
        } else {
            for (x, point) in points where point.low.isFinite && point.high.isFinite {
                out += SVG.line(x, y(point.low), x, y(point.high), "e\(line.colour)")
            }
        }
        if line.dashed {
            // Without a line, each place has a dash
            return connected
                ? out
                : out
                    + points.filter { $0.point.value.isFinite }.map { x, point in
                        SVG.line(x - 8, y(point.value), x + 8, y(point.value), "h\(line.colour)")
                    }.joined()
        }
        for (x, point) in points {
            if let isSignificant = point.isSignificant {
                out += SVG.circle(
                    x, y(point.value), points.count > 30 ? 1.8 : 2.7, "\(isSignificant ? "d" : "o")\(line.colour)")
            } else if !connected || points.count == 1, point.value.isFinite {
                out += SVG.line(x - 4, y(point.value), x + 4, y(point.value), "l\(line.colour)")
            }
        }
        return out
    }

    /// One strip per place, whose tooltip lists all values of the place.
    private func hits(_ xs: [Double], top: Double, bottom: Double, left: Double, right: Double) -> String {
        var out = ""
        for index in labels.indices where index < xs.count {
            let from = index == 0 ? left : (xs[index - 1] + xs[index]) / 2
            let to = index == xs.count - 1 ? right : (xs[index] + xs[index + 1]) / 2
            var lines = [places.isEmpty ? "\(xTitle) \(labels[index])" : places[index]]
            for line in series {
                guard let point = line.points[index], point.value.isFinite else { continue }
                lines.append("\(line.name): \(text(point))")
            }
            if lines.count > 1 {
                out += SVG.rect(from, top, max(1, to - from), bottom - top, "hit", title: lines.joined(separator: "\n"))
            }
        }
        return out
    }

    private func text(_ point: Point) -> String {
        let value = percent ? shareText(point.value) : signed ? plus(point.value, digits) : number(point.value, digits)
        guard point.low.isFinite, point.high.isFinite else { return value }
        return percent
            ? "\(value) [\(shareText(point.low)), \(shareText(point.high))]"
            : "\(value) [\(plus(point.low, digits)), \(plus(point.high, digits))]"
    }
}

extension LineChart.Point {
    init(recovered effect: EffectStatistics) {
        self.init(value: effect.recovered, low: effect.recoveredLow, high: effect.recoveredHigh)
    }

    init(_ effect: EffectStatistics) {
        self.init(value: effect.mean, low: effect.low, high: effect.high)
    }

    /// A filled point if the patch's mean effect on p is significant; no point by construction, where nothing is tested
    init(tested patch: PatchStatistics) {
        self.init(
            value: patch.p.mean, low: patch.p.low, high: patch.p.high,
            isSignificant: patch.construction == nil ? patch.isSignificant : nil)
    }
}
