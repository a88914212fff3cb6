import Foundation

package func normalCDF(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }

/// The inverse of `normalCDF` for 0 < p < 1: Halley's steps from a logistic start, to 1e-14.
package func normalQuantile(_ p: Double) -> Double {
    // The logistic distribution scaled to the normal's width gives a start within 0.25 where |x| < 2, within 1 where
    // |x| < 3.
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
package func studentQuantile975(_ freedom: Double) -> Double {
    if freedom <= 1 { return 12.706_204_736 }
    if freedom <= 2 { return 4.302_652_730 }
    let z = 1.959_963_984_540_054
    let (z3, z5, z7, z9) = (pow(z, 3), pow(z, 5), pow(z, 7), pow(z, 9))
    return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * pow(freedom, 2))
        + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * pow(freedom, 3))
        + (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * pow(freedom, 4))
}
