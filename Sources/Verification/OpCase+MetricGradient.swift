import CLRuntime
import Kernels
import Reference

extension OpCase {
    /// The gradient of every metric for each of `images` images.
    /// - Parameter std: standard deviation of the logits
    package static func metricGradient(images: Int, classes: Int, std: Float = 2) -> OpCase {
        let kinds = MetricGradient.Metric.allCases, n = images * kinds.count
        // The exponential's argument has one rounding of the range of logits, which is below 16 standard deviations;
        // the exponential adds 3, the sum C.
        return OpCase(
            name: "metric_gradient", shape: "\(n) rows, C \(classes)", flops: 4 * n * classes,
            bytes: 4 * 2 * n * classes, tolerance: (Double(classes) + 16 * Double(std) + 16) * Float.unitRoundoff
        ) { library, random in
            let logits = random.normals((images + 2) * classes, std: std)
            let targets = (0..<images).map { _ in Int.random(in: 0..<classes, using: &random) }
            let foils = targets.map { (($0 + 1) % classes) }
            // Rows in descending order, metrics in turn
            let rows = (0..<n).map { images + 1 - $0 / kinds.count }, of = (0..<n).map { $0 / kinds.count }
            let context = library.context, operation = try MetricGradient(library)
            let values = try Buffer(context, logits), offset = 3
            let pairs = try Buffer(
                context, [Float].poison(offset) + zip(targets, foils).flatMap { [Float($0), Float($1)] })
            let lists = try Buffer(
                context,
                [99] + rows.map { Int32($0) } + of.map { Int32($0) } + (0..<n).map { kinds[$0 % kinds.count].rawValue })
            let out = try Buffer(context, [Float].poison(n * classes + margin))
            return PreparedOp(
                launch: {
                    try operation(
                        logits: values, classes: classes, lists: lists, rows: 1..<(1 + n),
                        images: (1 + n)..<(1 + 2 * n),
                        metrics: (1 + 2 * n)..<(1 + 3 * n), targets: pairs, offset: offset, out: out)
                },
                output: { try out.read() },
                expected: {
                    var expected = Expected(exact: [])
                    for i in 0..<n {
                        let own = logits[(rows[i] * classes)..<((rows[i] + 1) * classes)].map(Double.init)
                        let metric: ReferenceMetric =
                            switch kinds[i % kinds.count] {
                            case .logOdds: .logOdds
                            case .logitDifference: .logitDifference
                            case .logit: .logit
                            }
                        let gradient = metric.gradient(own, target: targets[of[i]], foil: foils[of[i]])
                        expected.values += gradient
                        // Ones and zeros are exact.
                        expected.scales += gradient.map { $0 == $0.rounded() ? 0 : abs($0) }
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    package static var metricGradientCases: [OpCase] {
        [
            metricGradient(images: 3, classes: 7), metricGradient(images: 2, classes: 131, std: 5),
            metricGradient(images: 1, classes: 1000), metricGradient(images: 2, classes: 2),
            metricGradient(images: 1, classes: 1),
        ]
    }
}
