import Foundation

/// The colours that a terminal supports.
package enum TerminalColour: Sendable {
    case none
    /// Eight
    case basic
    /// 256
    case palette
    /// 24 bits
    case full
}

/// Numbers, bars and colours of the terminal summary.
struct TerminalText {
    var colour: TerminalColour

    // Colour-blind readers can tell blue from orange.
    func positive(_ text: String) -> String { paint(text, colour == .basic ? "34" : "38;5;33") }
    func negative(_ text: String) -> String { paint(text, colour == .basic ? "33" : "38;5;208") }
    func bold(_ text: String) -> String { paint(text, "1") }
    func dim(_ text: String) -> String { paint(text, "2") }

    private func paint(_ text: String, _ code: String) -> String {
        text.contains { $0 != " " } ? coded(text, code) : text
    }

    /// The text after an SGR code, even if it is all spaces.
    func coded(_ text: String, _ code: String) -> String {
        colour == .none ? text : "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}

package func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

package func paddedLeft(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}

func fixed(_ value: Double, _ decimals: Int) -> String {
    value.isFinite ? String(format: "%.\(decimals)f", value) : "\(value)"
}

/// `+0.432`, `-0.010`, ` 0.000`
func signed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return "\(value)" }
    let text = String(format: "%+.\(decimals)f", value)
    return text.contains { "123456789".contains($0) } ? text : " " + text.dropFirst()
}

/// `[-0.010, +0.432]`, limits of at least `width` columns; `-` for undefined ones
func intervalText(_ low: Double, _ high: Double, _ decimals: Int, width: Int = 0) -> String {
    func limit(_ value: Double) -> String { paddedLeft(value.isFinite ? signed(value, decimals) : "-", width) }
    return "[\(limit(low)), \(limit(high))]"
}

/// `1 image`, `2 images`
package func counted(_ count: Int, _ name: String) -> String { "\(count) \(name)\(count == 1 ? "" : "s")" }

package func percent(_ share: Double) -> String { share.isFinite ? fixed(100 * share, 1) + "%" : "\(share)" }

/// Decimals that show three significant digits of the largest value: 3 to 6.
func decimals(for values: some Sequence<Double>) -> Int {
    let largest = values.lazy.filter(\.isFinite).map(abs).max() ?? 0
    guard largest > 0 else { return 3 }
    return min(6, max(3, 2 - Int(log10(largest).rounded(.down))))
}

/// Bars from one zero line, for values of both signs: negative ones grow to the left, in half cells, positive ones to
/// the right, in eighths of a cell.
struct BarScale {
    let left: Int
    let right: Int
    private let perUnit: Double

    init(_ values: some Sequence<Double>, width: Int) {
        let finite = values.filter(\.isFinite)
        let high = max(0, finite.max() ?? 0)
        let low = max(0, -(finite.min() ?? 0))
        let cells = Double(width)
        switch (low, high) {
        case (0, 0): (left, right, perUnit) = (0, width, 0)
        case (let low, 0): (left, right, perUnit) = (width, 0, cells / low)
        case (let low, let high) where low * cells < high / 4: (left, right, perUnit) = (0, width, cells / high)
        case (let low, let high) where high * cells < low / 4: (left, right, perUnit) = (width, 0, cells / low)
        default:
            left = min(max(1, width - 1), max(1, Int((cells * low / (low + high)).rounded())))
            right = width - left
            perUnit = min(Double(left) / low, Double(max(1, right)) / high)
        }
    }

    /// The parts left and right of the zero line, `left` and `right` cells wide.
    func bar(_ value: Double) -> (left: String, right: String) {
        guard value.isFinite else { return (padded("", left), padded("", right)) }
        let halves = Int(min(Double(2 * left), max(0, -value * perUnit * 2)).rounded())
        let eighths = Int(min(Double(8 * right), max(0, value * perUnit * 8)).rounded())
        var (before, after) = ("", "")
        if halves > 0 {
            before = (halves % 2 == 1 ? "▐" : "") + String(repeating: "█", count: halves / 2)
        }
        if eighths > 0 {
            after = String(repeating: "█", count: eighths / 8)
            if eighths % 8 > 0 { after.append(["▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8 - 1]) }
        }
        return (paddedLeft(before, left), padded(after, right))
    }
}
