import CLRuntime

/// Softmax probability, logit difference, KL and prediction of every pass, on the device. See `metrics.cl`.
package struct Metrics {
    private let targetsKernel: Kernel
    private let rowsKernel: Kernel
    private let group: Int
    /// Floats a row in the result
    package static let valuesPerRow = 5

    package init(_ library: KernelLibrary) throws(CLError) {
        targetsKernel = try library.kernel(.metrics, "metric_targets")
        rowsKernel = try library.kernel(.metrics, "metric_rows")
        group = library.tuning.group
    }

    /// Floats of `out` for so many rows and images
    package static func count(rows: Int, images: Int) -> Int { rows * valuesPerRow + images * 2 }

    /// - Parameters:
    ///   - logits: [rows, C]; rows 0 ..< images are clean, row `corrupted` + b is image b's corrupted pass, and row r
    ///     belongs to image r % images
    ///   - input: a buffer that holds, from element `labels` on, [images] target classes, or -1 for the clean pass's
    ///     own
    ///   - out: [rows, 5] (p, logit, logit difference, KL, argmax), then [images, 2] (target, foil)
    package func callAsFunction(
        logits: Buffer<Float>, classes: Int, rows: Int, images: Int, corrupted: Int, input: Buffer<Float>,
        labels: Int, out: Buffer<Float>
    ) throws(CLError) {
        guard rows * classes <= logits.count, labels + images <= input.count, corrupted + images <= rows,
            Self.count(rows: rows, images: images) <= out.count
        else {
            throw .shape(operation: "metrics", expected: "\(rows) rows of \(classes) logits", got: "\(logits.count)")
        }
        let targets = rows * Self.valuesPerRow, scratch = LocalMemory(bytes: 4 * group)
        try targetsKernel.launch(
            global: [group * images], local: group > 1 ? [group] : nil,
            [
                "logits": logits, "C": classes, "input": input, "labels": labels, "corrupted": corrupted, "out": out,
                "targets": targets, "scratch": scratch, "classes": scratch,
            ])
        try rowsKernel.launch(
            global: [group * rows], local: group > 1 ? [group] : nil,
            [
                "logits": logits, "C": classes, "images": images, "out": out, "targets": targets, "scratch": scratch,
                "classes": scratch,
            ])
    }
}
