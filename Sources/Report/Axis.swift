import Foundation
import Statistics

/// Maps values linearly to coordinates; its ticks are round numbers.
struct Scale {
    let low: Double
    let high: Double
    /// Coordinates of `low` and `high`
    let from: Double
    let to: Double
    let ticks: [Double]

    /// A range that contains all finite values. Each end is a round number or, where values exceed one by less than a
    /// quarter of a step, 0.05 steps beyond them.
    init(_ values: some Sequence<Double>, from: Double, to: Double, ticks count: Int = 5) {
        let finite = values.filter { $0.isFinite && abs($0) < 1e300 }
        var low = finite.min() ?? 0
        var high = finite.max() ?? 1
        if high - low < 1e-300 {
            let room = low == 0 ? 1 : abs(low) / 2
            (low, high) = (low - (low == 0 ? 0 : room), high + room)
        }
        let step = Self.step(high - low, count: count)
        let first = (low / step + 0.25).rounded(.down), last = (high / step - 0.25).rounded(.up)
        self.low = low < first * step ? low - 0.05 * step : first * step
        self.high = high > last * step ? high + 0.05 * step : last * step
        self.from = from
        self.to = to
        ticks = (0...Int(min(1000, last - first))).map { (first + Double($0)) * step }
    }

    func callAsFunction(_ value: Double) -> Double {
        from + (value - low) / (high - low) * (to - from)
    }

    /// 1, 2 or 5 times a power of ten that divides `range` into about `count` parts.
    private static func step(_ range: Double, count: Int) -> Double {
        let rough = range / Double(max(1, count))
        let power = pow(10, log10(rough).rounded(.down))
        return [1, 2, 5].map { $0 * power }.first { range / $0 <= Double(count) + 0.5 } ?? 10 * power
    }

    /// The ticks as text, with just enough digits to tell them apart.
    var labels: [String] {
        let step = ticks.count > 1 ? ticks[1] - ticks[0] : 1
        let digits = min(9, max(0, Int((-log10(step) - 1e-9).rounded(.up))))
        return ticks.map { number($0, digits) }
    }
}

/// A number for the page: fixed digits, a true minus sign, no negative zero.
func number(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "–" : value < 0 ? "−∞" : "∞" }
    let text = fixed(value, digits)
    guard text.hasPrefix("-") else { return text }
    let rest = text.dropFirst()
    return rest.contains { "123456789".contains($0) } ? "−" + rest : String(rest)
}

/// `number`, with a + in front of positive numbers.
func plus(_ value: Double, _ digits: Int) -> String {
    let text = number(value, digits)
    return value > 0 && value.isFinite && text.contains { "123456789".contains($0) } ? "+" + text : text
}

/// `+0.123 [+0.100, +0.150]`; the mean alone where there is no interval
func withInterval(_ effect: EffectStatistics, _ digits: Int) -> String {
    guard effect.hasInterval else { return plus(effect.mean, digits) }
    return "\(plus(effect.mean, digits)) [\(plus(effect.low, digits)), \(plus(effect.high, digits))]"
}

func shareText(_ share: Double) -> String { share.isFinite ? number(100 * share, 1) + "%" : "–" }

/// - Parameter isFloor: p is the smallest that its test can give, and so an upper bound
func pText(_ p: Double, isFloor: Bool = false) -> String {
    guard p.isFinite else { return "–" }
    if isFloor { return "≤ \(p < 0.001 ? fixed(p, 4) : fixed(p, 3))" }
    return p < 0.001 ? "< 0.001" : number(p, 3)
}

/// In a sentence: `= 0.012`, `< 0.001`, `≤ 0.0001`
func pPhrase(_ p: Double, isFloor: Bool = false) -> String {
    let text = pText(p, isFloor: isFloor)
    return text.first.map { "<≤".contains($0) } == true ? text : "= \(text)"
}
