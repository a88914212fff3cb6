import Foundation

// Simulated sweeps with known true values. Every number is a function of the seeds below.

/// A stream of random numbers
struct Stream {
    let random: CounterRandom
    var index = 0

    init(_ seed: UInt64, _ stream: Int) { random = CounterRandom(seed: seed, stream: UInt64(stream)) }

    mutating func uniform() -> Double {
        index += 1
        return (Double(random[index] >> 11) + 0.5) / Double(1 << 53)
    }
    mutating func normal() -> Double { normalQuantile(uniform()) }
}

func percent(_ share: Double) -> String { String(format: "%.1f%%", 100 * share) }

func table(_ title: String, _ columns: [String], _ rows: [[String]]) {
    print("\n\(title)\n\n| \(columns.joined(separator: " | ")) |\n|\(String(repeating: "---|", count: columns.count))")
    for row in rows { print("| \(row.joined(separator: " | ")) |") }
    fflush(nil)
}

/// The share of simulations for which `body` is true, computed on all cores
func share(_ simulations: Int, _ body: @Sendable (Int) -> Bool) -> Double {
    Double(concurrentMap(simulations, body).count { $0 }) / Double(simulations)
}

// MARK: Effects of one image

struct Distribution: Sendable {
    var name: String
    var mean: Double
    var draw: @Sendable (inout Stream) -> Double
}

let distributions = [
    Distribution(name: "normal", mean: 0.2) { 0.2 + $0.normal() },
    Distribution(name: "mild skew (u² + noise)", mean: 1.0 / 3) { pow($0.uniform(), 2) + $0.uniform() - 0.5 },
    Distribution(name: "strong skew (u⁸)", mean: 1.0 / 9) { pow($0.uniform(), 8) },
    Distribution(name: "rare (a tenth of the images)", mean: 0.05) { s in
        let isThere = s.uniform() < 0.1, size = s.uniform()
        return isThere ? size : 0
    },
]

// MARK: 1. Coverage

let sizes = [6, 10, 20, 50, 200]
table(
    "Share of 500 simulated sweeps whose 95% interval (4000 resamples) covered the true mean",
    ["effects"] + sizes.map { "n = \($0)" },
    distributions.map { distribution in
        [distribution.name]
            + sizes.map { n in
                percent(
                    share(500) { simulation in
                        var stream = Stream(1, simulation)
                        let values = (0..<n).map { _ in distribution.draw(&stream) }
                        let means = Bootstrap(seed: UInt64(simulation)).means(values, rows: n, columns: 1).sorted()
                        let (low, high) = interval(
                            of: values, mean: values.reduce(0, +) / Double(n), resampled: means)
                        return low <= distribution.mean && distribution.mean <= high
                    })
            }
    })

// MARK: 2. Any false rejection in a family without effects

let families: [(String, @Sendable (inout Stream, Double) -> Double)] = [
    ("symmetric, patches apart", { s, _ in s.normal() }),
    ("symmetric, patches alike", { s, shared in shared + 0.3 * s.normal() }),
    ("skewed (exponential - 1)", { s, _ in -log(s.uniform()) - 1 }),
    ("rare (a tenth of the images, skewed)", { s, _ in (s.uniform() < 0.1 ? 1.0 : 0.0) - 0.1 }),
]
let images = [10, 30, 100]
table(
    "Share of 400 simulated sweeps of 50 patches without any effect in which at least one was significant at 0.05 (999 draws)",
    ["effects"] + images.map { "n = \($0)" },
    families.map { name, draw in
        [name]
            + images.map { n in
                percent(
                    share(400) { simulation in
                        var stream = Stream(2, simulation)
                        let shared = (0..<n).map { _ in stream.normal() }
                        let columns = (0..<50).map { _ in (0..<n).map { Float(draw(&stream, shared[$0])) } }
                        let found = SignFlips(draws: 999, seed: UInt64(simulation)).test(columns, rows: n)
                        return found.adjusted.contains { $0 <= 0.05 }
                    })
            }
    })

// MARK: 3. False marks against random places

table(
    "Share of 4000 simulated sweeps in which any of 10 windows like random ones was marked against random places",
    ["random places", "each window's own p-value", "maximum over 10"],
    [19, 99, 190, 400].map { places in
        func marks(_ isMarked: @Sendable @escaping (Int) -> Bool) -> String {
            percent(
                share(4000) { simulation in
                    var stream = Stream(3, simulation)
                    let windows = (0..<10).map { _ in stream.uniform() }
                    let others = (0..<places).map { _ in stream.uniform() }
                    return windows.contains { window in isMarked(others.count { $0 >= window }) }
                })
        }
        return [
            "\(places)", marks { Double(1 + $0) / Double(1 + places) <= 0.05 },
            marks { maximumRankP(own: 10, random: places, beyond: $0) <= 0.05 + 1e-12 },
        ]
    })

// MARK: 4. Total effects between two similar passes

