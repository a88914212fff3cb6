import Statistics

/// A table of numbers: rounded for display, in full for other programs.
struct Table {
    struct Column {
        var title: String
        /// The column's name in the CSV
        var key: String

        init(_ title: String, _ key: String? = nil) { (self.title, self.key) = (title, key ?? fileName([title])) }
    }

    struct Cell: ExpressibleByStringLiteral {
        var shown: String
        var data: String

        init(shown: String, data: String) { (self.shown, self.data) = (shown, data) }
        init(_ text: String) { (shown, data) = (text, text) }
        init(stringLiteral text: String) { self.init(text) }

        static func count(_ value: Int) -> Cell { Cell("\(value)") }
        static func effect(_ value: Double, _ digits: Int) -> Cell {
            Cell(shown: plus(value, digits), data: full(value))
        }
        static func value(_ value: Double, _ digits: Int) -> Cell {
            Cell(shown: number(value, digits), data: full(value))
        }
        static func share(_ value: Double) -> Cell { Cell(shown: shareText(value), data: full(value)) }
        static func p(_ value: Double, isFloor: Bool = false) -> Cell {
            Cell(shown: pText(value, isFloor: isFloor), data: full(value))
        }
        static let missing = Cell(shown: "–", data: "")

        /// The shortest text that reads back as the same number; empty if not finite
        private static func full(_ value: Double) -> String { value.isFinite ? "\(value)" : "" }
    }

    var columns: [Column]
    var rows: [[Cell]]
    /// Whether cells may take two lines, for tables of many columns
    var wraps = false
}

/// A statistic's column and those of its interval.
func withLimits(_ title: String, _ key: String) -> [Table.Column] {
    [
        Table.Column(title, key), Table.Column("\(title) 95% low", "\(key)_ci_low"),
        Table.Column("\(title) 95% high", "\(key)_ci_high"),
    ]
}

func cells(_ effect: EffectStatistics, _ digits: Int) -> [Table.Cell] {
    [effect.mean, effect.low, effect.high].map { .effect($0, digits) }
}

extension Table {
    /// - Parameter limit: at most this many rows
    func html(limit: Int = .max) -> String {
        var out = "<div class=\"scroll\"><table\(wraps ? " class=\"wraps\"" : "")><thead><tr>"
        for column in columns { out += "<th>\(escaped(column.title))</th>" }
        out += "</tr></thead><tbody>"
        for row in rows.prefix(limit) {
            out +=
                "<tr>"
                + row.map { "<td>\(escaped(wraps ? $0.shown.replacing(", ", with: ",\u{A0}") : $0.shown))</td>" }
                .joined() + "</tr>"
        }
        return out + "</tbody></table></div>"
    }

    /// Folded, with a note if rows are left out.
    func html(name: String, limit: Int) -> String {
        var out =
            "<details><summary>Table: \(rows.count) \(rows.count == 1 ? "row" : "rows")</summary>" + html(limit: limit)
        if rows.count > limit {
            out += "<p class=\"note\">The first \(limit) rows; all of them are in figures/\(name).csv.</p>"
        }
        return out + "</details>"
    }

    /// Columns' keys, then numbers in full; a missing value is an empty field.
    var csv: String {
        ([columns.map(\.key)] + rows.map { $0.map(\.data) }).map { row in
            row.map { text in
                text.contains { ",\"\n\r".contains($0) } ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
            }.joined(separator: ",")
        }.joined(separator: "\n") + "\n"
    }
}
