import Results
/// Signed values as colours, zero in the middle.
struct HeatMap {
    struct Cell {
        var value: Double
        var significant: Bool
        var tooltip: String
        /// `CellImages.key` of the images that the cell opens on the page; nil: none
        var key: String?
    }

    var title: String
    var limit: Double
    /// Whether values are estimates, which have their own colours
    var isEstimate = false

    /// Rows (layers) by columns (heads).
    ///
    /// - Parameter margins: bars at the right and below with the means of rows and of columns
    func matrix(
        rows: [String], columns: [String], rowTitle: String, columnTitle: String, margins: Bool = false,
        cell: (Int, Int) -> Cell?
    ) -> Panel {
        let left = 12 + max(margins ? 28 : 14, (rows.map { SVG.width($0, size: 10.5) }.max() ?? 0)) + 8
        let strip = margins ? 46.0 : 0
        // Wide matrices get a wider panel, so that cells stay large enough to point at.
        let width = max(340, min(1000, left + Double(columns.count) * 14 + 8 + strip))
        let side = (width - left - 8 - strip) / Double(max(1, columns.count))
        let rowHeight = min(34, max(12, side))
        let top = title.isEmpty ? (margins ? 18.0 : 6) : 24
        let cells = rows.indices.map { row in columns.indices.map { cell(row, $0) } }
        var out = SVG.text(left, 14, title, "head")
        for row in rows.indices {
            let y = top + Double(row) * rowHeight
            for column in columns.indices {
                guard let cell = cells[row][column] else { continue }
                let x = left + Double(column) * side
                out += SVG.rect(
                    x, y, side - 0.6, rowHeight - 0.6,
                    FigureStyle.colourClass(cell.value, limit: limit, isEstimate: isEstimate),
                    title: cell.tooltip, key: cell.key)
                if cell.significant {
                    out += SVG.circle(x + side / 2 - 0.3, y + rowHeight / 2 - 0.3, min(2.2, rowHeight / 6), "sig")
                }
            }
            if row % max(1, Int((13 / rowHeight).rounded(.up))) == 0 {
                out += SVG.text(left - 5, y + rowHeight / 2 + 3.5, rows[row], "tick", .end)
            }
        }
        var bottom = top + Double(rows.count) * rowHeight
        let middle = (top + bottom) / 2
        if margins {
            out += self.margins(
                cells, names: (rows.map { "\(rowTitle) \($0)" }, columns.map { "\(columnTitle) \($0)" }),
                left: left, top: top, side: side, rowHeight: rowHeight, strip: strip - 10)
            bottom += strip
        }
        let widest = columns.map { SVG.width($0, size: 10.5) }.max() ?? 0
        let every = max(1, Int(((widest + 4) / side).rounded(.up)))
        for column in columns.indices where column % every == 0 {
            out += SVG.text(left + (Double(column) + 0.5) * side, bottom + 13, columns[column], "tick", .middle)
        }
        out += SVG.text(left + (width - strip - left) / 2, bottom + 28, columnTitle, "axis", .middle)
        out += SVG.vertical(10, middle, rowTitle, "axis")
        return Panel(
            width: width, height: bottom + 34, body: out, label: "\(title): heat map, \(rowTitle) by \(columnTitle)")
    }

