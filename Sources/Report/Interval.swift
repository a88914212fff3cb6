import Foundation

/// A 95% interval of a mean from its bootstrap distribution: BCa (Efron, Better bootstrap confidence intervals, JASA
/// 1987), bias-corrected and accelerated, which follows a skewed distribution where percentiles lag behind.
///
/// The levels asked for are wider than 95% by t / z and sqrt(n / (n - 1)), which undoes the bootstrap's narrowness for
/// few rows (Hesterberg, What teachers should know about the bootstrap, The American Statistician 2015, section 3.3).
/// The plain percentile interval where BCa is not defined: no spread, or all resamples on one side of the mean. One row
/// has no interval (nan).
///
/// - Parameters:
///   - values: the rows the mean is of, in any order
///   - resampled: the means of the resamples, ascending
func interval(of values: [Double], mean: Double, resampled: [Double]) -> (low: Double, high: Double) {
    func quantiles(_ low: Double, _ high: Double) -> (low: Double, high: Double) {
        (quantile(low, ofSorted: resampled), quantile(high, ofSorted: resampled))
    }
    let percentile = quantiles(0.025, 0.975)
    let n = Double(values.count)
    guard values.count > 1 else { return (.nan, .nan) }
    guard !resampled.isEmpty else { return percentile }
    var squares = 0.0, cubes = 0.0
    for value in values {
        let d = value - mean
        squares += d * d
        cubes += d * d * d
    }
    guard squares > n * mean * mean * 1e-24 else { return percentile }
    // The jackknife's acceleration; for a mean it is the skewness / (6 sqrt(n)).
    let acceleration = cubes / (6 * squares * squares.squareRoot())
    // Resamples that equal the mean count half.
    let below = resampled.firstIndex { $0 >= mean } ?? resampled.count
    let notAbove = resampled[below...].firstIndex { $0 > mean } ?? resampled.count
    let share = Double(below + notAbove) / Double(2 * resampled.count)
    guard acceleration.isFinite, share > 0, share < 1 else { return percentile }
    let bias = normalQuantile(share)
    let z = studentQuantile975(n - 1) * (n / (n - 1)).squareRoot()
    func level(_ z: Double) -> Double? {
        let scale = 1 - acceleration * (bias + z)
        return scale > 0 ? normalCDF(bias + (bias + z) / scale) : nil
    }
    guard let low = level(-z), let high = level(z), low < high else { return percentile }
    return quantiles(low, high)
}

func normalCDF(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }

/// The inverse of `normalCDF` for 0 < p < 1: Newton steps in log odds' easy neighbourhood, to 1e-14.
func normalQuantile(_ p: Double) -> Double {
    // The logistic distribution scaled to the normal's width is a start within 0.2 where |x| < 3.
    var x = max(-8, min(8, log(p / (1 - p)) / 1.702))
    for _ in 0..<60 {
        let density = exp(-x * x / 2) / (2 * Double.pi).squareRoot()
        let error = normalCDF(x) - p
        // Halley's step does not overshoot in the tails, where Newton's does.
        let newton = error / density
        let step = newton / (1 + x * newton / 2)
        let bounded = max(-1, min(1, step.isFinite ? step : 1))
        x -= bounded
        if abs(bounded) < 1e-14 { break }
    }
    return x
}

/// The 97.5% quantile of Student's t: exact for 1 and 2 degrees of freedom, else Abramowitz and Stegun 26.7.5 (three
/// digits at 3, six from 15 on).
func studentQuantile975(_ freedom: Double) -> Double {
    if freedom <= 1 { return 12.706_204_736 }
    if freedom <= 2 { return 4.302_652_730 }
    let z = 1.959_963_984_540_054
    let (z3, z5, z7, z9) = (pow(z, 3), pow(z, 5), pow(z, 7), pow(z, 9))
    return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * pow(freedom, 2))
        + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * pow(freedom, 3))
        + (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * pow(freedom, 4))
}
