import Foundation

/// Means of a quantity measured on some images, combined with predictions of it on these and on other images: unbiased
/// whatever the predictions, with a variance that falls the better they are. Angelopoulos et al., Prediction-powered
/// inference, Science 2023, with the weight tuned as in PPI++ (Angelopoulos, Duchi and Zrnic 2024), which makes it the
/// regression estimator of survey sampling (Cochran, Sampling Techniques, 1977, chapters 7 and 12):
///
///     mean(y) + weight * (mean of all predictions - mean of the predictions for the images measured)
///
/// with weight = cov(y, prediction) / var(prediction) over the images measured. The variance is taken as at least a
/// quarter of that over the other images, as the weight has no bound where a few images have nearly equal predictions.
/// The images measured must be a random sample of all.
package struct PredictionPowered: Sendable {
    /// The quantity that the interval is for.
    package enum Target: Sendable {
        /// The mean over the population that all images are sampled from
        case population
        /// The mean over these images, had all been measured (finite-population correction)
        case theseImages
    }

    package struct Mean: Sendable, Equatable {
        package var mean: Double
        /// 95% BCa interval; nan for fewer than `fewestImages` images measured
        package var low: Double, high: Double
        /// The weight of the predictions; 0 if they are constant
        package var weight: Double
        /// Correlation of prediction and measurement over the images measured; nan where one is constant
        package var correlation: Double
        /// Variance of this mean / variance of the plain mean over the images measured; nan where that is 0
        package var varianceRatio: Double
        /// Mean / mean total effect, nan without totals; and its interval, also nan where the total may be zero
        package var share = Double.nan, shareLow = Double.nan, shareHigh = Double.nan

        static let none = Mean(
            mean: .nan, low: .nan, high: .nan, weight: .nan, correlation: .nan, varianceRatio: .nan)
    }

    /// Total effects of the images measured and of the others; shares are of their mean
    package struct Totals: Sendable {
        package var measured: [Double], others: [Double]
        /// Whether the mean over all is clearly not zero, by its interval
        package var isClear: Bool

        package init(measured: [Double], others: [Double], isClear: Bool) {
            (self.measured, self.others, self.isClear) = (measured, others, isClear)
        }
    }

    let bootstrap: Bootstrap
    let target: Target
    /// Two independent normal deviates per resample, for the means of the others
    private let deviates: [(Double, Double)]

    package init(_ bootstrap: Bootstrap, target: Target = .population) {
        (self.bootstrap, self.target) = (bootstrap, target)
        let random = CounterRandom(seed: bootstrap.seed, stream: .max - 1)
        deviates = (0..<bootstrap.resamples).map { resample in
            func uniform(_ index: Int) -> Double { (Double(random[index] >> 11) + 0.5) * 0x1p-53 }
            return (normalQuantile(uniform(2 * resample)), normalQuantile(uniform(2 * resample + 1)))
        }
    }

    /// - Parameters:
    ///   - values: [measured, columns]
    ///   - predictions: [measured, columns], of `values`
    ///   - others: [others, columns], predictions for the images that were not measured
    ///   - totals: the totals that `values` are shares of, and the sign of each column
    /// - Returns: one for each column, all nan if a value of it is not finite
    package func means(
        _ values: [Double], predictions: [Double], others: [Double], columns: Int,
        totals: (Totals, signs: [Double])? = nil
    ) -> [Mean] {
        guard columns > 0, values.count >= columns else { return Array(repeating: .none, count: columns) }
        let n = values.count / columns, m = others.count / columns
        @Sendable func column(_ array: [Double], _ column: Int) -> [Double] {
            stride(from: column, to: array.count, by: columns).map { array[$0] }
        }
        let moments = concurrentMap(columns) { Moments(column(values, $0), column(predictions, $0)) }
        // Centred at the means, which avoids cancellation: y, f, f^2, f y
        var centred = [Double](repeating: 0, count: 4 * n * columns)
        for row in 0..<n {
            for column in 0..<columns {
                let y = values[row * columns + column] - moments[column].y
                let f = predictions[row * columns + column] - moments[column].f
                let at = (row * columns + column) * 4
                (centred[at], centred[at + 1], centred[at + 2], centred[at + 3]) = (y, f, f * f, f * y)
            }
        }
        let resampled = bootstrap.means(centred, rows: n, columns: 4 * columns)
        let totalMeans = totals.map { bootstrap.means($0.0.measured, rows: n, columns: 1) }
        let centredValues = centred
        return concurrentMap(columns) { index in
            let own = moments[index]
            guard own.isFinite else { return .none }
            let rest = Rest(column(others, index), totals?.0.others ?? [])
            guard m == 0 || rest.mean.isFinite else { return .none }
            var one = Column(self, own, rest, n: n, m: m)
            one.resample { resample in
                (0..<4).map { resampled[(4 * index + $0) * bootstrap.resamples + resample] }
            }
            let rows = (0..<n).map { row in
                (y: centredValues[(row * columns + index) * 4], f: centredValues[(row * columns + index) * 4 + 1])
            }
            var mean = one.mean(rows, column(others, index))
            if let (totals, signs) = totals, let totalMeans {
                one.share(&mean, rows, column(others, index), totals, sign: signs[index], resampled: totalMeans)
            }
            return mean
        }
    }
}

