import Foundation

/// The fewest images for an interval: with fewer, a 95% interval covers the true mean far less often than that
/// (docs/methods.md has the simulations).
package let fewestImages = 6

/// A 95% interval of a mean from its bootstrap distribution: the function below, for one sample.
package func interval(of values: [Double], mean: Double, resampled: [Double]) -> (low: Double, high: Double) {
    interval(influence: [values.map { $0 - mean }], estimate: mean, resampled: resampled)
}

/// A 95% interval of an estimate from its bootstrap distribution: BCa (Efron, Better bootstrap confidence intervals,
/// JASA 1987), bias-corrected and accelerated, which follows a skewed distribution where percentiles lag behind. It
/// serves means, ratios of means and differences of independent means alike, as these differ in their influence values
/// alone (Efron and Tibshirani 1993, chapter 14; Davison and Hinkley 1997, section 5.3.2 for several samples).
///
/// The levels are wider than 95% by t / z and sqrt(n / (n - 1)), which corrects the bootstrap's narrowness for few rows
/// (Hesterberg, What teachers should know about the bootstrap, The American Statistician 2015, section 3.3); several
/// samples take Welch's degrees of freedom. Where BCa is not defined (no spread, or all resamples on one side of the
/// estimate), the plain percentile interval is returned. With fewer than `fewestImages` rows in a sample there is no
/// interval (nan).
///
/// - Parameters:
///   - influence: for every sample, its rows' influence values, which add up to about 0: x - mean for a mean
///   - resampled: the estimates of the resamples, ascending
package func interval(
    influence samples: [[Double]], estimate: Double, resampled: [Double]
) -> (low: Double, high: Double) {
    guard !samples.isEmpty, samples.allSatisfy({ $0.count >= fewestImages }), !resampled.isEmpty else {
        return (.nan, .nan)
    }
    func quantiles(_ low: Double, _ high: Double) -> (low: Double, high: Double) {
        (quantile(low, ofSorted: resampled), quantile(high, ofSorted: resampled))
    }
    let percentile = quantiles(0.025, 0.975)
    // Moments of the estimate: the bootstrap's variance, the unbiased one, the third moment; and Welch's denominator
    var variance = 0.0, unbiased = 0.0, third = 0.0, welch = 0.0, scale = estimate * estimate
    for rows in samples {
        let n = Double(rows.count)
        var squares = 0.0, cubes = 0.0
        for row in rows {
            squares += row * row
            cubes += row * row * row
        }
        variance += squares / (n * n)
        third += cubes / (n * n * n)
        let own = squares / (n * (n - 1))
        unbiased += own
        welch += own * own / (n - 1)
        scale = max(scale, rows.reduce(0) { max($0, $1 * $1) } * 1e-12)
    }
    guard variance > scale * 1e-24, welch > 0 else { return percentile }
    // For a mean it is the skewness / (6 sqrt(n)).
    let acceleration = third / (6 * variance * variance.squareRoot())
    // Resamples that equal the estimate count half.
    let below = resampled.firstIndex { $0 >= estimate } ?? resampled.count
    let notAbove = resampled[below...].firstIndex { $0 > estimate } ?? resampled.count
    let share = Double(below + notAbove) / Double(2 * resampled.count)
    guard acceleration.isFinite, share > 0, share < 1 else { return percentile }
    let bias = normalQuantile(share)
    let z = studentQuantile975(unbiased * unbiased / welch) * (unbiased / variance).squareRoot()
    func level(_ z: Double) -> Double? {
        let scale = 1 - acceleration * (bias + z)
        return scale > 0 ? normalCDF(bias + (bias + z) / scale) : nil
    }
    guard let low = level(-z), let high = level(z), low < high else { return percentile }
    return quantiles(low, high)
}