    /// The means of rows and of columns as bars, all on one scale.
    private func margins(
        _ cells: [[Cell?]], names: (rows: [String], columns: [String]), left: Double, top: Double, side: Double,
        rowHeight: Double, strip: Double
    ) -> String {
        let rows = cells.map(Self.mean)
        let columns = names.columns.indices.map { column in Self.mean(cells.map { $0[column] }) }
        let largest = (rows + columns).filter(\.isFinite).map(abs).max() ?? 0
        guard largest > 0 else { return "" }
        let (right, bottom) = (
            left + Double(columns.count) * side + 6, top + Double(rows.count) * rowHeight + 6
        )
        // Bars start at zero, which is the edge where all means have one sign.
        let all = (rows + columns).filter(\.isFinite)
        let low = min(0, all.min() ?? 0), high = max(0, all.max() ?? 0), length = strip / (high - low)
        let digits = decimals(for: [largest])
        func style(_ value: Double) -> String { value < 0 ? "d1" : "d0" }
        var out = SVG.text(right, top - 5, "mean", "tick")
        out += SVG.line(right - low * length, top, right - low * length, bottom - 6, "frame")
        for (row, value) in rows.enumerated() where value.isFinite {
            out += SVG.rect(
                right + (min(0, value) - low) * length, top + Double(row) * rowHeight + 0.15 * rowHeight,
                max(0.4, abs(value) * length), 0.7 * rowHeight, style(value),
                title: "\(names.rows[row]), mean\n\(plus(value, digits))")
        }
        let zero = bottom + high * length
        out += SVG.line(left, zero, left + Double(columns.count) * side, zero, "frame")
        out += SVG.text(left - 5, bottom + strip / 2 + 3.5, "mean", "tick", .end)
        for (column, value) in columns.enumerated() where value.isFinite {
            out += SVG.rect(
                left + Double(column) * side + 0.15 * side, zero - max(0, value) * length, 0.7 * side,
                max(0.4, abs(value) * length), style(value),
                title: "\(names.columns[column]), mean\n\(plus(value, digits))")
        }
        return out
    }

    /// The mean of the finite values
    static func mean(_ cells: [Cell?]) -> Double {
        let values = cells.compactMap { $0?.value }.filter(\.isFinite)
        return values.reduce(0, +) / Double(values.count)
    }

    /// Tokens at their places in the image, row by row. The prefix tokens (CLS ...) are apart, above left; the first is
    /// labelled with its value, as its effect is often beyond the patches' scale. Over a picture, weaker effects are
    /// more transparent.
    func tokens(
        grid: Int, layout: TokenLayout, digits: Int, over picture: Picture? = nil, cell: (Int) -> Cell?
    ) -> Panel {
        let prefix = layout.prefix.count
        let width = picture == nil ? 172.0 : 240
        let side = (width - 12) / Double(grid)
        let size = max(12, min(20, side))
        let (left, top) = (6.0, 52.0)
        var out = SVG.text(left, 14, title, "head")
        func square(_ token: Int, _ x: Double, _ y: Double, _ side: Double) {
            guard let cell = cell(token) else { return }
            let opacity =
                picture == nil || token < prefix || !cell.value.isFinite || limit <= 0
                ? nil : 0.85 * min(1, abs(cell.value) / limit)
            out += SVG.rect(
                x, y, side - 0.4, side - 0.4, FigureStyle.colourClass(cell.value, limit: limit, isEstimate: isEstimate),
                opacity: opacity,
                title: cell.tooltip, key: cell.key)
            if cell.significant { out += SVG.circle(x + side / 2, y + side / 2, min(1.8, side / 6), "sig") }
        }
        for token in 0..<prefix { square(token, left + Double(token) * (size + 2), top - 28, size) }
        if prefix > 0 {
            let text = "\(layout.name(0)) \(plus(cell(0)?.value ?? .nan, digits))"
            out += SVG.text(left + Double(prefix) * (size + 2) + 3, top - 28 + size / 2 + 4, text, "tick")
        }
        if let picture { out += picture.svg(left, top, Double(grid) * side) }
        for place in 0..<(grid * grid) {
            square(prefix + place, left + Double(place % grid) * side, top + Double(place / grid) * side, side)
        }
        out += SVG.rect(left - 1, top - 1, Double(grid) * side + 1.6, Double(grid) * side + 1.6, "frame")
        return Panel(
            width: width, height: top + Double(grid) * side + 8, body: out,
            label: "\(title): \(isEstimate ? "estimate" : "effect") by image patch")
    }
}
