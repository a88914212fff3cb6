import CLRuntime
import Kernels
import Testing
import Verification

struct MetricsTests {
    @Test(arguments: tunings) func agreesWithTheReference(_ tuning: Tuning?) throws {
        try expectPassing(OpCase.metricsCases, on: try library(tuning))
    }

    @Test func tiesGoToTheLowerClass() throws {
        let library = try library(), context = library.context
        let operation = try Metrics(library)
        // In the clean pass classes 1 and 3 tie; in the corrupted pass 0, 1 and 2 tie.
        let logits = try Buffer<Float>(context, [0, 5, 1, 5, 7, 7, 7, 1]),
            labels = try Buffer<Int32>(context, [-1, -1])
        let out = try Buffer<Float>(context, count: Metrics.count(rows: 2, images: 1))
        // Besides 1, the corrupted pass prefers 0 (as 2), the clean one 3, both together 2: 1 + 7 over 0 + 7 and 5 + 1.
        for (foils, foil) in [((1, 1), 0), ((0, 0), 3), ((0, 1), 2)] as [((Int, Int), Float)] {
            try operation(
                logits: logits, classes: 4, rows: 2, images: 1, foils: foils, labels: labels, out: out)
            let values = try out.read()
            #expect(values[4] == 1 && values[10] == 0)
            #expect(Array(values[12...]) == [1, foil])
        }
    }

    /// Where p rounds to 1, log-odds still show how far behind the other classes are.
    @Test func logOddsDoNotSaturate() throws {
        let library = try library(), context = library.context
        let operation = try Metrics(library), labels = try Buffer<Int32>(context, [0, -1])
        let logits = try Buffer<Float>(context, [40, 0, 0, -40, 0, 0])
        let out = try Buffer<Float>(context, count: Metrics.count(rows: 2, images: 1))
        try operation(logits: logits, classes: 3, rows: 2, images: 1, foils: (0, 1), labels: labels, out: out)
        let values = try out.read()
        #expect(values[0] == 1 && abs(values[5] - (40 - 0.6931472)) < 1e-5)
        #expect(values[6] < 1e-17 && abs(values[11] - (-40 - 0.6931472)) < 1e-5)
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try Metrics(library)
        let logits = try Buffer<Float>(context, [Float](repeating: 0, count: 12)),
            labels = try Buffer<Int32>(context, [-1, -1])
        let out = try Buffer<Float>(context, count: Metrics.count(rows: 4, images: 1))
        func run(classes: Int = 3, rows: Int = 4, corrupted: Int = 1) throws {
            try operation(
                logits: logits, classes: classes, rows: rows, images: 1, foils: (0, corrupted), labels: labels, out: out
            )
        }
        expectShapeError(context) { try run(classes: 4) }
        expectShapeError(context) { try run(classes: 2, rows: 5) }
        expectShapeError(context) { try run(corrupted: 4) }
        expectShapeError(context) { try run(corrupted: -1) }
        let short = try Buffer<Int32>(context, [-1])
        expectShapeError(context) {
            try operation(logits: logits, classes: 3, rows: 4, images: 1, foils: (0, 1), labels: short, out: out)
        }
        try run()
    }
}