struct Totals { var p = 0.0, logOdds = 0.0, pooled = 0.0, corrupted = 0.0 }
let count = 40_000
let totals = concurrentMap(count) { image -> Totals in
    var stream = Stream(4, image)
    let mean = (0..<10).map { $0 == 0 ? 2.0 : stream.normal() }
    let (clean, corrupted) = (mean.map { $0 + stream.normal() }, mean.map { $0 + stream.normal() })
    func logSum(_ logits: ArraySlice<Double>) -> Double { log(logits.reduce(0) { $0 + exp($1) }) }
    func largest(_ values: [Double]) -> Int { (1..<10).max { values[$0] < values[$1] } ?? 1 }
    let pooled = largest(zip(clean, corrupted).map { $0 + $1 }), own = largest(corrupted)
    return Totals(
        p: exp(clean[0] - logSum(clean[...])) - exp(corrupted[0] - logSum(corrupted[...])),
        logOdds: clean[0] - logSum(clean[1...]) - corrupted[0] + logSum(corrupted[1...]),
        pooled: clean[0] - clean[pooled] - corrupted[0] + corrupted[pooled],
        corrupted: clean[0] - clean[own] - corrupted[0] + corrupted[own])
}
func row(_ name: String, _ value: (Totals) -> Double) -> [String] {
    let values = totals.map(value), mean = values.reduce(0, +) / Double(count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
    return [name, String(format: "%+.4f", mean), String(format: "%.4f", (variance / Double(count)).squareRoot())]
}
table(
    "Mean total effect between two exchangeable noise draws, 40000 images of 10 classes, where the truth is 0",
    ["metric", "mean total", "standard error"],
    [
        row("p", \.p), row("log-odds", \.logOdds), row("logit difference, foil of both passes (pooled)", \.pooled),
        row("logit difference, foil of the corrupted pass", \.corrupted),
    ])

// MARK: 5. Prediction-powered means

struct Shape: Sendable {
    var name: String
    /// Mean 0 and variance 1
    var draw: @Sendable (inout Stream) -> Double
}
let shapes = [
    Shape(name: "normal") { $0.normal() },
    Shape(name: "skewed (exponential)") { -log($0.uniform()) - 1 },
    Shape(name: "strong skew (u⁸)") { (pow($0.uniform(), 8) - 1.0 / 9) / (1.0 / 17 - 1.0 / 81).squareRoot() },
]
let allImages = 1000, measured = [6, 10, 20, 50, 100]
/// Effects of mean 0.3, and predictions of the given correlation with another scale and a bias
func paired(_ stream: inout Stream, _ shape: Shape, _ correlation: Double) -> (y: Double, f: Double) {
    let (a, b) = (shape.draw(&stream), shape.draw(&stream))
    return (0.3 + a, 2 * (correlation * a + (1 - correlation * correlation).squareRoot() * b) + 1)
}
for (target, name) in [
    (PredictionPowered.Target.population, "true mean"), (.theseImages, "mean over all 1000 images"),
] {
    table(
        "Share of 500 simulated sweeps of 1000 images, n of them measured, whose prediction-powered 95% interval covered the \(name)",
        ["effects", "correlation"] + measured.map { "n = \($0)" },
        shapes.flatMap { shape in
            [0, 0.5, 0.9, 0.98].map { correlation in
                [shape.name, "\(correlation)"]
                    + measured.map { n in
                        percent(
                            share(500) { simulation in
                                var stream = Stream(5, simulation)
                                let rows = (0..<allImages).map { _ in paired(&stream, shape, correlation) }
                                let truth =
                                    target == .population
                                    ? 0.3 : rows.reduce(0) { $0 + $1.y } / Double(allImages)
                                let powered = PredictionPowered(Bootstrap(seed: UInt64(simulation)), target: target)
                                let found = powered.means(
                                    rows[..<n].map(\.y), predictions: rows[..<n].map(\.f), others: rows[n...].map(\.f),
                                    columns: 1)[0]
                                return found.low <= truth && truth <= found.high
                            })
                    }
            }
        })
}
table(
    "Variance over 4000 simulated sweeps of the prediction-powered mean (population), as a share of the plain mean's over the n images, and what the sweeps say of it on average",
    ["effects", "correlation"] + measured.map { "n = \($0)" },
    shapes.flatMap { shape in
        [0, 0.9, 0.98].map { correlation in
            [shape.name, "\(correlation)"]
                + measured.map { n in
                    let found = concurrentMap(4000) { simulation -> (plain: Double, powered: Double, said: Double) in
                        var stream = Stream(6, simulation)
                        let rows = (0..<allImages).map { _ in paired(&stream, shape, correlation) }
                        let mean = PredictionPowered(Bootstrap(resamples: 1)).means(
                            rows[..<n].map(\.y), predictions: rows[..<n].map(\.f), others: rows[n...].map(\.f),
                            columns: 1)[0]
                        return (rows[..<n].reduce(0) { $0 + $1.y } / Double(n), mean.mean, mean.varianceRatio)
                    }
                    func squares(_ value: ((plain: Double, powered: Double, said: Double)) -> Double) -> Double {
                        found.reduce(0) { $0 + pow(value($1) - 0.3, 2) }
                    }
                    let said = found.reduce(0) { $0 + $1.said } / Double(found.count)
                    return String(format: "%.2f (%.2f)", squares(\.powered) / squares(\.plain), said)
                }
        }
    })
