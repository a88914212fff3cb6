/// Text that is safe in HTML and SVG, between tags and inside double quotes. Characters XML forbids become spaces.
func escaped(_ text: String) -> String {
    var out = ""
    out.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "\"": out += "&quot;"
        case "\t", "\n": out.unicodeScalars.append(scalar)
        case "\u{0}"..<"\u{20}", "\u{7F}", "\u{FFFE}", "\u{FFFF}": out += " "
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out
}

/// SVG shapes. Their styles are the classes in `FigureStyle`; coordinates are rounded to a tenth of a pixel.
enum SVG {
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "0" }
        let tenths = (max(-1e6, min(1e6, value)) * 10).rounded()
        let whole = Int(tenths) / 10, rest = abs(Int(tenths)) % 10
        if rest == 0 { return "\(whole)" }
        return (tenths < 0 && whole == 0 ? "-0" : "\(whole)") + ".\(rest)"
    }

    static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) -> String {
        "<path class=\"\(style)\" d=\"M\(number(x1)) \(number(y1))L\(number(x2)) \(number(y2))\"/>"
    }

    /// A line through the points, broken where a value is not finite.
    static func path(_ points: [(x: Double, y: Double)], _ style: String) -> String {
        var d = ""
        var pen = "M"
        for point in points {
            guard point.y.isFinite else {
                pen = "M"
                continue
            }
            d += "\(pen)\(number(point.x)) \(number(point.y))"
            pen = "L"
        }
        return d.isEmpty ? "" : "<path class=\"\(style)\" d=\"\(d)\"/>"
    }

    /// The area between two lines.
    static func band(_ points: [(x: Double, low: Double, high: Double)], _ style: String) -> String {
        let points = points.filter { $0.low.isFinite && $0.high.isFinite }
        guard points.count > 1 else { return "" }
        let d = (points.map { ($0.x, $0.high) } + points.reversed().map { ($0.x, $0.low) })
            .map { "\(number($0.0)) \(number($0.1))" }.joined(separator: "L")
        return "<path class=\"\(style)\" d=\"M\(d)Z\"/>"
    }

    static func rect(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String,
        opacity: Double? = nil, title: String = "", key: String? = nil
    ) -> String {
        let shape =
            "<rect class=\"\(style)\" x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" "
            + "height=\"\(number(height))\"" + (opacity.map { " fill-opacity=\"\(fixed($0, 2))\"" } ?? "")
            + (key.map { " data-c=\"\($0)\"" } ?? "")
        return title.isEmpty ? shape + "/>" : shape + "><title>\(escaped(title))</title></rect>"
    }

    static func circle(_ x: Double, _ y: Double, _ radius: Double, _ style: String) -> String {
        guard y.isFinite else { return "" }
        return "<circle class=\"\(style)\" cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"\(number(radius))\"/>"
    }

    enum Anchor: String { case start, middle, end }

    static func text(
        _ x: Double, _ y: Double, _ text: String, _ style: String, _ anchor: Anchor = .start
    ) -> String {
        "<text class=\"\(style)\" x=\"\(number(x))\" y=\"\(number(y))\""
            + (anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\"") + ">\(escaped(text))</text>"
    }

    /// Text that reads upwards, centred on the point.
    static func vertical(_ x: Double, _ y: Double, _ text: String, _ style: String) -> String {
        "<g transform=\"translate(\(number(x)) \(number(y))) rotate(-90)\">\(self.text(0, 0, text, style, .middle))</g>"
    }

    /// The approximate width of a text in a sans-serif face of `size`.
    static func width(_ text: String, size: Double) -> Double {
        text.reduce(0) { sum, character in
            sum + size
                * (character == "%"
                    ? 0.95 : "−+∞".contains(character) ? 0.84 : ".,: []".contains(character) ? 0.32 : 0.6)
        }
    }
}
