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
        // A clean pass that prefers 1 and 3 alike; a corrupted one that prefers 0, 1 and 2 alike.
        let logits = try Buffer<Float>(context, [0, 5, 1, 5, 7, 7, 7, 2]), input = try Buffer<Float>(context, [-1])
        let out = try Buffer<Float>(context, count: Metrics.count(rows: 2, images: 1))
        try operation(logits: logits, classes: 4, rows: 2, images: 1, corrupted: 1, input: input, labels: 0, out: out)
        let values = try out.read()
        #expect(values[4] == 1 && values[9] == 0)
        #expect(Array(values[10...]) == [1, 0])
    }

    @Test func refusesWrongSizes() throws {
        let library = try library(), context = library.context
        let operation = try Metrics(library)
        let logits = try Buffer<Float>(context, [Float](repeating: 0, count: 12)),
            input = try Buffer<Float>(context, [-1])
        let out = try Buffer<Float>(context, count: Metrics.count(rows: 4, images: 1))
        func run(classes: Int = 3, rows: Int = 4, corrupted: Int = 1, labels: Int = 0) throws {
            try operation(
                logits: logits, classes: classes, rows: rows, images: 1, corrupted: corrupted, input: input,
                labels: labels, out: out)
        }
        expectShapeError(context) { try run(classes: 4) }
        expectShapeError(context) { try run(classes: 2, rows: 5) }
        expectShapeError(context) { try run(corrupted: 4) }
        expectShapeError(context) { try run(labels: 1) }
        try run()
    }
}