/// Moments over the images measured; y is the measurement and f its prediction
private struct Moments: Sendable {
    var y: Double, f: Double
    /// Sums of squares and products around the means
    var yy = 0.0, ff = 0.0, fy = 0.0

    init(_ values: [Double], _ predictions: [Double]) {
        let n = Double(values.count)
        y = values.reduce(0, +) / n
        f = predictions.reduce(0, +) / n
        for (value, prediction) in zip(values, predictions) {
            yy += (value - y) * (value - y)
            ff += (prediction - f) * (prediction - f)
            fy += (value - y) * (prediction - f)
        }
        // Predictions that differ only by rounding count as constant.
        if ff <= n * f * f * 1e-24 { (ff, fy) = (0, 0) }
    }

    var isFinite: Bool { y.isFinite && f.isFinite && yy.isFinite && ff.isFinite }
}

/// Moments of the predictions for the other images, and of their total effects t
private struct Rest: Sendable {
    var mean = 0.0, variance = 0.0, total = 0.0, totalVariance = 0.0, covariance = 0.0

    init(_ predictions: [Double], _ totals: [Double]) {
        guard predictions.count > 1 else {
            mean = predictions.first ?? 0
            total = totals.first ?? 0
            return
        }
        let m = Double(predictions.count)
        mean = predictions.reduce(0, +) / m
        total = totals.reduce(0, +) / m
        for (row, prediction) in predictions.enumerated() {
            let f = prediction - mean, t = totals.isEmpty ? 0 : totals[row] - total
            variance += f * f / m
            totalVariance += t * t / m
            covariance += f * t / m
        }
    }
}

/// One column
private struct Column {
    let powered: PredictionPowered
    let own: Moments, rest: Rest
    let n: Int, m: Int
    /// m / (n + m)
    let part: Double
    /// Mean of the others' predictions - mean of the predictions for the images measured
    let shift: Double
    /// The lower bound on the predictions' variance in the weight
    let least: Double
    let weight: Double
    let estimate: Double
    var resampled: [Double] = []

    init(_ powered: PredictionPowered, _ own: Moments, _ rest: Rest, n: Int, m: Int) {
        (self.powered, self.own, self.rest, self.n, self.m) = (powered, own, rest, n, m)
        part = Double(m) / Double(n + m)
        shift = m > 0 ? rest.mean - own.f : 0
        least = rest.variance / 4
        weight = own.ff > 0 ? own.fy / Double(n) / max(own.ff / Double(n), least) : 0
        estimate = own.y + weight * part * shift
    }

