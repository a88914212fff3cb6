import CLRuntime
import Foundation
import Kernels
import Reference

extension OpCase {
    /// - Parameters:
    ///   - patches: passes besides clean and corrupted
    ///   - ties: rounds logits to multiples of 0.5, so that the largest often occurs twice
    ///   - std: standard deviation of the logits
    ///   - foils: the passes that choose the foils that are not given
    package static func metrics(
        images: Int, patches: Int, classes: Int, ties: Bool = false, std: Float = 3, foils: FoilRows = .both
    ) -> OpCase {
        let rows = images * (2 + patches)
        // With R = the range of a row's logits: log p has the errors of a sum (C + 1 roundings), exp and log (3 ulp
        // each), and three sums of terms up to R. p and each term of KL inherit that, relative to p (1 + R), and KL
        // adds C roundings. Logits, their differences and the classes are exact.
        let tolerance = Double(2 * classes + 32) * Float.unitRoundoff
        return OpCase(
            name: "metrics",
            shape: "rows \(rows), images \(images), C \(classes)" + (ties ? ", ties" : "") + ", foils of \(foils)",
            flops: rows * classes * 8, bytes: 4 * (rows * classes + Metrics.count(rows: rows, images: images)),
            tolerance: tolerance
        ) { library, random in
            var logits = random.normals(rows * classes, std: std)
            if ties { logits = logits.map { ($0 * 2).rounded() / 2 } }
            // Some targets are given, the others are the clean pass's argmax.
            let labels = (0..<images).map { $0 % 2 == 0 ? -1 : Int.random(in: 0..<classes, using: &random) }
            let givenFoils = (0..<images).map { $0 % 3 == 1 ? Int.random(in: 0..<classes, using: &random) : -1 }
            let values = logits
            let operation = try Metrics(library)
            let context = library.context
            let logitsBuffer = try Buffer(context, logits),
                labelsBuffer = try Buffer(context, (labels + givenFoils).map { Int32($0) })
            let out = try Buffer(context, [Float].poison(Metrics.count(rows: rows, images: images) + margin))
            return PreparedOp(
                launch: {
                    try operation(
                        logits: logitsBuffer, classes: classes, rows: rows, images: images,
                        foils: foils.rows(images: images),
                        labels: labelsBuffer, out: out)
                },
                output: { try out.read() },
                expected: {
                    func row(_ r: Int) -> [Double] { values[(r * classes)..<((r + 1) * classes)].map(Double.init) }
                    let targets = labels.enumerated().map { $1 < 0 ? argmax(row($0)) : $1 }
                    let (first, second) = foils.rows(images: images)
                    let chosen = targets.enumerated().map { image, target in
                        givenFoils[image] >= 0
                            ? givenFoils[image]
                            : foil(zip(row(first + image), row(second + image)).map { ($0 + $1) / 2 }, target: target)
                    }
                    var expected = Expected(exact: [])
                    for r in 0..<rows {
                        let image = r % images, mine = row(r), clean = row(image)
                        let target = targets[image], p = probabilities(mine), cleanP = probabilities(clean)
                        let range = spread(mine), both = 1 + range + spread(clean)
                        expected.values += [
                            p[target], mine[target], logitDifference(mine, target: target, foil: chosen[image]),
                            klDivergence(pLogits: clean, qLogits: mine), Double(argmax(mine)),
                            logOdds(mine, target: target),
                        ]
                        // 1e-30: below it exp may underflow to 0.
                        expected.scales += [
                            p[target] * (1 + range) + 1e-30, 0, 0, 2 * both * cleanP.reduce(0, +), 0,
                            1 + 3 * range + abs(mine[target]),
                        ]
                    }
                    for (target, foil) in zip(targets, chosen) {
                        expected.values += [Double(target), Double(foil)]
                        expected.scales += [0, 0]
                    }
                    expected.appendPoison(margin)
                    return expected
                })
        }
    }

    /// The passes that choose the foils
    package enum FoilRows: Sendable {
        case clean, corrupted, both

        fileprivate func rows(images: Int) -> (Int, Int) {
            switch self {
            case .clean: (0, 0)
            case .corrupted: (images, images)
            case .both: (0, images)
            }
        }
    }

    private static func spread(_ logits: [Double]) -> Double { (logits.max() ?? 0) - (logits.min() ?? 0) }

    package static var metricsCases: [OpCase] {
        [
            metrics(images: 3, patches: 5, classes: 7),
            metrics(images: 4, patches: 3, classes: 11, foils: .clean),
            metrics(images: 2, patches: 3, classes: 2, foils: .corrupted),
            metrics(images: 3, patches: 1, classes: 1000),
            metrics(images: 5, patches: 4, classes: 7, ties: true, std: 1),
            metrics(images: 2, patches: 1, classes: 13, std: 60),
            metrics(images: 1, patches: 0, classes: 1),
        ]
    }
}
