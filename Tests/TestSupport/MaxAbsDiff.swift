/// The largest absolute difference; infinite where the lengths differ or a value is not a number.
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