    /// The estimate in every resample, with the weight tuned anew. The others are many, so their means are drawn from a
    /// normal distribution.
    mutating func resample(_ means: (Int) -> [Double]) {
        let deviation = (rest.variance / Double(max(m, 1))).squareRoot()
        let finite = powered.target == .theseImages ? (1 - Double(n) / Double(n + m)).squareRoot() : 1
        resampled = powered.deviates(count: powered.bootstrap.resamples).enumerated().map { resample, deviates in
            let mean = means(resample)
            let (y, f) = (mean[0], mean[1])
            let variance = mean[2] - f * f, covariance = mean[3] - f * y
            let weight =
                variance > own.ff / Double(n) * 1e-12 || least > 0 ? covariance / max(variance, least) : 0
            let other = shift + (powered.target == .population ? deviation * deviates.0 : 0)
            return estimate + finite * (own.y + y + weight * part * (other - f) - estimate)
        }
    }

    /// Influence values of the images measured, then of the others
    private func influence(_ rows: [(y: Double, f: Double)], _ others: [Double]) -> [[Double]] {
        // With `theseImages`, the mean of all predictions is known.
        let slope = weight * (powered.target == .population ? part : 1)
        let measured = rows.map { $0.y - slope * $0.f }
        guard powered.target == .population, m >= fewestImages, slope != 0 else { return [measured] }
        return [measured, others.map { slope * ($0 - rest.mean) }]
    }

    func mean(_ rows: [(y: Double, f: Double)], _ others: [Double]) -> PredictionPowered.Mean {
        let (low, high) = interval(
            influence: influence(rows, others), estimate: estimate, resampled: resampled.sorted())
        let r = own.ff > 0 && own.yy > 0 ? own.fy / (own.ff * own.yy).squareRoot() : .nan
        return PredictionPowered.Mean(
            mean: estimate, low: low, high: high, weight: weight, correlation: r,
            varianceRatio: own.yy > 0 ? ratio(r.isFinite ? r * r : 0) : .nan)
    }

    /// - Parameter explained: the share of the measurements' variance that predictions explain
    private func ratio(_ explained: Double) -> Double {
        if m == 0 || weight == 0 { return 1 }
        let n = Double(n), slope = weight * (powered.target == .population ? part : 1)
        let residual = own.yy - 2 * slope * own.fy + slope * slope * own.ff
        let others = powered.target == .population ? slope * slope * rest.variance * n / Double(m) : 0
        // The weight costs a degree of freedom.
        return min(1, residual / own.yy + others * n / own.yy + (1 - explained) / max(1, n - 2))
    }

    /// The mean's share of the mean total effect over all images, both resampled together.
    func share(
        _ mean: inout PredictionPowered.Mean, _ rows: [(y: Double, f: Double)], _ others: [Double],
        _ totals: PredictionPowered.Totals, sign: Double, resampled totalMeans: [Double]
    ) {
        let measured = totals.measured.reduce(0, +) / Double(n)
        let all = (1 - part) * measured + part * rest.total
        let share = sign * estimate / all
        mean.share = share
        guard totals.isClear else { return }
        let slope = rest.variance > 0 ? rest.covariance / rest.variance.squareRoot() : 0
        let own = max(0, rest.totalVariance - slope * slope).squareRoot()
        let root = Double(max(m, 1)).squareRoot()
        let ratios = powered.deviates(count: resampled.count).enumerated().map { resample, deviates in
            let other = rest.total + (slope * deviates.0 + own * deviates.1) / root
            return sign * resampled[resample] / ((1 - part) * totalMeans[resample] + part * other)
        }
        var samples = influence(rows, others).map { $0.map { sign * $0 / all } }
        for row in 0..<n { samples[0][row] -= share * (1 - part) * (totals.measured[row] - measured) / all }
        if samples.count > 1 {
            for row in 0..<m { samples[1][row] -= share * part * (totals.others[row] - rest.total) / all }
        }
        (mean.shareLow, mean.shareHigh) = interval(influence: samples, estimate: share, resampled: ratios.sorted())
    }
}

extension PredictionPowered {
    fileprivate func deviates(count: Int) -> ArraySlice<(Double, Double)> { deviates.prefix(count) }
}
