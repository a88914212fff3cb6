/// The largest absolute difference; infinite if the lengths differ or a value is NaN.
package func maxAbsDiff<A: BinaryFloatingPoint, B: BinaryFloatingPoint>(_ a: [A], _ b: [B]) -> Double {
    guard a.count == b.count else { return .infinity }
    var largest = 0.0
    for (x, y) in zip(a, b) {
        let difference = abs(Double(x) - Double(y))
        if difference.isNaN { return .infinity }
        largest = max(largest, difference)
    }
    return largest
}
