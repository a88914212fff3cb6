/// One chart with its own coordinates. Panels flow into columns on the page, so text keeps its size on a phone.
struct Panel {
    var width: Double
    var height: Double
    var body: String
    /// For screen readers
    var label: String

    /// For the page
    var html: String {
        "<svg viewBox=\"0 0 \(SVG.number(width)) \(SVG.number(height))\" role=\"img\" aria-label=\"\(escaped(label))\">"
            + "\(body)</svg>"
    }
}

struct LegendItem {
    enum Mark: String {
        case line = "l"
        case dashed = "h"
        /// A point that is not significant
        case hollow = "o"
        case reference = "ref"
        case reference2 = "ref2"
        case dot = "d"
        case significant = "sig"
    }
    var mark: Mark
    var series: Int
    var text: String

    /// The mark, 26 x 12
    var svg: String {
        switch mark {
        case .line: SVG.line(0, 6, 26, 6, "l\(series)")
        case .dashed: SVG.line(0, 6, 26, 6, "h\(series)")
        case .hollow: SVG.circle(13, 6, 3, "o\(series)")
        case .dot: SVG.circle(13, 6, 3.5, "d\(series)")
        case .reference, .reference2: SVG.line(0, 6, 26, 6, mark.rawValue)
        case .significant: SVG.circle(13, 6, 2.4, "sig")
        }
    }

    /// The meaning of filled points in all figures of effects
    static let significance = [
        LegendItem(mark: .dot, series: 0, text: "effect on p: adjusted p-value < 0.05"),
        LegendItem(mark: .hollow, series: 0, text: "not significant"),
    ]

    var html: String { "<span><svg viewBox=\"0 0 26 12\">\(svg)</svg>\(escaped(text))</span>" }
}

/// A figure: panels, caption and the table behind them.
struct Figure {
    /// File name without extension
    var name: String
    var title: String
    /// Plain text
    var caption: String
    var panels: [Panel]
    var legend: [LegendItem] = []
    /// The colour bar's limit if the panels are heat maps
    var colourLimit: Double?
    var colourTitle = ""
    /// Whether values are estimates, which have their own colours
    var isEstimate = false
    var table: Table?

    private var panelWidth: Double { panels.map(\.width).max() ?? 340 }

    /// The number of panels side by side at full width.
    private var columns: Int {
        let most = max(1, Int(1080 / (panelWidth + 16)))
        if panels.count <= most { return max(1, panels.count) }
        // A divisor of the number of panels leaves no ragged row.
        return (max(2, most - 1)...max(2, most)).reversed().first { panels.count % $0 == 0 } ?? most
    }

    /// For the page.
    ///
    /// - Parameters:
    ///   - rows: at most this many rows of the table
    ///   - formats: the formats of figure files besides SVG and CSV
    func html(rows limit: Int, formats: [PictureFormat] = []) -> String {
        var out = "<figure id=\"\(name)\"><h4>\(escaped(title))</h4>"
        out +=
            "<div class=\"panels\(panelWidth < 260 ? " small" : "")\" style=\"--n:\(columns);--w:\(SVG.number(panelWidth))px\">"
        out += panels.map(\.html).joined() + "</div>"
        if !legend.isEmpty || colourLimit != nil {
            let bar = colourLimit.map { Self.colourBarHTML($0, title: colourTitle, isEstimate: isEstimate) } ?? ""
            out += "<div class=\"legend\">\(bar)\(legend.map(\.html).joined())</div>"
        }
        let files = ["svg"] + formats.map(\.rawValue) + (table == nil ? [] : ["csv"])
        let links = files.map { "<a href=\"figures/\(name).\($0)\">\($0.uppercased())</a>" }.joined(separator: " ")
        out += "<figcaption>\(escaped(caption)) <span class=\"files\">\(links)</span></figcaption>"
        if let table, limit > 0 { out += table.html(name: name, limit: limit) }
        return out + "</figure>\n"
    }

    /// The figure as a file: title, the panels in a grid, colour bar and legend. Its size is in pixels.
    var drawing: (svg: String, width: Double, height: Double) {
        let gap = 16.0
        let columns = Double(columns)
        let margin = 12.0
        let width = max(360, columns * panelWidth + (columns - 1) * gap + 2 * margin)
        let rowHeight = panels.map(\.height).max() ?? 0
        let rows = (Double(panels.count) / columns).rounded(.up)
        var y = margin + 34
        var body = SVG.text(margin, margin + 14, title, "big")
        for (index, panel) in panels.enumerated() {
            let column = Double(index % self.columns), row = Double(index / self.columns)
            body +=
                "<g transform=\"translate(\(SVG.number(margin + column * (panelWidth + gap))) "
                + "\(SVG.number(y + row * (rowHeight + gap))))\">\(panel.body)</g>"
        }
        y += rows * (rowHeight + gap)
        if let colourLimit {
            body +=
                "<g transform=\"translate(\(SVG.number(margin)) \(SVG.number(y)))\">\(Self.colourBar(colourLimit, title: colourTitle, isEstimate: isEstimate))</g>"
            y += 52
        }
        var x = margin
        for item in legend {
            let room = 34 + SVG.width(item.text, size: 11) + 18
            if x > margin, x + room > width { (x, y) = (margin, y + 18) }
            body +=
                "<g transform=\"translate(\(SVG.number(x)) \(SVG.number(y)))\">\(item.svg)"
                + SVG.text(32, 10, item.text, "") + "</g>"
            x += room
        }
        let height = y + (legend.isEmpty ? 0 : 20) + margin
        let size = "\(SVG.number(width))\" height=\"\(SVG.number(height))"
        let svg = """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(size)" viewBox="0 0 \(SVG.number(width)) \(SVG.number(height))">
            <style>\(FigureStyle.fileSheet)</style><rect class="page" width="\(size)"/>
            \(body)
            </svg>

            """
        return (svg, width, height)
    }

    /// The colour scale from -limit to limit, for the page
    static func colourBarHTML(_ limit: Double, title: String, isEstimate: Bool = false) -> String {
        "<svg class=\"bar\" viewBox=\"0 0 320 44\">\(colourBar(limit, title: title, isEstimate: isEstimate))</svg>"
    }

    /// 320 x 44
    private static func colourBar(_ limit: Double, title: String, isEstimate: Bool) -> String {
        let count = FigureStyle.steps
        let cell = 300 / Double(2 * count + 1)
        var out = ""
        for step in -count...count {
            let style = FigureStyle.colourClass(Double(step), limit: Double(count), isEstimate: isEstimate)
            out += SVG.rect(10 + Double(step + count) * cell, 14, cell + 0.4, 10, style)
        }
        let digits = decimals(for: [limit])
        for (x, value, anchor) in [(10.0, -limit, SVG.Anchor.start), (160, 0, .middle), (310, limit, .end)] {
            out += SVG.text(x, 37, value == 0 ? "0" : plus(value, digits), "tick", anchor)
        }
        return out + SVG.text(10, 9, title, "axis")
    }
}
